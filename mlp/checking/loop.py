"""Checks of a training loop, by running one epoch of it with an optimizer that only looks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlp.checking.copies import Private, float64, network_parameters
from mlp.checking.guesses import close
from mlp.checking.results import FAIL, INCONCLUSIVE, PASS, Result
from mlp.checking.together import ALL, EXACT, identity
from mlp.types import Array

SHORT = "the last, short minibatch is divided by the full B"
EARLIER = "the values of an earlier forward pass are used in backward"
DECAY_ON_B = "weight decay on b, which the penalty leaves out"
NO_PENALTY = "the derivative of the penalty, l2 W, is missing"
MEAN_OF_MEANS = "the minibatches' costs are averaged without weighing them by their rows"
OTHER_ROWS = "inputs have the targets of other rows: are both shuffled in the same order?"
SKIPPED = "rows are left out or taken twice: is the last, short minibatch dropped?"


@np.errstate(all="ignore")
def check_loop(
    loop: Callable[..., Any],
    network: Any,
    loss: Any,
    data: tuple[Array, Array],
    *,
    batch_size: int | None = None,
    l2: float = 0.0,
    rng: np.random.Generator | None = None,
) -> list[Result]:
    """All checks of a training loop that is called like `mlp.train`, on data = (X, Y), N x D and N x K.

    `loop(network, loss, optimizer, data, rng=..., epochs=1, batch_size=..., l2=...)` runs with an optimizer that
    changes nothing, so every minibatch can be computed again: its rows have to be rows of the data, each once in the
    epoch and with its own targets; its bars those of its mean cost plus penalty; and the epoch's cost (`train_loss` of
    the last record that the loop yields, if it does) the mean over all rows. Biases that are all 0 are first set to
    something else, or weight decay on them would not show. The default batch size leaves a short minibatch. The network
    is left bitwise as it was; what the loop raises is raised.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    X, Y = map(float64, data)
    batch_size = batch_size or uneven(len(X))
    own = Private(network, network_parameters).fresh()
    off_zero(own, rng)
    watch = Watch(own, loss)
    records = list(
        loop(watch.network(), watch, watch, (X.copy(), Y.copy()), rng=rng, epochs=1, batch_size=batch_size, l2=l2)
    )
    if not watch.steps:
        reason = "the loop never called optimizer.step after network.forward and loss.seed"
        return [Result("steps", "minibatches", INCONCLUSIVE, np.nan, EXACT, reason)]
    results = [check_rows(watch, X, Y), *check_steps(own, loss, watch, l2)]
    reported = getattr(records[-1], "train_loss", None) if records else None
    if reported is not None:
        results += check_reported(own, loss, watch, X, Y, float(reported))
    return results


def uneven(N: int) -> int:
    """A batch size that leaves a last minibatch of fewer rows (for N > 2)."""
    B = max(round(0.4 * N), 1)
    return B if N % B else B + 1


def off_zero(network: Any, rng: np.random.Generator) -> None:
    for parameter in network.parameters().values():
        if not parameter.any():
            parameter += 0.1 * rng.normal(size=parameter.shape)


@dataclass(frozen=True)
class Step:
    """What a loop did for one minibatch: the inputs and targets that it used, and the bars that it steps along."""

    X: Array
    Y: Array
    bars: dict[str, Array]


class Watch:
    """The loss and the optimizer of a loop in one, and its network: they take notes and change nothing."""

    def __init__(self, own: Any, loss: Any) -> None:
        self.own, self.loss = own, loss
        self.name, self.learning_rate = loss.name, 0.1
        self.X = self.Y = np.zeros((0, 0))
        self.steps: list[Step] = []

    def network(self) -> Any:
        """The network, with a forward that notes its input."""
        watched, forward = copy.copy(self.own), self.own.forward

        def noting(X: Array, *arguments: Any, **options: Any) -> Any:
            self.X = X.copy()
            return forward(X, *arguments, **options)

        watched.forward = noting
        return watched

    def cost(self, F: Array, Y: Array) -> Any:
        return self.loss.cost(F, Y)

    def seed(self, F: Array, Y: Array) -> Array:
        self.Y = Y.copy()
        return np.asarray(self.loss.seed(F, Y))

    def predict(self, F: Array) -> Array:
        return np.asarray(self.loss.predict(F))

    def step(self, network: Any, bars: Any) -> None:
        if not (self.X.size and self.X.shape[1:] == self.Y.shape[1:]):
            return  # it was computed by other means, so that nobody knows of what these are the bars
        copied = {name: np.array(bar, dtype=np.float64) for name, _, bar in network.with_bars(bars)}
        self.steps.append(Step(self.X, self.Y, copied))


def check_rows(watch: Watch, X: Array, Y: Array) -> Result:
    """Every row of the data once, each with its own targets."""
    seen_X, seen_Y = (np.concatenate([getattr(s, name) for s in watch.steps], axis=1).T for name in ("X", "Y"))
    what, check = "rows", "minibatches"
    reason, guess = "", ""
    if not same_rows(seen_X, X):
        known = {row.tobytes() for row in X + 0.0}
        if not all(row.tobytes() in known for row in seen_X + 0.0):
            reason = "the inputs of the minibatches are not rows of the data (augmented?), so they cannot be compared"
            return Result(what, check, INCONCLUSIVE, np.nan, 0.0, reason)
        reason, guess = f"{len(seen_X)} rows in the epoch, not each of the {len(X)} once", SKIPPED
    elif not same_rows(np.hstack([seen_X, seen_Y]), np.hstack([X, Y])):
        reason, guess = "the pairs of inputs and targets are not those of the data", OTHER_ROWS
    if reason:
        return Result(what, check, FAIL, np.inf, 0.0, reason, guess)
    sizes = ", ".join(str(step.X.shape[1]) for step in watch.steps)
    return Result(what, check, PASS, 0.0, 0.0, f"each of {len(X)} rows once, in minibatches of {sizes}")


def same_rows(one: Array, other: Array) -> bool:
    """Are they the same rows in any order?"""
    return sorted(one.tolist()) == sorted(other.tolist())


def check_steps(own: Any, loss: Any, watch: Watch, l2: float) -> list[Result]:
    """The bars of every minibatch; of the failures, those of the first minibatch that has any."""
    parameters = own.parameters()
    decay = {name: l2 * x if name in own.penalized else np.zeros_like(x) for name, x in parameters.items()}
    largest = max(step.X.shape[1] for step in watch.steps)
    worst = 0.0
    for k, step in enumerate(watch.steps):
        n = step.X.shape[1]
        data = data_bars(own, loss, step.X, step.Y)
        pairs = {name: (step.bars[name], data[name] + decay[name]) for name in data}
        results = identity("minibatches", pairs, ("the loop has", "right is"), columns=n)
        worst = max(worst, results[0].error)
        if results[0].verdict == PASS:
            continue
        suspects = {SHORT: {name: data[name] * n / largest + decay[name] for name in data}}
        suspects |= {
            DECAY_ON_B: {name: data[name] + l2 * parameters[name] for name in data if name not in own.penalized}
        }
        suspects |= {NO_PENALTY: data}
        for earlier in watch.steps[:k]:
            if earlier.X.shape == step.X.shape:
                stale = data_bars(own, loss, step.X, step.Y, earlier.X)
                suspects[EARLIER] = {name: stale[name] + decay[name] for name in data}
        where = f"minibatch {k + 1} of {len(watch.steps)}, {n} rows"
        return [
            replace(
                r,
                reason=f"{where}, {r.reason}",
                guess=next((s for s, bars in suspects.items() if close(bars.get(r.what), step.bars[r.what])), r.guess),
            )
            for r in results
        ]
    return [Result(ALL, "minibatches", PASS, worst, EXACT, f"the bars of {len(watch.steps)} steps")]


def data_bars(own: Any, loss: Any, X: Array, Y: Array, kept: Array | None = None) -> dict[str, Array]:
    """The bars of the mean cost of a minibatch; with `kept`, from the values of another input, which is a mistake."""
    values = own.forward(X)
    seed = loss.seed(values[-1].H, Y)
    bars = own.backward(values if kept is None else own.forward(kept), seed)
    return {name: np.array(bar, dtype=np.float64) for name, _, bar in own.with_bars(bars)}


def check_reported(own: Any, loss: Any, watch: Watch, X: Array, Y: Array, reported: float) -> list[Result]:
    """The cost of the epoch is the mean over its rows, as no step changed anything: minibatches weigh by their rows."""
    costs = [float(loss.cost(own.forward(step.X)[-1].H, step.Y)) for step in watch.steps]
    right = float(loss.cost(own.forward(X.T)[-1].H, Y.T))
    pair = (np.asarray(reported), np.asarray(right))
    (result,) = identity(
        "epoch", {"c": pair}, ("train_loss is", "the mean over all rows"), good="the mean over all rows"
    )
    unweighted = result.verdict == FAIL and close(reported, float(np.mean(costs)))
    return [replace(result, what="c", guess=MEAN_OF_MEANS if unweighted else result.guess)]

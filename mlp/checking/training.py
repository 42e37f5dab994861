"""Check an optimizer by its first step, and a training loop by one epoch with an optimizer that only looks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mlp.checking.bar import EXACT, identity
from mlp.checking.copies import buffer_names, copy_of, float64, weight_names
from mlp.checking.guesses import DECAY_ON_B
from mlp.checking.results import ALL, FAIL, INCONCLUSIVE, PASS, Result, as_results, attempt, folded, held, raised
from mlp.losses.loss import offers
from mlp.types import Array

SHORT = "the last, short minibatch is divided by the full B"
NO_PENALTY = "the derivative of the penalty, l2 W, is missing"
MEAN_OF_MEANS = "the minibatches' costs are averaged without weighing them by their rows"
FORGOTTEN_VELOCITY = "the velocity is forgotten from step to step"
NOT_SAVED = "something that changes from step to step is not in state(), or load_state() leaves it out"
EVEN = 1e-6  # a step is a small difference of parameters, so rounding leaves more in it


@as_results
@np.errstate(all="ignore")
def check_optimizer(optimizer: Any, network: Any, *, rng: np.random.Generator | None = None) -> list[Result]:
    """Check a fresh optimizer, one's own included, on parameters like a network's and random bars.

    Its first step has to go downhill in every array, <step, bar> < 0; and with all bars 0 it has to leave alone what is
    no weight, and to shrink the weights by one factor or leave them too. With `momentum`, a second step along the same
    bars has to be longer; with `state()` and `load_state()`, a copy that loads what was saved after two steps has to
    take the same third one. Optimizer and network are left as they were.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    own = copy_of(network)
    own.theta, theta_bar = rng.normal(size=(2, own.theta.size))
    still = first_step(optimizer, own.theta, np.zeros_like(theta_bar))
    moved = own.named(first_step(optimizer, own.theta, theta_bar) - still)
    downhill = []
    for name, bar in own.named(theta_bar).items():
        slope, guess = float(np.sum(moved[name] * bar)), "the sign: W <- W - eta W_bar goes down, + goes up"
        if not np.any(moved[name]):
            guess = "the array does not move: is it left out of the step?"
        downhill.append(held(name, "downhill", "" if slope < 0 else f"<step, bar> = {slope:.3g}", "", guess))
    return [
        *folded(downhill, "<step, bar> is below 0 in every array"),
        *check_decay(own.named(still), own.parameters(), weight_names(own), "with all bars 0, a step"),
        *attempt("velocity", "second step", lambda: check_velocity(optimizer, own.theta, theta_bar)),
        *attempt("state", "saved", lambda: check_state(optimizer, own.theta, rng.normal(size=(3, own.theta.size)))),
    ]


def check_velocity(optimizer: Any, theta: Array, theta_bar: Array) -> list[Result]:
    """Check that a second step along the same bars is longer, where an optimizer has `momentum`."""
    if not getattr(optimizer, "momentum", 0):
        return []
    own, places = copy.deepcopy(optimizer), [theta.copy()]
    for _ in range(2):
        places.append(places[-1].copy())
        own.step(places[-1], theta_bar.copy(), own.learning_rate)
    first, second = (float(np.linalg.norm(places[k + 1] - places[k])) for k in range(2))
    told = f"a second step along the same bars is {second / first:.3g} times as long as the first"
    return [held("velocity", "second step", "" if second > first * (1 + EVEN) else told, told, FORGOTTEN_VELOCITY)]


def check_state(optimizer: Any, theta: Array, bars: Array) -> list[Result]:
    """Take two steps, save the state and load it into a fresh copy: both have to take the same third step."""
    if not hasattr(optimizer, "state") or not hasattr(optimizer, "load_state"):
        return []
    own, fresh, at = copy.deepcopy(optimizer), copy.deepcopy(optimizer), theta.copy()
    for theta_bar in bars[:2]:
        own.step(at, theta_bar.copy(), own.learning_rate)
    fresh.load_state(copy.deepcopy(own.state()), at)
    after = at.copy(), at.copy()
    for each, place in zip((own, fresh), after, strict=True):
        each.step(place, bars[2].copy(), each.learning_rate)
    words = ("saved and loaded", "going on")
    results = identity("saved", {"state": after[::-1]}, words, good="the same step after state() and load_state()")
    return [replace(result, what="state", guess=NOT_SAVED if result.verdict == FAIL else "") for result in results]


def first_step(optimizer: Any, theta: Array, theta_bar: Array) -> Array:
    """The change of theta by the first step."""
    moved = theta.copy()
    copy.deepcopy(optimizer).step(moved, theta_bar.copy(), optimizer.learning_rate)
    return moved - theta


def check_decay(steps: dict[str, Array], parameters: dict[str, Array], weights: set[str], when: str) -> list[Result]:
    """Check what is added without any bars: nothing, or the same fraction of every weight less."""
    results = [Result(ALL, "weight decay", PASS, 0.0, 0.0)]
    for name, step in steps.items():
        x, size = parameters[name], float(np.linalg.norm(step))
        if not size:
            continue
        fraction = -float(np.sum(step * x)) / float(np.sum(x * x))
        error = float(np.linalg.norm(step + fraction * x)) / size if name in weights else np.inf
        verdict, guess = PASS if error <= EVEN and 0 < fraction < 1 else FAIL, "" if name in weights else DECAY_ON_B
        reason = f"{when} takes {fraction:.3g} of it away"
        results.append(Result(name, "weight decay", verdict, error, EVEN, reason, guess))
    decayed = ", ".join(name for name, step in steps.items() if np.any(step))
    return folded(results, f"on {decayed} alone" if decayed else "none")


@as_results
@np.errstate(all="ignore")
def check_loop(
    loop: Callable[..., Any],
    network: Any,
    loss: Any,
    data: tuple[Array, Array],
    *,
    batch_size: int | None = None,
    l2: float = 0.0,
    weight_decay: float = 0.0,
    rng: np.random.Generator | None = None,
) -> list[Result]:
    """Check a training loop that is called like `mlp.train`, on data = (X, Y), N x D and N x K.

    It runs one epoch with an optimizer that changes nothing, so every minibatch can be computed again: its rows have to
    be rows of the data, each once and with its own targets; its bars those of its mean cost plus penalty; and
    `train_loss` of the last record (if it has one) the mean cost of all rows. With a `weight_decay` it runs once more,
    and nothing but weights may change. The default batch size leaves a short minibatch. The network is left bitwise as
    it was. What the loop raises is a failure.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    X, Y = map(float64, data)
    B = max(round(0.4 * len(X)), 1)
    batch_size = batch_size or (B if len(X) % B else B + 1)  # leaves a last minibatch of fewer rows
    own = copy_of(network)
    own.theta += np.where(own.theta == 0, 0.1 * rng.normal(size=own.theta.shape), 0.0)  # or decay would not show
    watch = Watch(own, loss)

    def run(**options: Any) -> list[Any]:
        epoch = {"rng": rng, "epochs": 1, "batch_size": batch_size, "l2": l2, **options}
        return list(loop(own, watch, watch, (X.copy(), Y.copy()), **epoch))

    try:
        records = run()
    except Exception as error:
        return [raised("steps", "minibatches", error)]
    steps = watch.steps
    if not steps:
        reason = "the loop never called optimizer.step after network.forward and loss.seed"
        return [Result("steps", "minibatches", INCONCLUSIVE, np.nan, EXACT, reason)]
    results = [check_rows(steps, X, Y), *check_steps(own, loss, steps, l2)]
    reported = getattr(records[-1], "train_loss", None) if records else None
    if reported is not None:
        results += check_reported(own, loss, steps, X, Y, float(reported))
    if weight_decay:
        watch.steps = []
        before = own.theta.copy()
        run(weight_decay=weight_decay)
        decay, parameters = own.named(own.theta - before), own.named(before)
        decay = {name: step for name, step in decay.items() if name not in buffer_names(own)}
        results += check_decay(decay, parameters, weight_names(own), "without a step, an epoch")
    return results


Step = tuple[Array, Array, Array, Any]
"""X, Y, theta_bar and the random numbers of a minibatch of a loop: what it used, and what it steps along."""


class Watch:
    """The loss and the optimizer of a loop in one: it notes what they and the network get, and changes nothing."""

    learning_rate = 0.1

    def __init__(self, network: Any, loss: Any) -> None:
        self.loss, self.cost, self.name, self.predict = loss, loss.cost, loss.name, loss.predict
        if offers(loss, "costs", "cost"):
            self.costs = loss.costs
        self.passes: list[tuple[Array, Array, Any]] = []  # X, F and random numbers of each forward since the last step
        self.swept: tuple[Array, Array, Any] | None = None  # X, Y and random numbers of the last seed
        self.steps: list[Step] = []
        forward = network.forward

        def noting(X: Array, *arguments: Any, **options: Any) -> Any:
            before = X.copy(), copy.deepcopy(arguments)
            values = forward(X, *arguments, **options)
            self.passes.append((before[0], values[-1].H, before[1]))
            return values

        network.forward = noting

    def seed(self, F: Array, Y: Array) -> Array:
        """The seed of the loss; F tells which of the forward passes it is for, as a loop may look at others."""
        for X, H, drawn in reversed(self.passes):
            if X.shape[1:] == Y.shape[1:] and np.array_equal(F, H, equal_nan=True):
                self.swept = X, Y.copy(), drawn
                break
        return np.asarray(self.loss.seed(F, Y))

    def step(self, theta: Array, theta_bar: Array, eta: float) -> None:
        if self.swept is not None:  # or nobody knows of what these are the bars
            X, Y, drawn = self.swept
            self.steps.append((X, Y, float64(theta_bar), drawn))
        self.passes, self.swept = [], None


def check_rows(steps: list[Step], X: Array, Y: Array) -> Result:
    """Check that every row of the data is used once, with its own targets."""
    seen_X, seen_Y = (np.concatenate([step[k] for step in steps], axis=1).T for k in (0, 1))
    seen, rows = sorted(seen_X.tolist()), sorted(X.tolist())  # in any order
    sizes = ", ".join(str(step[0].shape[1]) for step in steps)
    verdict, reason, guess = PASS, f"each of {len(X)} rows once, in minibatches of {sizes}", ""
    if not {*map(tuple, seen)} <= {*map(tuple, rows)}:
        verdict = INCONCLUSIVE
        reason = "the inputs of the minibatches are not rows of the data (augmented?), so they cannot be compared"
    elif seen != rows:
        verdict, reason = FAIL, f"{len(seen)} rows in the epoch, not each of the {len(X)} once"
        guess = "rows are left out or taken twice: is the last, short minibatch dropped?"
    elif sorted(np.hstack([seen_X, seen_Y]).tolist()) != sorted(np.hstack([X, Y]).tolist()):
        verdict, reason = FAIL, "the pairs of inputs and targets are not those of the data"
        guess = "inputs have the targets of other rows: are both shuffled in the same order?"
    return Result("rows", "minibatches", verdict, np.inf if verdict == FAIL else 0.0, 0.0, reason, guess)


def check_steps(own: Any, loss: Any, steps: list[Step], l2: float) -> list[Result]:
    """Check the bars of every minibatch; of the failures, tell those of the first minibatch that has any."""
    everywhere = l2 * own.theta
    decay = np.where(np.arange(everywhere.size) < own.n_weights, everywhere, 0.0)
    largest = max(X.shape[1] for X, *_ in steps)
    results = []
    for k, (X, Y, theta_bar, drawn) in enumerate(steps):
        n = X.shape[1]
        values = own.forward(X, *copy.deepcopy(drawn))
        data = float64(own.backward(values, loss.seed(values[-1].H, Y)).theta_bar)
        wrong = {SHORT: data * n / largest + decay, DECAY_ON_B: data + everywhere, NO_PENALTY: data}
        found, right = own.named(theta_bar), own.named(data + decay)
        pairs = {name: (bar, right[name]) for name, bar in found.items()}
        suspects = {name: {cause: own.named(bars)[name] for cause, bars in wrong.items()} for name in pairs}
        words = ("the loop has", "right is")
        of_step = identity("minibatches", pairs, words, columns=n, suspects=suspects)
        if of_step[0].verdict != PASS:
            where = f"minibatch {k + 1} of {len(steps)}, {n} rows"
            return [replace(result, reason=f"{where}, {result.reason}") for result in of_step]
        results += of_step
    return folded(results, f"the bars of {len(steps)} steps")


def check_reported(own: Any, loss: Any, steps: list[Step], X: Array, Y: Array, reported: float) -> list[Result]:
    """Check that the cost of the epoch is the mean over its rows: minibatches weigh by their rows."""
    costs = [float(loss.cost(own.forward(few, *drawn)[-1].H, targets)) for few, targets, _, drawn in steps]
    right = float(loss.cost(own.forward(X.T)[-1].H, Y.T))
    if any(drawn for *_, drawn in steps):  # no pass over all rows has the same random numbers
        right = float(np.average(costs, weights=[few.shape[1] for few, *_ in steps]))
    pairs = {"c": (reported, right)}
    suspects = {"c": {MEAN_OF_MEANS: np.mean(costs)}}
    words = ("train_loss is", "the mean over all rows")
    return [replace(r, what="c") for r in identity("epoch", pairs, words, suspects=suspects, good=words[1])]

"""Checks of a whole network with its loss and penalty: every bar from the seed down, and the sweep as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mlp.checking.compare import check_bar
from mlp.checking.copies import float64, two_columns
from mlp.checking.guesses import close
from mlp.checking.loss import check_seed
from mlp.checking.results import FAIL, INCONCLUSIVE, Result, attempt, calling, folded
from mlp.checking.state import check_state, check_stored
from mlp.checking.sweep import Sweep, input_name
from mlp.checking.together import ALL, EXACT, Problem, dot_product, identity, taylor_along
from mlp.penalties import L2Penalty
from mlp.types import Array


@np.errstate(all="ignore")
def check_network(
    network: Any,
    loss: Any,
    X: Array,
    Y: Array,
    l2: float = 0.0,
    *,
    penalty: Any = None,
    rng: np.random.Generator | None = None,
) -> list[Result]:
    """All checks of a network, one's own included, on a minibatch: X is K_0 x B, Y is K_L x B.

    From the top down, as the reverse sweep goes: F, then each layer's parameters and its input, against numerical
    derivatives of `loss.cost`. What is below a wrong bar is wrong too; the guess is at the highest. Then all arrays
    together, with the L2 penalty (or a `penalty` of one's own with the methods of `mlp.L2Penalty`) in cost and bars:
    dot product and Taylor remainders; the penalty by itself; and the minibatch against its examples. A single column
    is taken twice. The network is left bitwise as it was. What backward raises is a failure, what forward or the loss
    raises is raised.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    penalty = L2Penalty(l2) if penalty is None else penalty
    X, Y = two_columns(float64(X), float64(Y))
    sweep = Sweep(network, loss, X, Y, penalty)
    return [
        *attempt("bars", "backward", lambda: check_bars(sweep, rng)),
        *attempt("bars", "minibatch", lambda: mean_of_examples(sweep)),
        *attempt("bars", "as trained", lambda: as_trained(sweep)),
        *(
            r
            for number, x in enumerate(sweep.inputs)
            for r in check_stored(f"A{number + 1}", sweep.own.layers[number], x)
        ),
        *attempt(
            "bars", "called again", lambda: [check_state(sweep.own.forward, sweep.bars_of, sweep.X, sweep.arrays)]
        ),
    ]


def check_bars(sweep: Sweep, rng: np.random.Generator) -> list[Result]:
    """The bars against numbers, from the top down, and together."""
    sweep.run()
    results = [check_seed(sweep.loss, sweep.F, sweep.Y, sweep.seed, rng)]
    for number in reversed(range(len(sweep.inputs))):
        above = [r.what for r in results if r.verdict == FAIL and r.what in ("F", input_name(number + 1))]
        results += [follows(check_bar(quantity, rng), above) for quantity in sweep.quantities(number)]
    if sweep.shapes_fit():
        size = sweep.size + abs(float(sweep.penalty_cost({})))
        problem = Problem(sweep.cost, sweep.arrays, sweep.bars, size, sweep.precise_total, sweep.scales())
        results += [dot_product(problem, rng), taylor_along(problem, rng), *check_penalty(sweep, rng)]
    return results


def check_penalty(sweep: Sweep, rng: np.random.Generator) -> list[Result]:
    """The derivative of the penalty by itself: beside that of the data, a mistake in the smaller one would not show."""
    if not sweep.penalty_cost({}) and not any(np.any(bar) for bar in sweep.penalty_bars.values()):
        return []
    results = [replace(check_bar(quantity, rng), check="penalty") for quantity in sweep.penalties()]
    return folded(ALL, results, f"on {', '.join(result.what for result in results)} alone")


def follows(result: Result, above: list[str]) -> Result:
    """A failure below a wrong bar needs no guess of its own."""
    if result.verdict != FAIL or not above:
        return result
    return replace(result, guess=f"it follows from {above[-1]}: mend that first")


def as_trained(sweep: Sweep) -> list[Result]:
    """Training does not ask for X_bar; the bars of the parameters are the same without it."""
    values = sweep.own.forward(sweep.X.copy())
    bars = sweep.bars_of(values)
    with calling("backward"):
        trained: dict[str, Array] = {}
        for name, _, bar in sweep.own.with_bars(sweep.own.backward(values, sweep.seed)):
            shared = sweep.shared[name]
            trained[shared] = trained[shared] + bar if shared in trained else np.array(bar)
    pairs = {name: (trained[name], bars[name]) for name in sweep.first}
    return identity("as trained", pairs, ("without X_bar", "with it"), good="the same bars without X_bar")


def mean_of_examples(sweep: Sweep) -> list[Result]:
    """Without the penalty, which is not divided by B, the bars are the means of those of the examples."""
    B = sweep.X.shape[1]
    values = [sweep.own.forward(sweep.X[:, [b]]) for b in range(B)]
    alone = np.concatenate([value[-1].H for value in values], axis=1)
    if not np.isfinite(alone).all():
        return [Result("F", "minibatch", INCONCLUSIVE, np.nan, EXACT, "not finite")]
    if (np.any(alone) or np.any(sweep.F)) and not close(alone, sweep.F):
        reason = "the network mixes the examples of a minibatch, so that their bars do not add up"
        return [Result("F", "minibatch", INCONCLUSIVE, np.nan, EXACT, reason)]
    together = sweep.bars_of(sweep.own.forward(sweep.X.copy()))
    seeds = [sweep.loss.seed(value[-1].H, sweep.Y[:, [b]]) for b, value in enumerate(values)]
    single = [sweep.bars_of(value, seed) for value, seed in zip(values, seeds, strict=True)]
    pairs = {name: (together[name], np.mean([s[name] for s in single], axis=0)) for name in sweep.first}
    pairs["X"] = (together["X"], np.concatenate([s["X"] for s in single], axis=1) / B)
    words = ("minibatch", "mean of examples")
    return identity("minibatch", pairs, words, columns=B, good=f"the mean of {B} examples")

"""Check a network with its loss and penalty: every bar from the seed down, and the sweep as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mlp.checking.bar import Problem, check_bar
from mlp.checking.copies import Private, two_columns, weight_names
from mlp.checking.guesses import DECAY_ON_B, Suspects
from mlp.checking.identities import ALL, dot_product, identity, taylor_along
from mlp.checking.loss import cost_size, loss_problem
from mlp.checking.results import Result, attempt, calling, folded
from mlp.checking.sweep import Sweep, called_again, from_the_top, minibatch, stored
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
    """Check a network, one's own included, on a minibatch: X is K_0 x B, Y is K_L x B.

    From the top down, as the reverse sweep goes: F, then each layer's parameters and its input, against numerical
    derivatives of `loss.cost`. What is below a wrong bar is wrong too; the guess is at the highest. Then all arrays
    together, with the L2 penalty (or a `penalty` of one's own with the methods of `mlp.L2Penalty`) in cost and bars:
    dot product and Taylor remainders; the penalty by itself; and the minibatch against its examples. A single column
    is taken twice. The network is left bitwise as it was. What backward raises is a failure, what forward or the loss
    raises is raised.

    Parameters go by their names in the network; the input of layer 1 is "X", and that of layer l + 1 is "H<l>". A layer
    that stands twice has the names of its first place, and its bars are sums (note, footnote 6).
    """
    rng = np.random.default_rng(0) if rng is None else rng
    penalty = L2Penalty(l2) if penalty is None else penalty
    X, Y = two_columns(X, Y)
    inputs = ["X", *(f"H{number}" for number in range(1, len(network.layers)))]
    sweep = Sweep(Private(network), loss, X, Y, inputs, lambda F: cost_size(loss, F, Y))
    return [
        *attempt("bars", "backward", lambda: check_bars(sweep, penalty, rng)),
        *attempt("bars", "minibatch", lambda: minibatch(sweep)),
        *attempt("bars", "as trained", lambda: as_trained(sweep)),
        *stored(sweep),
        *attempt("bars", "called again", lambda: [called_again(sweep)]),
    ]


def check_bars(sweep: Sweep, penalty: Any, rng: np.random.Generator) -> list[Result]:
    """Compare the bars with numbers: from the top down, all together with the penalty, and the penalty alone."""
    bars = sweep.bars(sweep.values, sweep.seed)
    top = loss_problem(sweep.loss, sweep.F, sweep.Y, sweep.seed)
    results = from_the_top(sweep, bars, rng, [check_bar(top, "F", rng)])
    if not sweep.fits(bars):
        return results
    decay = penalty_problem(sweep, penalty)

    def total(data: dict[str, Array]) -> dict[str, Array]:
        return {name: data[name] + decay.bars.get(name, 0.0) for name in sweep.arrays}

    problem = replace(
        sweep.problem(total(bars)),
        cost=lambda arrays: sweep.cost(arrays) + decay.cost(arrays),
        size=sweep.size + decay.size,
        precise=lambda: total(sweep.precise_bars()),
    )
    return [*results, dot_product(problem, rng), taylor_along(problem, rng), *check_penalty(sweep, decay, rng)]


def penalty_problem(sweep: Sweep, penalty: Any) -> Problem:
    """The penalty's own cost and bars; acting on what is no weight is the suspect."""

    def cost(arrays: dict[str, Array]) -> Any:
        return penalty.cost(sweep.private.variant(arrays))

    own = sweep.private.fresh()
    theta_bar = np.zeros_like(own.theta)
    with calling("penalty.add_to"):
        penalty.add_to(own, theta_bar)
    bars = own.named(theta_bar)
    suspects = {name: Suspects({DECAY_ON_B: bars[name]}) for name in bars.keys() - weight_names(own)}
    size = abs(float(cost({})))
    return Problem(cost, sweep.private.parameters, bars, size, suspects=suspects, maker="penalty")


def check_penalty(sweep: Sweep, problem: Problem, rng: np.random.Generator) -> list[Result]:
    """Check the penalty by itself: beside the bars of the data a mistake in the smaller ones would not show."""
    names = [name for name, bar in problem.bars.items() if name not in problem.suspects or np.any(bar)]
    if not problem.size and not any(np.any(problem.bars[name]) for name in names):
        return []
    results = [replace(check_bar(problem, name, rng), check="penalty") for name in names]
    return folded(ALL, results, f"on {', '.join(names)} alone")


def as_trained(sweep: Sweep) -> list[Result]:
    """Ask for theta_bar without X_bar, as training does: the same bars in one vector."""
    values = sweep.own.forward(sweep.X.copy())
    bars = sweep.bars(values, sweep.seed)
    with calling("backward"):
        trained = sweep.own.named(sweep.own.backward(values, sweep.seed).theta_bar)
    pairs = {name: (bar, bars[name]) for name, bar in trained.items()}
    return identity("as trained", pairs, ("without X_bar", "with it"), good="the same bars without X_bar")

"""Check a loss: the seed is the derivative of exactly its cost, and the cost is a mean over the minibatch."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from mlp.checking.bar import EXACT, Problem, check_bar, identity
from mlp.checking.copies import fingerprint, float64, two_columns
from mlp.checking.results import Result, as_results, attempt, held
from mlp.losses.loss import cost_and_seed, offers
from mlp.types import Array

WRONG_AXIS = "the softmax is taken over the wrong axis, the examples instead of the classes"


@as_results
@np.errstate(all="ignore")
def check_loss(loss: Any, F: Array, Y: Array, *, rng: np.random.Generator | None = None) -> list[Result]:
    """Check a loss, one's own included (see `mlp.losses.Loss`), at outputs F and targets Y, both K x B.

    A single column is taken twice, because a mean and a sum cannot be told apart with B = 1. What the loss raises is
    raised.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    F, Y = two_columns(F, Y)
    if complaint := no_scalar(loss, F, Y):
        return [held("c", "scalar", complaint, "")]
    before = fingerprint(F, Y)
    seed = float64(loss.seed(F, Y))
    problem = loss_problem(loss, F, Y, seed)
    results = [check_bar(problem, "F", rng)]
    if seed.shape == F.shape:
        results += attempt("c", "minibatch", lambda: mean_of_examples(loss, F, Y, problem))
        results += attempt("c", "at once", lambda: at_once(loss, F, Y, problem))
    complaint = "" if fingerprint(F, Y) == before else "F or Y was changed in place"
    return [*results, held("state", "called again", complaint, "F and Y are as they were")]


def no_scalar(loss: Any, F: Array, Y: Array) -> str:
    """A complaint about a cost that is no scalar, or nothing."""
    shape = np.shape(loss.cost(F, Y))
    return f"the cost has shape {shape}, expected one number: the mean of the examples' costs" if shape else ""


def loss_problem(loss: Any, F: Array, Y: Array, seed: Array) -> Problem:
    """The cost as a function of F, with the seed for its bar."""
    return Problem(
        lambda arrays: loss.cost(arrays["F"], Y),
        {"F": F},
        {"F": seed},
        cost_size(loss, F, Y),
        suspects={"F": {WRONG_AXIS: softmax_of_examples(F, Y)}},
        columns=F.shape[1],
        elements=1000,
        maker="seed",
    )


def cost_size(loss: Any, F: Array, Y: Array) -> float:
    """The magnitude that the cost is rounded at: a tiny cost may be the difference of terms like <F_bar, F>."""
    sizes = [abs(float(loss.cost(F, Y))), float(np.sum(np.abs(loss.seed(F, Y) * F)))]
    with contextlib.suppress(ValueError, ArithmeticError):  # outputs that must not be 0
        sizes.append(abs(float(loss.cost(np.zeros_like(F), Y))))  # those of a saturated softmax have bars of 0
    return max((size for size in sizes if np.isfinite(size)), default=0.0)


def softmax_of_examples(F: Array, Y: Array) -> Array:
    """The seed of a softmax that is taken over the wrong axis."""
    E = np.exp(F - F.max(axis=1, keepdims=True))
    return np.asarray((E / E.sum(axis=1, keepdims=True) - Y) / F.shape[1])


def mean_of_examples(loss: Any, F: Array, Y: Array, problem: Problem) -> list[Result]:
    """Compare the cost with the mean of the examples' costs, F_bar with their seeds divided by B.

    And with the costs themselves those that the loss tells, if it does.
    """
    B = F.shape[1]
    columns = [[b] for b in range(B)]
    costs = [float(loss.cost(F[:, b], Y[:, b])) for b in columns]
    mean = np.mean(costs)
    single = np.concatenate([loss.seed(F[:, b], Y[:, b]) for b in columns], axis=1) / B
    pairs = {"c": (float(loss.cost(F, Y)), mean), "F": (problem.bars["F"], single)}
    if offers(loss, "costs", "cost"):
        pairs["costs"] = loss.costs(F, Y), np.array(costs)
    words = ("minibatch", "mean of examples")
    return identity("minibatch", pairs, words, columns=B, suspects=problem.suspects, good=f"the mean of {B} examples")


def at_once(loss: Any, F: Array, Y: Array, problem: Problem) -> list[Result]:
    """Ask a loss that has `cost_and_seed` for both at once, as training does: it may compute them in another way."""
    if not hasattr(loss, "cost_and_seed"):
        return []
    c, (both_c, F_bar) = loss.cost(F, Y), cost_and_seed(loss, F, Y)
    rounded = abs(both_c - c) <= EXACT * problem.size  # a tiny cost of certain outputs may be 0
    pairs = {"c": (c if rounded else both_c, c), "F": (F_bar, problem.bars["F"])}
    return identity("at once", pairs, ("cost_and_seed", "one by one"), good="cost_and_seed gives the same two")

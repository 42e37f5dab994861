"""Check a loss: the seed is the derivative of exactly its cost, and the cost is a mean over the minibatch."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import numpy as np

from mlp.checking.bar import Problem, check_bar
from mlp.checking.copies import fingerprint, two_columns
from mlp.checking.guesses import Suspects, close
from mlp.checking.identities import identity, taylor_along
from mlp.checking.numerical import EPS
from mlp.checking.results import FAIL, PASS, Result
from mlp.losses import cost_and_seed
from mlp.types import Array

WRONG_AXIS = "the softmax is taken over the wrong axis, the examples instead of the classes"


@np.errstate(all="ignore")
def check_loss(loss: Any, F: Array, Y: Array, *, rng: np.random.Generator | None = None) -> list[Result]:
    """Check a loss, one's own included (see `mlp.losses.Loss`), at outputs F and targets Y, both K x B.

    A single column is taken twice, because a mean and a sum cannot be told apart with B = 1. What the loss raises is
    raised.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    F, Y = two_columns(F, Y)
    before = fingerprint(F, Y)
    seed = np.array(loss.seed(F, Y), dtype=np.float64)
    problem = loss_problem(loss, F, Y, seed)
    results = [check_bar(problem, "F", rng)]
    if seed.shape == F.shape:
        results += [taylor_along(problem, rng), *mean_of_examples(loss, F, Y, seed), *at_once(loss, F, Y, seed)]
    changed = fingerprint(F, Y) != before
    verdict, error = (FAIL, np.inf) if changed else (PASS, 0.0)
    reason = "F or Y was changed in place" if changed else "F and Y are as they were"
    return [*results, Result("state", "called again", verdict, error, 0.0, reason)]


def loss_problem(loss: Any, F: Array, Y: Array, seed: Array) -> Problem:
    """The cost as a function of F, with the seed for its bar."""
    return Problem(
        lambda arrays: loss.cost(arrays["F"], Y),
        {"F": F},
        {"F": seed},
        cost_size(loss, F, Y),
        suspects={"F": Suspects({WRONG_AXIS: softmax_of_examples(F, Y)})},
        columns=F.shape[1],
        precise=lambda: {"F": loss.seed(F.astype(np.longdouble), Y)},
        maker="seed",
    )


def cost_size(loss: Any, F: Array, Y: Array) -> float:
    """The magnitude that the cost is rounded at: a tiny cost of saturated outputs has terms like those at F = 0."""
    sizes = [abs(float(loss.cost(F, Y)))]
    with contextlib.suppress(ValueError, ArithmeticError):  # outputs that must not be 0
        sizes.append(abs(float(loss.cost(np.zeros_like(F), Y))))
    return max((size for size in sizes if np.isfinite(size)), default=0.0)


def softmax_of_examples(F: Array, Y: Array) -> Array:
    """The seed of a softmax that is taken over the wrong axis."""
    E = np.exp(F - F.max(axis=1, keepdims=True))
    return np.asarray((E / E.sum(axis=1, keepdims=True) - Y) / F.shape[1])


def mean_of_examples(loss: Any, F: Array, Y: Array, seed: Array) -> list[Result]:
    """Compare the cost with the mean of the examples' costs, and F_bar with their seeds divided by B."""
    B = F.shape[1]
    columns = [[b] for b in range(B)]
    mean = np.mean([float(loss.cost(F[:, b], Y[:, b])) for b in columns])
    single = np.concatenate([loss.seed(F[:, b], Y[:, b]) for b in columns], axis=1) / B
    pairs = {"c": (float(loss.cost(F, Y)), mean), "F": (seed, single)}
    words = ("minibatch", "mean of examples")
    results = identity("minibatch", pairs, words, columns=B, good=f"the mean of {B} examples")
    wrong_axis = close(seed, softmax_of_examples(F, Y))
    return [replace(r, guess=WRONG_AXIS) if wrong_axis and r.verdict == FAIL else r for r in results]


def at_once(loss: Any, F: Array, Y: Array, seed: Array) -> list[Result]:
    """Ask a loss that has `cost_and_seed` for both at once, as training does: it may compute them in another way."""
    if not hasattr(loss, "cost_and_seed"):
        return []
    c, (both_c, F_bar) = loss.cost(F, Y), cost_and_seed(loss, F, Y)
    rounded = abs(both_c - c) <= 10 * EPS * cost_size(loss, F, Y)  # a tiny cost of certain outputs may be 0
    pairs = {"c": (c if rounded else both_c, c), "F": (F_bar, seed)}
    return identity("at once", pairs, ("cost_and_seed", "one by one"), good="cost_and_seed gives the same two")

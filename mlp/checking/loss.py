"""Checks of a loss: the seed is the derivative of exactly its cost, and the cost is a mean over the minibatch."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from mlp.checking.compare import check_bar
from mlp.checking.comparison import Quantity
from mlp.checking.copies import fingerprint, float64, two_columns
from mlp.checking.guesses import Suspects, close
from mlp.checking.results import FAIL, PASS, Result
from mlp.checking.together import EXACT, Problem, identity, taylor_along
from mlp.types import Array

WRONG_AXIS = "the softmax is taken over the wrong axis, the examples instead of the classes"


@np.errstate(all="ignore")
def check_loss(loss: Any, F: Array, Y: Array, *, rng: np.random.Generator | None = None) -> list[Result]:
    """All checks of a loss, one's own included (see `mlp.losses.Loss`), at outputs F and targets Y, both K x B.

    A single column is taken twice, because a mean and a sum cannot be told apart with B = 1. What the loss raises is
    raised.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    F, Y = two_columns(float64(F), float64(Y))
    before = fingerprint(F, Y)
    seed = np.array(loss.seed(F, Y), dtype=np.float64)
    size = cost_size(loss, F, Y)

    def cost(arrays: dict[str, Array]) -> Any:
        return loss.cost(arrays["F"], Y)

    results = [check_seed(loss, F, Y, seed, rng)]
    if seed.shape == F.shape:
        results += [taylor_along(Problem(cost, {"F": F}, {"F": seed}, size), rng), *mean_of_examples(loss, F, Y, seed)]
    changed = fingerprint(F, Y) != before
    reason = "F or Y was changed in place" if changed else "F and Y are as they were"
    return [
        *results,
        Result("state", "called again", FAIL if changed else PASS, np.inf if changed else 0.0, 0.0, reason),
    ]


def check_seed(loss: Any, F: Array, Y: Array, seed: Any, rng: np.random.Generator) -> Result:
    """F_bar against derivatives of the cost."""
    B = F.shape[1]
    quantity = Quantity(
        "F",
        lambda F: loss.cost(F, Y),
        F,
        seed,
        cost_size(loss, F, Y),
        columns=B,
        maker="seed",
        suspects=Suspects({WRONG_AXIS: (softmax(F, axis=1) - Y) / B}),
        precise=lambda: {"F": loss.seed(F.astype(np.longdouble), Y)},
    )
    return check_bar(quantity, rng)


def cost_size(loss: Any, F: Array, Y: Array) -> float:
    """What the cost is rounded at: a tiny cost of saturated outputs comes from terms like those at F = 0."""
    sizes = [abs(float(loss.cost(F, Y)))]
    with contextlib.suppress(ValueError, ArithmeticError):  # outputs that must not be 0
        sizes.append(abs(float(loss.cost(np.zeros_like(F), Y))))
    return max((size for size in sizes if np.isfinite(size)), default=0.0)


def softmax(F: Array, axis: int) -> Array:
    E = np.exp(F - F.max(axis=axis, keepdims=True))
    return np.asarray(E / E.sum(axis=axis, keepdims=True))


def mean_of_examples(loss: Any, F: Array, Y: Array, seed: Array) -> list[Result]:
    """The cost of a minibatch is the mean of its examples', so an example's seed is B times its column of F_bar."""
    B = F.shape[1]
    columns = [[b] for b in range(B)]
    cost = np.asarray(float(loss.cost(F, Y)))
    mean = np.asarray(np.mean([float(loss.cost(F[:, b], Y[:, b])) for b in columns]))
    single = np.concatenate([loss.seed(F[:, b], Y[:, b]) for b in columns], axis=1) / B
    words = ("minibatch", "mean of examples")
    good = f"the mean of {B} examples"
    results = identity("minibatch", {"c": (cost, mean), "F": (seed, single)}, words, columns=B, good=good)
    if any(result.verdict == FAIL for result in results) and close(seed, (softmax(F, axis=1) - Y) / B):
        return [Result(r.what, r.check, r.verdict, r.error, EXACT, r.reason, WRONG_AXIS) for r in results]
    return results

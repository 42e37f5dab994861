"""The loss of counts: a Poisson distribution whose mean is exp(F)."""

from __future__ import annotations

import math

import numpy as np

from mlp.arguments import check_array
from mlp.losses.loss import Termwise, check_bounds, check_shapes
from mlp.types import Array

LEAST = 1e-30  # of a mean


class Poisson(Termwise):
    """c = 1/B sum_b sum_k [exp(F_kb) - Y_kb F_kb - Y_kb + Y_kb log Y_kb], F_bar = (exp(F) - Y) / B.

    Half the deviance of counts Y >= 0 with the mean exp(F), a log link (McCullagh and Nelder 1989, sec. 6.2): 0 where
    the means are the counts. `predict` gives the means. Raises ValueError when F and Y are not of one shape K x B.
    """

    name = "poisson"
    task, target = "regression", "counts"
    unit = "half the Poisson deviance"
    chance_words = "half the deviance of the mean count"
    far = 100.0  # it grows like exp(F)

    def chance(self, Y: Array) -> float:
        """sum_k [mean(Y_k log Y_k) - m_k log m_k]: what the mean m_k of each target costs."""
        Y = Y.astype(np.float64)
        means = Y.mean(axis=1)
        return float((y_log_y(Y).mean(axis=1) - y_log_y(means)).sum())

    def terms(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y)
        return np.exp(F) - Y * F - (Y - y_log_y(Y))

    def seed(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y)
        return (np.exp(F) - Y) / F.shape[1]

    def check_targets(self, Y: Array) -> None:
        """Raises ValueError for counts below 0."""
        check_bounds(Y, 0, math.inf)

    def predict(self, F: Array) -> Array:
        check_array("F", F)
        return np.exp(F)

    def link(self, P: Array) -> Array:
        """log P, of which none is 0."""
        return np.asarray(np.log(np.maximum(P, LEAST)))


def y_log_y(Y: Array) -> Array:
    """Y log Y, and its limit 0 where Y is 0."""
    return np.asarray(Y * np.log(np.where(Y > 0, Y, 1).astype(Y.dtype)))

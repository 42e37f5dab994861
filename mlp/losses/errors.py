"""Losses of regressions: functions of the residual F - Y, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp.losses.loss import check_shapes
from mlp.types import Array


class SquaredError:
    """c = 1/(2B) sum_b sum_k (F_kb - Y_kb)^2, F_bar = (F - Y) / B: half the squared error, summed over outputs.

    Minus the log-likelihood of Gaussian noise with variance 1, up to a constant (Bishop 2006, sec. 5.2). `predict` is
    the identity. Raises ValueError when F and Y are not of one shape K x B.
    """

    name = "squared_error"
    task, target = "regression", "regression"
    unit = "half squared error"
    chance_words = "half the variance of the targets"
    far = 100.0  # outputs s times too large cost s^2 times as much

    def chance(self, Y: Array) -> float:
        """1/2 sum_k var Y_k: what the mean of each target costs."""
        return float(Y.var(axis=1, dtype=np.float64).sum()) / 2

    def cost(self, F: Array, Y: Array) -> Any:
        check_shapes(F, Y)
        R = F - Y
        return (R * R).sum() / (2 * F.shape[1])

    def costs(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y)
        R = F - Y
        return (R * R).sum(axis=0) / 2

    def seed(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y)
        return (F - Y) / F.shape[1]

    def predict(self, F: Array) -> Array:
        return F

    def link(self, P: Array) -> Array:
        return P

"""Losses of regressions: functions of the residual F - Y, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp.arguments import check_arguments
from mlp.losses.loss import Termwise, check_shapes
from mlp.types import Array, Positive


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


class Residuals(Termwise):
    """A loss c = 1/B sum_b sum_k h(F_kb - Y_kb) of the residuals, F_bar = h'(F - Y) / B: `predict` is the identity.

    Raises ValueError when F and Y are not of one shape K x B.
    """

    name: str
    task, target = "regression", "regression"
    far = 30.0  # outputs s times too large cost about s times as much

    def h(self, R: Array) -> Array:
        """The cost of a residual, element by element."""
        raise NotImplementedError

    def slope(self, R: Array) -> Array:
        """h'(R)."""
        raise NotImplementedError

    def chance(self, Y: Array) -> float:
        """What the median of each target costs."""
        Y = Y.astype(np.float64)
        return float(self.h(np.median(Y, axis=1, keepdims=True) - Y).sum() / Y.shape[1])

    def terms(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y)
        return self.h(F - Y)

    def seed(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y)
        return self.slope(F - Y) / F.shape[1]

    def predict(self, F: Array) -> Array:
        return F

    def link(self, P: Array) -> Array:
        return P

    def header(self) -> dict[str, Any]:
        """Its keys, for a model file: what `__init__` takes."""
        return {}


class AbsoluteError(Residuals):
    """h(r) = |r|, h'(r) = sign(r): predicts the median, and heeds outliers no more than other rows (Laplace noise).

    At r = 0 the slope is 0, one of those that there are.
    """

    name = "absolute_error"
    unit = "absolute error"
    chance_words = "the mean distance of the targets from their median"

    def h(self, R: Array) -> Array:
        return np.where(R.real < 0, -R, R)

    def slope(self, R: Array) -> Array:
        return np.sign(R.real).astype(R.dtype)


class LogCosh(Residuals):
    """h(r) = log cosh r, h'(r) = tanh r: like r^2 / 2 for small residuals, and like |r| - log 2 for large ones.

    By log cosh r = |r| + log(1 + exp(-2|r|)) - log 2, which never overflows.
    """

    name = "log_cosh"
    unit = "log cosh of the error"
    chance_words = "the mean log cosh of the targets' distances from their median"

    def h(self, R: Array) -> Array:
        size = np.where(R.real < 0, -R, R)
        return size + np.log1p(np.exp(-2 * size)) - np.log(2).astype(R.real.dtype)

    def slope(self, R: Array) -> Array:
        return np.tanh(R)


class Huber(Residuals):
    """h(r) = r^2 / 2 where |r| <= delta, else delta (|r| - delta / 2), with the slope r cut to [-delta, delta].

    Squared error for small residuals, absolute error for large ones (Huber 1964, sec. 3). `delta` is in the units of Y,
    which are those of standardized targets in a config. Raises ValueError unless delta > 0.
    """

    name = "huber"
    unit = "Huber loss"
    chance_words = "the mean Huber loss of the targets' distances from their median"

    def __init__(self, delta: Positive = 1.0) -> None:
        check_arguments(Huber.__init__, locals())
        self.delta = float(delta)

    def h(self, R: Array) -> Array:
        size = np.where(R.real < 0, -R, R)
        return np.where(size.real <= self.delta, R * R / 2, self.delta * (size - self.delta / 2))

    def slope(self, R: Array) -> Array:
        return np.where(np.abs(R.real) <= self.delta, R, self.delta * np.sign(R.real)).astype(R.dtype)

    def header(self) -> dict[str, Any]:
        return {"delta": self.delta}

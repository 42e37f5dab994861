"""The loss of a mean and a deviation: a normal distribution for each target."""

from __future__ import annotations

import math

import numpy as np

from mlp.arguments import check_array
from mlp.losses.loss import Termwise, check_shapes
from mlp.types import Array

LEAST = 1e-6  # of a variance: where targets are met exactly, their likelihood has no limit


class Gaussian(Termwise):
    """c = 1/(2B) sum_b sum_k [log(2 pi v_kb) + (m_kb - Y_kb)^2 / v_kb], with the variance v = exp(s) + 1e-6.

    Minus the log-likelihood of normal noise whose variance differs from row to row (Nix and Weigend 1994, eq. 3). F has
    two rows for each target, the mean m and s, one below the other; so has Y, where both are the target. Then
    m_bar = (m - Y) / (B v) and s_bar = exp(s) / (2B v) (1 - (m - Y)^2 / v). `predict` gives m and the standard
    deviation sqrt(v). Raises ValueError when F and Y are not of one shape, or have an odd number of rows.
    """

    name = "gaussian"
    task, target = "regression", "gaussian"
    unit = "minus the log-likelihood, nats"
    chance_words = "a normal distribution with the mean and the variance of each target"
    far = 100.0  # outputs s times too large cost s^2 times as much

    def chance(self, Y: Array) -> float:
        v = Y[::2].var(axis=1, dtype=np.float64) + LEAST
        return float(np.log(2 * math.pi * math.e * v).sum()) / 2

    def parts(self, F: Array, Y: Array) -> tuple[Array, Array, Array]:
        """The residuals m - Y, exp(s) and v, each with a row for each target."""
        check_shapes(F, Y)
        check_pairs(F)
        E = np.exp(F[1::2])
        return F[::2] - Y[::2], E, E + E.real.dtype.type(LEAST)

    def terms(self, F: Array, Y: Array) -> Array:
        R, _, v = self.parts(F, Y)
        return (np.log(2 * math.pi * v) + R * R / v) / 2

    def seed(self, F: Array, Y: Array) -> Array:
        R, E, v = self.parts(F, Y)
        F_bar = np.empty_like(F)
        F_bar[::2] = R / (v * F.shape[1])
        F_bar[1::2] = E / (2 * F.shape[1] * v) * (1 - R * R / v)
        return F_bar

    def predict(self, F: Array) -> Array:
        check_array("F", F)
        check_pairs(F)
        P = F.copy()
        P[1::2] = np.sqrt(np.exp(F[1::2]) + F.real.dtype.type(LEAST))
        return P

    def link(self, P: Array) -> Array:
        """m and s of these means and deviations, of which none is below that of LEAST."""
        F = P.copy()
        F[1::2] = np.log(np.maximum(P[1::2] ** 2 - LEAST, 1e-30))
        return F


def check_pairs(F: Array) -> None:
    """Raises ValueError unless F has two rows for each target."""
    if F.ndim != 2 or len(F) % 2:
        raise ValueError(f"F has shape {F.shape}, expected two rows for each target: its mean, and s")

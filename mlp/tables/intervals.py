"""Offer the targets whose answers are intervals: quantiles, and a mean with its deviation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mlp.tables.columns import Scaler
from mlp.tables.numbers import RegressionTarget, shortened
from mlp.tables.target import Metric
from mlp.types import Array


@dataclass(frozen=True)
class QuantileTarget(RegressionTarget):
    """K columns of numbers, standardized, with a row for each of L levels: K L rows, those of the first column first.

    One answer alone, as for a score, is that of the middle level.
    """

    levels: tuple[float, ...] = (0.5,)

    kind, score, constant = "quantiles", "R^2 of the middle level", "the mean"

    @classmethod
    def fit(cls, names: Sequence[str], Y: Array, *, standardize: bool = True, levels: Sequence[float] = (0.5,)) -> Self:
        plain = RegressionTarget.fit(names, Y, standardize=standardize)
        return cls(plain.columns, plain.scaler, None, tuple(levels))

    @property
    def copies(self) -> int:
        return len(self.levels)

    @property
    def row_names(self) -> list[str]:
        """The name of the column and the level: "price_0.1", "price_0.5", "price_0.9"."""
        return [f"{name}_{level:g}" for name in self.columns for level in self.levels]

    @property
    def error(self) -> str:
        return "pinball" if len(self.columns) == 1 else "loss"

    def header(self) -> dict[str, Any]:
        return super().header() | {"levels": list(self.levels)}

    @classmethod
    def from_header(cls, arrays: Mapping[str, Array], /, names: list[Any], levels: list[float]) -> Self:  # type: ignore[override]
        if not levels or not all(0 < a < b < 1 for a, b in zip([1e-300, *levels], levels, strict=False)):
            raise ValueError("levels: expected numbers that rise from above 0 to below 1")
        plain = RegressionTarget.from_header(arrays, names)
        return cls(plain.columns, plain.scaler, plain.limits, tuple(levels))

    @property
    def clips(self) -> bool:  # type: ignore[override]
        return True

    def clipped(self, P: Array) -> Array:
        """The levels of each column in their order, so that none cross, and within the limits."""
        by_level = P.reshape(len(self.columns), self.copies, P.shape[1])
        return super().clipped(np.sort(by_level, axis=1).reshape(P.shape))

    def column_metrics(self, k: int, std: float) -> dict[str, Metric]:
        """The pinball loss in the unit of the column, the share of rows between the outer levels, and those of a
        regression for the middle level."""
        rows = slice(k * self.copies, (k + 1) * self.copies)
        coverage = {"coverage": Coverage(rows)} if self.copies > 1 else {}
        return {"pinball": Pinball(self.levels, rows, std), **coverage, **super().column_metrics(k, std)}


INTERVAL = (0.05, 0.95)  # the levels between which 90 % of a normal distribution lie
HALF = 1.6448536269514722  # deviations from the mean to each of them


@dataclass(frozen=True)
class GaussianTarget(RegressionTarget):
    """K columns of numbers, standardized, with two rows each: the mean and the standard deviation."""

    kind, score, constant = "gaussian", "R^2 of the mean", "the mean"
    copies, middle = 2, 0

    @property
    def row_names(self) -> list[str]:
        """The name of the column, and "price_std"."""
        return [each for name in self.columns for each in (name, f"{name}_std")]

    @property
    def by_row(self) -> Scaler:
        """That of all rows: a deviation has no mean."""
        both = super().by_row
        return Scaler(np.where(np.arange(self.size) % 2, 0, both.mean), both.std)

    @property
    def row_limits(self) -> Array | None:
        """Those of the means: a deviation may be as large as it is."""
        limits = super().row_limits
        if limits is not None:
            limits[:, 1::2] = [[-np.inf], [np.inf]]
        return limits

    def predictions(self, P: Array) -> dict[str, Array]:
        """The means, the deviations, and the levels of INTERVAL."""
        found = super().predictions(P)
        for name, std in zip(self.columns, self.scaler.std.tolist(), strict=True):
            ends = (found[name] + side * HALF * found[f"{name}_std"] for side in (-1, 1))
            found |= {f"{name}_{level:g}": shortened(end, std) for level, end in zip(INTERVAL, ends, strict=True)}
        return found

    def column_metrics(self, k: int, std: float) -> dict[str, Metric]:
        """The share of rows in the interval, and those of a regression for the mean."""
        return {"coverage": Within(2 * k), **super().column_metrics(k, std)}


@dataclass(frozen=True)
class Pinball:
    """The mean pinball loss of some rows, a level each, over levels and examples, times their unit."""

    levels: tuple[float, ...]
    rows: slice
    unit: float

    def __call__(self, P: Array, Y: Array) -> float:
        R, q = (P[self.rows] - Y[self.rows]).astype(np.float64), np.array(self.levels)[:, None]
        return float(self.unit * np.maximum((1 - q) * R, -q * R).mean())


@dataclass(frozen=True)
class Coverage:
    """The share of the examples whose target lies between the first and the last of some rows."""

    rows: slice

    def __call__(self, P: Array, Y: Array) -> float:
        P, Y = P[self.rows], Y[self.rows]
        return float(((P.min(axis=0) <= Y[0]) & (Y[0] <= P.max(axis=0))).mean())


@dataclass(frozen=True)
class Within:
    """The share of the examples whose target is within HALF deviations of the mean, which is row k."""

    k: int

    def __call__(self, P: Array, Y: Array) -> float:
        return float((np.abs(Y[self.k] - P[self.k]) <= HALF * P[self.k + 1]).mean())

"""Offer the target of quantiles: each number is there once for each level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mlp.tables.numbers import RegressionTarget
from mlp.tables.table import examples
from mlp.tables.target import Metric
from mlp.types import Array, Examples


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

    def encode(self, written: Array, where: str) -> Examples:
        Z = super().encode(written, where)
        return examples((len(Z), self.size), np.float32, lambda rows: Z[rows].repeat(self.copies, axis=1))

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

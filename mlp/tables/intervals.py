"""Offer the target of quantiles: each number is there once for each level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mlp.metrics import mae, r2, rmse
from mlp.tables.numbers import RegressionTarget, RowScore
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
    def size(self) -> int:
        return len(self.columns) * len(self.levels)

    @property
    def middle(self) -> int:
        return len(self.levels) // 2

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
        Z, L = super().encode(written, where), len(self.levels)
        return examples((len(Z), self.size), np.float32, lambda rows: np.repeat(Z[rows], L, axis=1))

    def by_level(self, P: Array) -> Array:
        """P as K x L x N, in the units of each column."""
        shape = len(self.columns), len(self.levels), P.shape[1]
        levels = [self.scaler.inverse(P.reshape(shape)[:, k].T).T for k in range(shape[1])]
        return np.stack(levels, axis=1)

    @property
    def clips(self) -> bool:  # type: ignore[override]
        return True

    def clipped(self, P: Array) -> Array:
        """The levels of each column in their order, so that none cross, and within the limits."""
        shape = len(self.columns), len(self.levels), P.shape[1]
        P = np.sort(P.reshape(shape), axis=1)
        if self.limits is not None:
            low, high = self.scaler.transform(self.limits, P.dtype)
            P = np.clip(P, low[:, None, None], high[:, None, None])
        return P.reshape(-1, shape[2])

    def decide(self, P: Array) -> Array:
        return self.by_level(P)[:, self.middle]

    def predictions(self, P: Array) -> dict[str, Array]:
        """The number of each level, in the units of its column: "price_0.1", "price_0.5", "price_0.9"."""
        decimals = np.clip(7 - np.floor(np.log10(self.scaler.std)), 0, 300).astype(int).tolist()
        return {
            f"{name}_{level:g}": np.array([round(v, digits) for v in row.tolist()])
            for name, rows, digits in zip(self.names, self.by_level(P), decimals, strict=True)
            for level, row in zip(self.levels, rows, strict=True)
        }

    def notes(self, answers: Mapping[str, Array]) -> list[str]:
        return []

    def in_terms_of(self, other: Any, P: Array) -> Array:
        if self.header() != other.header():
            raise ValueError("quantiles of other columns or levels")
        by_level = self.by_level(P)
        levels = [other.scaler.transform(by_level[:, k].T, np.float64).T for k in range(len(self.levels))]
        return np.stack(levels, axis=1).reshape(P.shape)

    def metrics(self) -> dict[str, Metric]:
        """Of each column: the pinball loss in its unit, the share of rows between the outer levels, and the usual of
        the middle one."""
        found: dict[str, Metric] = {}
        L = len(self.levels)
        for k, (column, std) in enumerate(zip(self.names, self.scaler.std.tolist(), strict=True)):
            suffix = "" if len(self.columns) == 1 else f"_{column}"
            rows, middle = slice(k * L, (k + 1) * L), k * L + self.middle
            found[f"pinball{suffix}"] = Pinball(self.levels, rows, std)
            if L > 1:
                found[f"coverage{suffix}"] = Coverage(rows)
            found[f"rmse{suffix}"] = RowScore(rmse, middle, std)
            found[f"mae{suffix}"] = RowScore(mae, middle, std)
            found[f"r2{suffix}"] = RowScore(r2, middle, 1.0, highest_is_best=True)
        return found

    def evidence(self, P: Array, Y: Array) -> list[Array]:
        return list(Y.astype(np.float64)[self.middle :: len(self.levels), None])


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

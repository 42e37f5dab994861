"""Targets that are numbers, and the table of all kinds of targets.

A loss names the kind that it needs. A new kind is one class and one row in TARGETS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np

from mlp.metrics import mae, r2, rmse
from mlp.tables.columns import Scaler, check_size
from mlp.tables.headers import check_keys, check_names
from mlp.tables.label_targets import MulticlassTarget, MultilabelTarget
from mlp.tables.target import Metric, Target
from mlp.types import Array, Examples


@dataclass(frozen=True)
class RegressionTarget(Target):
    """K columns of numbers, standardized for training; metrics and predictions are in the columns' own units."""

    columns: tuple[str, ...]
    scaler: Scaler

    kind, takes_labels, score, constant = "regression", False, "R^2", "the mean"

    @property
    def names(self) -> tuple[str, ...]:
        return self.columns

    @property
    def size(self) -> int:
        return len(self.columns)

    @classmethod
    def fit(cls, names: Sequence[str], Y: Array, *, standardize: bool = True) -> Self:
        return cls(tuple(names), Scaler.fit(Y, names) if standardize else Scaler.identity(len(names)))

    def header(self) -> dict[str, Any]:
        return {"kind": self.kind, "names": list(self.names)}

    def arrays(self) -> dict[str, Array]:
        return {"target_mean": self.scaler.mean, "target_std": self.scaler.std}

    @classmethod
    def check_header(cls, header: dict[str, Any]) -> int:
        check_keys("target", header, {"kind", "names"})
        check_names("target.names", header["names"])
        return len(header["names"])

    @classmethod
    def shapes(cls, header: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("target_mean", "target_std"), (len(header["names"]),))

    @classmethod
    def from_header(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        return cls(tuple(header["names"]), Scaler(arrays["target_mean"], arrays["target_std"]))

    def encode(self, written: Array, where: str) -> Examples:
        Y = self.scaler.transform(written)
        check_size(self.names, written, Y)
        return Y

    def decide(self, P: Array) -> Array:
        return self.scaler.inverse(P.T).T

    def predictions(self, P: Array) -> dict[str, Array]:
        """The numbers in their own units, without the digits that single precision does not have."""
        decimals = np.clip(7 - np.floor(np.log10(self.scaler.std)), 0, 300).astype(int)
        return {
            name: np.array([round(v, d) for v in row.tolist()])
            for name, row, d in zip(self.names, self.decide(P), decimals.tolist(), strict=True)
        }

    def metrics(self) -> dict[str, Metric]:
        """RMSE, MAE and R^2 of each column, in its own units: standardizing divides errors by std and leaves R^2."""
        found: dict[str, Metric] = {}
        for k, (column, std) in enumerate(zip(self.names, self.scaler.std.tolist(), strict=True)):
            suffix = "" if self.size == 1 else f"_{column}"
            found[f"rmse{suffix}"] = partial(score_of_row, rmse, k, std)
            found[f"mae{suffix}"] = partial(score_of_row, mae, k, std)
            found[f"r2{suffix}"] = partial(score_of_row, r2, k, 1.0)
        return found

    def column_scores(self, decided: Array, true: Array) -> dict[str, float]:
        return {name: r2(decided[[k]], true[[k]]) for k, name in enumerate(self.names)}

    def baseline(self, true: Array) -> dict[str, float]:
        return dict.fromkeys(self.names, 0.0)


def score_of_row(function: Metric, k: int, unit: float, P: Array, Y: Array) -> float:
    """A metric of output k, times its unit."""
    return unit * function(P[[k]].astype(np.float64), Y[[k]].astype(np.float64))


TARGETS: dict[str, type[Target]] = {
    target.kind: target for target in (MulticlassTarget, MultilabelTarget, RegressionTarget)
}

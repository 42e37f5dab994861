"""Offer the targets that are numbers: quantities, standardized for training, and counts, as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from mlp.errors import DataError
from mlp.metrics import mae, poisson_deviance, r2, rmse
from mlp.tables.columns import Scaler
from mlp.tables.table import examples
from mlp.tables.target import Metric, Report, Target, check_names
from mlp.text import quoted
from mlp.types import Array, Examples

LIMITS = ("target_low", "target_high")


@dataclass(frozen=True)
class RegressionTarget(Target):
    """K columns of numbers, standardized for training; metrics and predictions are in the columns' own units.

    `limits`, if there are any, are the lowest and the highest of the training rows (2 x K): answers stay between them.
    A kind may have `copies` rows of each column, one after the other, of which the `middle` one is for scores.
    """

    columns: tuple[str, ...]
    scaler: Scaler
    limits: Array | None = None

    kind, takes_labels, score, constant = "regression", False, "R^2", "the mean"

    @property
    def names(self) -> tuple[str, ...]:
        return self.columns

    @property
    def copies(self) -> int:
        return 1

    @property
    def middle(self) -> int:
        return self.copies // 2

    @property
    def size(self) -> int:
        return len(self.columns) * self.copies

    @property
    def row_names(self) -> list[str]:
        """The names of the answers, a row each."""
        return list(self.columns)

    @property
    def by_row(self) -> Scaler:
        """The scaler of all rows."""
        return Scaler(self.scaler.mean.repeat(self.copies), self.scaler.std.repeat(self.copies))

    @property
    def row_limits(self) -> Array | None:
        """The limits of all rows."""
        return None if self.limits is None else self.limits.repeat(self.copies, axis=1)

    @classmethod
    def fit(cls, names: Sequence[str], Y: Array, *, standardize: bool = True) -> Self:
        return cls(tuple(names), Scaler.fit(Y, names) if standardize else Scaler.identity(len(names)))

    def header(self) -> dict[str, Any]:
        return {"kind": self.kind, "names": list(self.names)}

    def arrays(self) -> dict[str, Array]:
        limits = {} if self.limits is None else dict(zip(LIMITS, self.limits, strict=True))
        return {"target_mean": self.scaler.mean, "target_std": self.scaler.std, **limits}

    @classmethod
    def from_header(cls, arrays: Mapping[str, Array], /, names: list[Any]) -> Self:
        columns, mean, std = check_names("names", names), arrays["target_mean"], arrays["target_std"]
        if {mean.shape, std.shape} != {(len(names),)}:
            raise ValueError(f"names: {len(names)}, but target_mean and target_std of shapes {mean.shape}, {std.shape}")
        limits = np.array([arrays[name] for name in LIMITS]) if LIMITS[0] in arrays else None
        if limits is not None and (limits.shape != (2, len(names)) or not (limits[0] <= limits[1]).all()):
            raise ValueError(f"names: {len(names)}, but target_low and target_high are no limits of so many columns")
        return cls(columns, Scaler(mean, std), limits)

    def with_limits(self, Y: Array) -> Self:
        return replace(self, limits=np.array([Y.min(axis=0), Y.max(axis=0)], np.float64))

    @property
    def clips(self) -> bool:  # type: ignore[override]
        return self.limits is not None

    def clipped(self, P: Array) -> Array:
        if self.row_limits is None:
            return P
        low, high = self.by_row.transform(self.row_limits, P.dtype)
        return np.clip(P, low[:, None], high[:, None])

    def notes(self, answers: Mapping[str, Array]) -> list[str]:
        found: list[str] = []
        if self.row_limits is None:
            return found
        for name, low, high in zip(self.row_names, *self.row_limits.tolist(), strict=True):
            ends = np.isclose(answers[name], low) | np.isclose(answers[name], high)
            if ends.any():
                found.append(
                    f"{int(ends.sum())} of {len(ends)} answers for {quoted(name)} are at an end of the training range, "
                    f"{low:.4g} to {high:.4g} (data.clip_answers)"
                )
        return found

    def encode(self, written: Array, where: str) -> Examples:
        Z = self.scaler.encode(written, self.names)
        if self.copies == 1:
            return Z
        return examples((len(Z), self.size), np.float32, lambda rows: Z[rows].repeat(self.copies, axis=1))

    def decide(self, P: Array) -> Array:
        return self.scaler.inverse(P[self.middle :: self.copies].T).T

    def predictions(self, P: Array) -> dict[str, Array]:
        """The numbers in their own units."""
        scaler = self.by_row
        rows = zip(self.row_names, scaler.inverse(P.T).T, scaler.std.tolist(), strict=True)
        return {name: shortened(row, std) for name, row, std in rows}

    @property
    def error(self) -> str:
        """The RMSE; of several columns, each with its own unit, the loss."""
        return "rmse" if len(self.columns) == 1 else "loss"

    def in_terms_of(self, other: Any, P: Array) -> Array:
        return np.asarray(other.by_row.transform(self.by_row.inverse(P.T), np.float64).T)

    def metrics(self) -> dict[str, Metric]:
        """The metrics of each column, with its name behind theirs if there are several."""
        return {
            name if len(self.columns) == 1 else f"{name}_{column}": metric
            for k, column in enumerate(self.columns)
            for name, metric in self.column_metrics(k, float(self.scaler.std[k])).items()
        }

    def column_metrics(self, k: int, std: float) -> dict[str, Metric]:
        """RMSE, MAE and R^2 of column k, in its own units: standardizing divides errors by std and leaves R^2."""
        row = k * self.copies + self.middle
        r2_score = RowScore(r2, row, 1.0, highest_is_best=True)
        return {"rmse": RowScore(rmse, row, std), "mae": RowScore(mae, row, std), "r2": r2_score}

    def evidence(self, P: Array, Y: Array) -> list[Array]:
        """The true numbers, standardized: those that were predicted are in the metrics."""
        return list(Y.astype(np.float64)[self.middle :: self.copies, None])

    def reports(self, evidence: list[Array]) -> dict[str, Report]:
        found = {}
        for name, true, mean, std in zip(self.names, evidence, self.scaler.mean, self.scaler.std, strict=True):
            same = np.full_like(true, true.mean())
            always = {"rmse": float(std * rmse(same, true)), "mae": float(std * mae(same, true))}
            found[name] = Report({}, (f"the mean of these rows, {mean + std * same[0, 0]:.4g}", always))
        return found

    def column_scores(self, decided: Array, true: Array) -> dict[str, float]:
        return {name: r2(decided[[k]], true[[k]]) for k, name in enumerate(self.names)}

    def baseline(self, true: Array) -> dict[str, float]:
        return dict.fromkeys(self.names, 0.0)


def shortened(numbers: Array, std: float) -> Array:
    """Numbers of this deviation without the digits that single precision does not have."""
    decimals = int(np.clip(7 - np.floor(np.log10(std)), 0, 300))
    return np.array([round(number, decimals) for number in numbers.tolist()])


class CountTarget(RegressionTarget):
    """K columns of counts, 0 or more, as they are."""

    kind = "counts"

    @classmethod
    def fit(cls, names: Sequence[str], Y: Array, *, standardize: bool = True) -> Self:
        target = cls(tuple(names), Scaler.identity(len(names)))
        target.encode(Y, "train")
        return target

    def encode(self, written: Array, where: str) -> Examples:
        for k, name in enumerate(self.names):
            if negative := int(np.count_nonzero(written[:, k] < 0)):
                raise DataError(
                    f"target {quoted(name)}: {negative} of the {where} rows are below 0, but poisson is for counts"
                )
        return super().encode(written, where)

    def column_metrics(self, k: int, std: float) -> dict[str, Metric]:
        """Those of a regression, and the deviance."""
        return super().column_metrics(k, std) | {"deviance": RowScore(poisson_deviance, k, 1.0)}


@dataclass(frozen=True)
class RowScore:
    """A metric of output k, times its unit."""

    function: Metric
    k: int
    unit: float
    highest_is_best: bool = False

    def __call__(self, P: Array, Y: Array) -> float:
        return self.unit * self.function(P[[self.k]].astype(np.float64), Y[[self.k]].astype(np.float64))

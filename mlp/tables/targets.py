"""What a column of answers becomes for the network, and how its outputs become answers again; one class a kind.

- `Exclusive`: one column of K classes, one-hot, for softmax cross-entropy;
- `Binary`: K columns of two classes each, 0 or 1, for logistic cross-entropy;
- `Quantities`: K columns of numbers, standardized, for squared error.

Each has `size` (K, the network's outputs), `names` (the columns), `labels` (of each column of classes), `encode(Y,
where)` (N x K for training), `metrics()` (functions of P and Y, both K x N), `answers(P)` (columns for people, by
name), and for classes `confusion(P, Y)`, `class_counts(Y)` and `right(P, Y)`, without the former's K x K counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mlp.errors import DataError
from mlp.metrics import accuracy, binary_accuracy, confusion_matrix, mae, r2, rmse
from mlp.tables.columns import Classes, Encoded, Scaler, in_memory_if_small, one_hot
from mlp.types import Array, Examples

Metric = Callable[[Array, Array], float]


@dataclass(frozen=True)
class Exclusive:
    """K classes of which an example has one: row k of Y is 1 where the label is `classes.labels[k]`."""

    classes: Classes

    @property
    def size(self) -> int:
        return len(self.classes.labels)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.classes.name,)

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        return {self.classes.name: self.classes.labels}

    def encode(self, Y: Array, where: str) -> Examples:
        """One-hot; of a large table the codes alone are kept."""
        codes = self.classes.codes(Y[:, 0], where)
        return in_memory_if_small(Encoded(codes, partial(one_hot, size=self.size), self.size))

    def metrics(self) -> dict[str, Metric]:
        return {"accuracy": accuracy}

    def confusion(self, P: Array, Y: Array) -> dict[str, Array]:
        """The counts of `mlp.metrics.confusion_matrix` for the column, in the order of its labels."""
        return {self.classes.name: confusion_matrix(P, Y)}

    def class_counts(self, Y: Array) -> dict[str, Array]:
        """How many of the N columns of Y (K x N) are of each class, in the labels' order."""
        return {self.classes.name: np.bincount(Y.argmax(axis=0), minlength=self.size)}

    def right(self, P: Array, Y: Array) -> dict[str, int]:
        """How many columns of P say what Y says."""
        return {self.classes.name: int((P.argmax(axis=0) == Y.argmax(axis=0)).sum())}

    def answers(self, P: Array) -> dict[str, Array]:
        """The most probable label, then the probability of each."""
        labels = np.array(self.classes.labels)
        return {self.classes.name: labels[P.argmax(axis=0)]} | {
            f"probability_{label}": P[k] for k, label in enumerate(self.classes.labels)
        }


@dataclass(frozen=True)
class Binary:
    """K independent columns of two classes: Y is 1 where the label is the second of the column's two."""

    columns: tuple[Classes, ...]

    @property
    def size(self) -> int:
        return len(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(classes.name for classes in self.columns)

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        return {classes.name: classes.labels for classes in self.columns}

    def encode(self, Y: Array, where: str) -> Examples:
        codes = [classes.codes(Y[:, k], where) for k, classes in enumerate(self.columns)]
        return in_memory_if_small(Encoded(np.stack(codes, axis=1), to_single, self.size))

    def metrics(self) -> dict[str, Metric]:
        return {"accuracy": binary_accuracy}

    def confusion(self, P: Array, Y: Array) -> dict[str, Array]:
        """The counts of `mlp.metrics.confusion_matrix` for each column, in the order of its labels."""
        return {
            classes.name: confusion_matrix(np.stack([P[k] < 0.5, P[k] >= 0.5]), np.stack([1 - Y[k], Y[k]]))
            for k, classes in enumerate(self.columns)
        }

    def class_counts(self, Y: Array) -> dict[str, Array]:
        """For each column, how many of the N entries are of each class, in the labels' order; Y is K x N."""
        yes = (Y >= 0.5).sum(axis=1)
        return {classes.name: np.array([Y.shape[1] - n, n]) for classes, n in zip(self.columns, yes, strict=True)}

    def right(self, P: Array, Y: Array) -> dict[str, int]:
        """For each column, how many entries of P are on Y's side of 1/2."""
        same = ((P >= 0.5) == (Y >= 0.5)).sum(axis=1)
        return {classes.name: int(n) for classes, n in zip(self.columns, same, strict=True)}

    def answers(self, P: Array) -> dict[str, Array]:
        """For each column the more probable label, then the probability of its second label."""
        found: dict[str, Array] = {}
        for k, classes in enumerate(self.columns):
            found[classes.name] = np.array(classes.labels)[(P[k] >= 0.5).astype(int)]
        for k, classes in enumerate(self.columns):
            prefix = "probability" if self.size == 1 else f"probability_{classes.name}"
            found[f"{prefix}_{classes.labels[1]}"] = P[k]
        return found


@dataclass(frozen=True)
class Quantities:
    """K columns of numbers, standardized for training; metrics and answers are in the columns' own units."""

    names: tuple[str, ...]
    scaler: Scaler

    @property
    def size(self) -> int:
        return len(self.names)

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        return {}

    def encode(self, Y: Array, where: str) -> Examples:
        return self.scaler.transform(Y)

    def metrics(self) -> dict[str, Metric]:
        """RMSE, MAE and R^2 of each column, in its own units: standardizing divides errors by std and leaves R^2."""
        found: dict[str, Metric] = {}
        for k, column in enumerate(self.names):
            suffix = "" if self.size == 1 else f"_{column}"
            found[f"rmse{suffix}"] = partial(self.score, rmse, k, float(self.scaler.std[k]))
            found[f"mae{suffix}"] = partial(self.score, mae, k, float(self.scaler.std[k]))
            found[f"r2{suffix}"] = partial(self.score, r2, k, 1.0)
        return found

    def score(self, function: Metric, k: int, unit: float, P: Array, Y: Array) -> float:
        """A metric of output k, times its unit."""
        return unit * function(P[[k]].astype(np.float64), Y[[k]].astype(np.float64))

    def confusion(self, P: Array, Y: Array) -> dict[str, Array]:
        return {}

    def class_counts(self, Y: Array) -> dict[str, Array]:
        return {}

    def answers(self, P: Array) -> dict[str, Array]:
        """The numbers in their own units, without the digits that single precision does not have."""
        decimals = np.clip(7 - np.floor(np.log10(self.scaler.std)), 0, 300).astype(int)
        found = self.scaler.inverse(P.T).T
        return {
            name: np.array([round(v, d) for v in row.tolist()])
            for name, row, d in zip(self.names, found, decimals.tolist(), strict=True)
        }


Target = Exclusive | Binary | Quantities


def to_single(Y: Array) -> Array:
    return Y.astype(np.float32)


def fit_target(loss: str, names: Sequence[str], Y: Array, *, standardize: bool = True) -> Target:
    """The coding that a loss needs, fitted to the training rows Y (N x K: text for classes, else numbers).

    Raises DataError for labels or numbers that it cannot code (see `Classes.fit` and `Scaler.fit`), and for a column
    whose name a column of probabilities would have too.
    """
    if loss == "softmax_cross_entropy":
        if len(names) > 1:
            raise DataError(
                f"{len(names)} target columns, but {loss} takes one column of labels (of a one-hot array, take the "
                "number of the 1); several columns of two classes each need loss: logistic_cross_entropy"
            )
        target: Target = Exclusive(Classes.fit(names[0], Y[:, 0]))
    elif loss == "logistic_cross_entropy":
        target = Binary(tuple(Classes.fit(name, Y[:, k], most=2) for k, name in enumerate(names)))
    else:
        return Quantities(tuple(names), Scaler.fit(Y, names) if standardize else Scaler.identity(len(names)))
    columns = target.answers(np.full((target.size, 1), 0.5))
    if len(columns) < len(names) + target.size:
        clash = next((name for name in names if name.startswith("probability_")), names[0])
        raise DataError(
            f"target {clash!r}: the answers would have two columns of one name, since probabilities are called "
            "probability_<label>; rename it"
        )
    return target

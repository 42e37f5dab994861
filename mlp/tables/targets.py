"""Offer the kinds of targets, classes and numbers, in one table.

A loss names the kind that it needs. A new kind is one class and one row in TARGETS.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from mlp.errors import DataError
from mlp.metrics import (
    accuracy,
    average_precision,
    balanced_accuracy,
    binary_accuracy,
    class_scores,
    count_pairs,
    roc_auc,
    row_accuracy,
)
from mlp.tables.columns import distinct_labels, label_codes, one_hot
from mlp.tables.intervals import GaussianTarget, QuantileTarget
from mlp.tables.numbers import CountTarget, RegressionTarget
from mlp.tables.table import examples
from mlp.tables.target import Metric, OtherKind, Report, Target, check_names
from mlp.text import listed
from mlp.types import Array, Examples

MAX_LABELS = 2**24  # characters in a column's labels, each padded to the longest, as NumPy holds them: 64 MiB


@dataclass(frozen=True)
class LabelTarget(Target):
    """Columns of classes, each with its labels in the order of their codes; the base of multiclass and multilabel."""

    columns: dict[str, tuple[str, ...]]

    most_columns: ClassVar[int | None] = None
    most_labels: ClassVar[int | None] = None
    takes_labels, score, constant = True, "accuracy", "the most frequent class"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns)

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        return self.columns

    def header(self) -> dict[str, Any]:
        return {"kind": self.kind, "columns": {name: list(labels) for name, labels in self.columns.items()}}

    @classmethod
    def from_header(cls, _arrays: Mapping[str, Array], /, columns: dict[Any, Any]) -> Self:
        check_names("columns", list(columns))
        if cls.most_columns is not None and len(columns) > cls.most_columns:
            raise ValueError(f"columns: {len(columns)} columns, expected {cls.most_columns}")
        found = {name: check_names(f"columns.{name}", labels, least=2) for name, labels in columns.items()}
        for name, labels in found.items():
            if cls.most_labels is not None and len(labels) > cls.most_labels:
                raise ValueError(f"columns.{name}: {len(labels)} labels, expected {cls.most_labels}")
            longest = max(map(len, labels))
            if len(labels) * longest > MAX_LABELS:
                raise ValueError(f"columns.{name}: {len(labels):,} labels of up to {longest:,} characters are too long")
        return cls(found)

    def predictions(self, P: Array) -> dict[str, Array]:
        """The label of each column, then probabilities."""
        codes = zip(self.columns.items(), self.decide(P), strict=True)
        return {name: np.array(labels)[found] for (name, labels), found in codes} | self.probabilities(P)

    @abstractmethod
    def probabilities(self, P: Array) -> dict[str, Array]: ...

    def evidence(self, P: Array, Y: Array) -> list[Array]:
        """Codes, true and decided, the probability of the true label and that of the second one."""
        found = []
        for true, decided, chances in zip(self.decide(Y), self.decide(P), self.chances(P), strict=True):
            found.append(np.stack([true, decided, chances[true, np.arange(len(true))], chances[1]], dtype=np.float64))
        return found

    @abstractmethod
    def chances(self, P: Array) -> list[Array]:
        """For each column the probability of each of its labels."""

    def reports(self, evidence: list[Array]) -> dict[str, Report]:
        columns = zip(self.columns.items(), evidence, strict=True)
        return {name: class_report(labels, *rows) for (name, labels), rows in columns}

    def column_scores(self, decided: Array, true: Array) -> dict[str, float]:
        return dict(zip(self.names, (decided == true).mean(axis=1).tolist(), strict=True))

    def baseline(self, true: Array) -> dict[str, float]:
        return {
            name: float(np.bincount(codes).max() / len(codes)) for name, codes in zip(self.names, true, strict=True)
        }

    def with_columns_of_different_names(self) -> Self:
        """Raises DataError for a column whose name a column of probabilities has too."""
        if len(self.predictions(np.full((self.size, 1), 0.5))) < len(self.names) + self.size:
            clash = next((name for name in self.names if name.startswith("probability_")), self.names[0])
            raise DataError(
                f"target {clash!r}: the answers would have two columns of one name, since probabilities are called "
                "probability_<label>; rename it"
            )
        return self


class MulticlassTarget(LabelTarget):
    """One column of K classes of which an example has one: Y_k is 1 for the label k and 0 otherwise."""

    kind, most_columns = "multiclass", 1

    @property
    def size(self) -> int:
        (labels,) = self.columns.values()
        return len(labels)

    @classmethod
    def fit(cls, names: Sequence[str], Y: Array, *, standardize: bool = True) -> Self:
        if len(names) > 1:
            raise OtherKind(
                f"{len(names)} target columns, but a multiclass target is one column of labels (of a one-hot array, "
                "take the number of the 1); several columns of two classes each are a multilabel target",
                MultilabelTarget.kind,
            )
        return cls({names[0]: distinct_labels(names[0], Y[:, 0])}).with_columns_of_different_names()

    def encode(self, written: Array, where: str) -> Examples:
        """One-hot; of a large table the codes alone are kept."""
        ((name, labels),) = self.columns.items()
        codes = label_codes(name, labels, written[:, 0], where)
        return examples((len(codes), self.size), np.float32, lambda rows: one_hot(codes[rows], self.size))

    def decide(self, P: Array) -> Array:
        return P.argmax(axis=0)[None]

    def chances(self, P: Array) -> list[Array]:
        return [P]

    def probabilities(self, P: Array) -> dict[str, Array]:
        (labels,) = self.columns.values()
        return {f"probability_{label}": p for label, p in zip(labels, P, strict=True)}

    def metrics(self) -> dict[str, Metric]:
        return {"accuracy": accuracy}


class MultilabelTarget(LabelTarget):
    """K independent columns of two classes each: Y_k is 1 for the second label of column k and 0 for the first."""

    kind, most_labels = "multilabel", 2

    @classmethod
    def fit(cls, names: Sequence[str], Y: Array, *, standardize: bool = True) -> Self:
        columns = {name: distinct_labels(name, Y[:, k]) for k, name in enumerate(names)}
        for name, labels in columns.items():
            if len(labels) > 2:
                raise OtherKind(
                    f"target {name!r}: {len(labels)} classes ({listed(labels)}), but each column of a multilabel "
                    "target has 2; more classes are a multiclass target",
                    MulticlassTarget.kind,
                )
        return cls(columns).with_columns_of_different_names()

    def encode(self, written: Array, where: str) -> Examples:
        columns = zip(self.columns.items(), written.T, strict=True)
        codes = np.stack([label_codes(name, labels, y, where) for (name, labels), y in columns], axis=1)
        return examples(codes.shape, np.float32, lambda rows: codes[rows].astype(np.float32))

    def decide(self, P: Array) -> Array:
        return (P >= 0.5).astype(np.int8)

    def chances(self, P: Array) -> list[Array]:
        return [np.stack([1 - p, p]) for p in P]

    def probabilities(self, P: Array) -> dict[str, Array]:
        """Of the second label of each column."""
        prefixes = ["probability"] if self.size == 1 else [f"probability_{name}" for name in self.names]
        columns = zip(prefixes, self.columns.values(), P, strict=True)
        return {f"{prefix}_{second}": p for prefix, (_, second), p in columns}

    def metrics(self) -> dict[str, Metric]:
        """Of several columns the share of right cells, and of rows that are right in all cells."""
        if self.size == 1:
            return {"accuracy": binary_accuracy}
        return {"cell_accuracy": binary_accuracy, "row_accuracy": row_accuracy}


def class_report(labels: Sequence[str], true: Array, decided: Array, chance: Array, second: Array) -> Report:
    """The report on one column of classes (see `LabelTarget.evidence`)."""
    true, decided = true.astype(np.intp), decided.astype(np.intp)
    counts = count_pairs(true, decided, len(labels))
    log_loss = float(-np.log(np.maximum(chance, np.finfo(np.float32).tiny)).mean())
    scores = {"balanced_accuracy": balanced_accuracy(counts), "log_loss": log_loss}
    if len(labels) == 2:
        scores["roc_auc"] = roc_auc(second, true == 1)
        scores["average_precision"] = average_precision(second, true == 1)
    rows = counts.sum(axis=1)
    classes = {
        label: {"precision": float(p), "recall": float(r), "f1": float(f), "rows": int(n)}
        for label, p, r, f, n in zip(labels, *class_scores(counts), rows, strict=True)
    }
    commonest = int(rows.argmax())
    return Report(scores, (labels[commonest], {"accuracy": float(rows[commonest] / rows.sum())}), classes)


TARGETS: dict[str, type[Target]] = {
    target.kind: target
    for target in (MulticlassTarget, MultilabelTarget, RegressionTarget, CountTarget, QuantileTarget, GaussianTarget)
}

"""Targets that are classes: one column of several, or several columns of two each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from mlp.errors import DataError
from mlp.metrics import accuracy, binary_accuracy
from mlp.tables.columns import Classes, one_hot
from mlp.tables.headers import check_columns, check_keys
from mlp.tables.rows import examples
from mlp.tables.target import Metric, OtherKind, Target
from mlp.text import listed
from mlp.types import Array, Examples


@dataclass(frozen=True)
class LabelTarget(Target):
    """Columns of classes: what multiclass and multilabel targets have in common."""

    columns: tuple[Classes, ...]

    most_columns: ClassVar[int | None] = None
    most_labels: ClassVar[int | None] = None
    takes_labels, score, constant = True, "accuracy", "the most frequent class"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(classes.name for classes in self.columns)

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        return {classes.name: classes.labels for classes in self.columns}

    def header(self) -> dict[str, Any]:
        columns = [{"name": classes.name, "labels": list(classes.labels)} for classes in self.columns]
        return {"kind": self.kind, "columns": columns}

    @classmethod
    def check_header(cls, header: dict[str, Any]) -> int:
        check_keys("target", header, {"kind", "columns"})
        check_columns("target.columns", header["columns"], cls.most_columns, cls.most_labels)
        return cls.from_header(header, {}).size

    @classmethod
    def from_header(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        return cls(tuple(Classes(column["name"], tuple(column["labels"])) for column in header["columns"]))

    def predictions(self, P: Array) -> dict[str, Array]:
        """The label of each column, then probabilities."""
        codes = zip(self.columns, self.decide(P), strict=True)
        return {classes.name: np.array(classes.labels)[found] for classes, found in codes} | self.probabilities(P)

    @abstractmethod
    def probabilities(self, P: Array) -> dict[str, Array]: ...

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
        return len(self.columns[0].labels)

    @classmethod
    def fit(cls, names: Sequence[str], Y: Array, *, standardize: bool = True) -> Self:
        if len(names) > 1:
            raise OtherKind(
                f"{len(names)} target columns, but a multiclass target is one column of labels (of a one-hot array, "
                "take the number of the 1); several columns of two classes each are a multilabel target",
                MultilabelTarget.kind,
            )
        return cls((Classes.fit(names[0], Y[:, 0]),)).with_columns_of_different_names()

    def encode(self, written: Array, where: str) -> Examples:
        """One-hot; of a large table the codes alone are kept."""
        codes = self.columns[0].codes(written[:, 0], where)
        return examples((len(codes), self.size), np.float32, lambda rows: one_hot(codes[rows], self.size))

    def decide(self, P: Array) -> Array:
        return P.argmax(axis=0)[None]

    def probabilities(self, P: Array) -> dict[str, Array]:
        return {f"probability_{label}": P[k] for k, label in enumerate(self.columns[0].labels)}

    def metrics(self) -> dict[str, Metric]:
        return {"accuracy": accuracy}


class MultilabelTarget(LabelTarget):
    """K independent columns of two classes each: Y_k is 1 for the second label of column k and 0 for the first."""

    kind, most_labels = "multilabel", 2

    @property
    def size(self) -> int:
        return len(self.columns)

    @classmethod
    def fit(cls, names: Sequence[str], Y: Array, *, standardize: bool = True) -> Self:
        columns = tuple(Classes.fit(name, Y[:, k]) for k, name in enumerate(names))
        for classes in columns:
            if len(classes.labels) > 2:
                raise OtherKind(
                    f"target {classes.name!r}: {len(classes.labels)} classes ({listed(classes.labels)}), but each "
                    "column of a multilabel target has 2; more classes are a multiclass target",
                    MulticlassTarget.kind,
                )
        return cls(columns).with_columns_of_different_names()

    def encode(self, written: Array, where: str) -> Examples:
        codes = np.stack([classes.codes(written[:, k], where) for k, classes in enumerate(self.columns)], axis=1)
        return examples(codes.shape, np.float32, lambda rows: codes[rows].astype(np.float32))

    def decide(self, P: Array) -> Array:
        return (P >= 0.5).astype(np.int8)

    def probabilities(self, P: Array) -> dict[str, Array]:
        """Of the second label of each column."""
        prefixes = ["probability"] if self.size == 1 else [f"probability_{name}" for name in self.names]
        columns = zip(prefixes, self.columns, P, strict=True)
        return {f"{prefix}_{classes.labels[1]}": p for prefix, classes, p in columns}

    def metrics(self) -> dict[str, Metric]:
        return {"accuracy": binary_accuracy}

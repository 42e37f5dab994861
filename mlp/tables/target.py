"""Define what every kind of target does: encode its columns for the network, and read its outputs for people."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from reprlib import repr as brief
from typing import Any, ClassVar, Self

import numpy as np

from mlp.errors import DataError
from mlp.metrics import count_pairs
from mlp.text import quoted
from mlp.types import Array, Examples

Metric = Callable[[Array, Array], float]


class Target(ABC):
    """Encodes target columns for the network, and reads its outputs.

    Written targets are N x the number of columns: text where `takes_labels` is true, or numbers. Encoded they are
    Y, N x `size` at rest and `size` x N for losses and metrics; predictions P are as Y.
    """

    kind: ClassVar[str]  # as losses and model files name it
    takes_labels: ClassVar[bool]
    constant: ClassVar[str]  # the best prediction that is the same for all rows, in words
    score: ClassVar[str]  # what `column_scores` are

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""

    @property
    def size(self) -> int:
        """The number of outputs of the network."""
        return len(self.names)

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """The labels of each column of classes, in the order of their codes."""
        return {}

    @classmethod
    @abstractmethod
    def fit(cls, names: Sequence[str], Y: Array, *, standardize: bool) -> Self:
        """The target for training rows Y as they are written. Raises DataError for what it cannot encode."""

    @abstractmethod
    def header(self) -> dict[str, Any]:
        """All of it but its arrays, for a model file: the `kind`, and what `from_header` takes, as JSON has it."""

    def arrays(self) -> dict[str, Array]:
        """Its arrays, for a model file."""
        return {}

    from_header: ClassVar[Callable[..., Any]]
    """A classmethod that makes the target of `arrays()`, by position, and of `header()` without the kind, by keywords.

    Both may be a stranger's: no more is sure of the header than what the annotations say, and some arrays may be
    missing (KeyError), unknown or of any shape. Raises ValueError, naming the key, for what makes no target.
    """

    @abstractmethod
    def encode(self, written: Array, where: str) -> Examples:
        """Y for training. Raises DataError, naming the rows by `where`, for what training rows did not have."""

    @abstractmethod
    def decide(self, P: Array) -> Array:
        """A row for each column: the code of the label that P is for, or the number in its own unit."""

    @abstractmethod
    def predictions(self, P: Array) -> dict[str, Array]:
        """The content of P as columns for people, by name."""

    @property
    def error(self) -> str:
        """The metric that counts mistakes, which `training.monitor: error` means, or "loss"."""
        return next(iter(self.metrics()))

    def with_limits(self, Y: Array) -> Self:
        """The same target, whose answers stay in the range of these rows as they are written (N x K), if it has one."""
        return self

    clips = False
    """Whether `clipped` may change something."""

    def clipped(self, P: Array) -> Array:
        """Predictions within the limits of the target, where it has some."""
        return P

    def notes(self, answers: Mapping[str, Array]) -> list[str]:
        """Sentences on predictions, by name: how many are at a limit."""
        return []

    def in_terms_of(self, other: Any, P: Array) -> Array:
        """Predictions P of this target as another one has them, whose header is the same."""
        return P

    @abstractmethod
    def metrics(self) -> dict[str, Metric]:
        """Functions of P and Y, by name."""

    @abstractmethod
    def column_scores(self, decided: Array, true: Array) -> dict[str, float]:
        """The quality of the decisions, for each column; 1 is perfect. Both are as `decide` returns them."""

    @abstractmethod
    def baseline(self, true: Array) -> dict[str, float]:
        """The column scores of the best prediction that is the same for all rows."""

    def evidence(self, P: Array, Y: Array) -> list[Array]:
        """The numbers that `reports` needs of a batch: for each column of the target a matrix, a column an example."""
        return []

    def reports(self, evidence: list[Array]) -> dict[str, Report]:
        """More scores of each column of the target, from the evidence of all rows; none where it says nothing more."""
        return {}

    def class_counts(self, Y: Array) -> dict[str, Array]:
        """For each column of classes, how many of the N columns of Y have each label."""
        codes = zip(self.labels.items(), self.decide(Y), strict=False)
        return {name: np.bincount(found, minlength=len(labels)) for (name, labels), found in codes}

    def confusion(self, P: Array, Y: Array) -> dict[str, Array]:
        """For each column of classes, how many examples of label i were predicted to be of label j."""
        codes = zip(self.labels.items(), self.decide(Y), self.decide(P), strict=False)
        return {name: count_pairs(true, found, len(labels)) for (name, labels), true, found in codes}


@dataclass(frozen=True)
class Report:
    """A report on the predictions for one column: scores by name, those of each class, and the constant to beat.

    `always` is the best prediction that is the same for all of these rows, in words, and its scores.
    """

    scores: dict[str, float]
    always: tuple[str, dict[str, float]]
    classes: dict[str, dict[str, float]] = field(default_factory=dict)


class OtherKind(DataError):
    """Targets that need another kind, `kind`."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def check_names(key: str, names: Any, least: int = 1) -> tuple[str, ...]:
    """The names, if they are a list of different texts, none of them empty; or else a ValueError for the first."""
    if not isinstance(names, list) or len(names) < least:
        raise ValueError(f"{key}: expected a list of at least {least}, got {brief(names)}")
    for number, name in enumerate(names):
        if not isinstance(name, str) or not name or name.encode(errors="ignore").decode() != name:
            raise ValueError(f"{key}.{number}: expected text that is not empty, got {brief(name)}")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise ValueError(f"{key}: {quoted(name)} is listed {count} times")
    return tuple(names)

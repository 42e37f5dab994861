"""Say which epoch is the best, whose weights answer in the end, and what happens where none gets better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from mlp.arguments import check_arguments
from mlp.types import Count, Data, Metrics, OneOf, Range


@dataclass(frozen=True)
class Plateau:
    """Multiply the learning rate by `factor` whenever `patience` epochs have brought no better one.

    They count from the best epoch, or from the last time that the rate was lowered.
    """

    factor: Annotated[float, Range(above=0, below=1)] = 0.1
    patience: Count = 10

    def __post_init__(self) -> None:
        check_arguments(Plateau, vars(self))


@dataclass(frozen=True)
class Monitor:
    """The value that is lowest in the best epoch.

    `by` is "loss", the name of a metric, or "epoch", of which the last is the best. Values are those of the validation
    set, or of training where there is none; a metric that has `highest_is_best` counts with a minus. `ties` says which
    of equal epochs is the best, the first or the last.
    """

    by: str = "loss"
    ties: Annotated[str, OneOf(("first", "last"))] = "first"

    def __post_init__(self) -> None:
        check_arguments(Monitor, vars(self))

    def check(self, metrics: Metrics, valid: Data | None, train_loss: str) -> None:
        """Raises ValueError for what a training with these metrics does not measure."""
        measured = metrics if valid is not None or train_loss == "epoch_end" else ()
        if self.by not in ("loss", "epoch", *measured):
            raise ValueError(
                f"monitor must be one of {', '.join(['loss', 'epoch', *metrics])}, got {self.by!r}"
                + ("; a metric needs a validation set, or train_loss: epoch_end" if self.by in metrics else "")
            )

    def value(self, epoch: int, scores: Mapping[str, float], metrics: Metrics) -> float:
        """The value of an epoch with these losses and metrics."""
        if self.by == "epoch":
            return -epoch
        return self.sign(metrics) * scores.get(f"valid_{self.by}", scores.get(f"train_{self.by}", 0.0))

    def sign(self, metrics: Metrics) -> int:
        """-1 where the highest score is the best."""
        return -1 if getattr(metrics.get(self.by), "highest_is_best", False) else 1

"""Record what the training loop has done, and what it needs to go on exactly where it stopped."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mlp.markup import Markup, html_table
from mlp.monitor import Plateau
from mlp.types import Array


class MinibatchRecord(NamedTuple):
    """The outcome of one minibatch: its mean cost, without the L2 penalty, and the norm of the gradient (before
    clipping); minibatches count from 1, and `minibatches` are in the epoch."""

    epoch: int
    minibatch: int
    minibatches: int
    cost: float
    gradient_norm: float
    learning_rate: float


@dataclass(frozen=True)
class EpochRecord:
    """The outcome of one epoch.

    Losses are those of the data alone, without the L2 penalty, so that they compare. `metrics` has keys such as
    "valid_accuracy". `learning_rate` is that of the epoch's last step; `gradient_norm` is the mean over its steps of
    the global norm of the gradient that was stepped along (penalty included, before clipping); `seconds` is what
    training and evaluation took, without what the caller did in between.
    """

    epoch: int
    train_loss: float
    valid_loss: float | None
    metrics: dict[str, float]
    learning_rate: float
    gradient_norm: float
    seconds: float

    def _repr_html_(self) -> Markup:
        valid = {} if self.valid_loss is None else {"valid_loss": self.valid_loss}
        numbers = {"train_loss": self.train_loss, **valid, **self.metrics, "learning_rate": self.learning_rate}
        numbers |= {"gradient_norm": self.gradient_norm, "seconds": self.seconds}
        return html_table([("epoch", *numbers), (str(self.epoch), *(f"{each:.4g}" for each in numbers.values()))])

    @classmethod
    def of(cls, epoch: int, scores: dict[str, float], rate: float, done: UnfinishedEpoch) -> EpochRecord:
        """The record of an epoch whose losses and metrics are in `scores`, and its sums in `done`."""
        train_loss, valid_loss = scores.pop("train_loss"), scores.pop("valid_loss", None)
        return cls(epoch, train_loss, valid_loss, scores, rate, done.norm_sum / done.minibatches, done.seconds)


@dataclass
class UnfinishedEpoch:
    """An epoch under way, between two of its minibatches.

    `rng_state` is that of the generator before it shuffled the epoch's rows, so that the same order can be drawn again;
    `minibatches` are done, and the sums are over them: of cost times rows, of gradient norms, of seconds.
    """

    rng_state: Mapping[str, Any]
    minibatches: int = 0
    cost_sum: float = 0.0
    norm_sum: float = 0.0
    seconds: float = 0.0

    def add(self, record: MinibatchRecord, rows: int, seconds: float) -> None:
        """Add what a minibatch of so many rows came to."""
        self.minibatches = record.minibatch
        self.cost_sum += record.cost * rows
        self.norm_sum += record.gradient_norm
        self.seconds += seconds


@dataclass
class Progress:
    """The progress of a run: what `train` needs, beside network, optimizer and rng, to go on where it stopped.

    `epoch` epochs are done, and some minibatches of the next one if there is one `unfinished`. The best epoch is the
    one with the lowest monitored value: that of the validation set, or of training where there is none. Of several the
    first is `best_since`, and `best_epoch` is that one or the last. `average` is a moving average of theta, if it is
    asked for. `rate` is a factor of the learning rate, which was last `lowered` after that epoch, on a plateau.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_since: int = 0
    best_value: float = math.inf
    best_theta: Array | None = None
    average: Array | None = None
    unfinished: UnfinishedEpoch | None = None
    rate: float = 1.0
    lowered: int = 0

    def follow(self, theta: Array, decay: float) -> None:
        """average <- decay average + (1 - decay) theta after a step, beginning at the first theta."""
        if self.average is None:
            self.average = theta.copy()
        self.average += (1 - decay) * (theta - self.average)

    @contextmanager
    def averaged(self, theta: Array) -> Iterator[Array]:
        """Put the average, if there is one, in the place of theta, and theta back in the end; yields what is there."""
        if self.average is None:
            yield theta
            return
        kept = theta.copy()
        theta[...] = self.average
        try:
            yield self.average
        finally:
            theta[...] = kept

    def begin_epoch(self, rng: np.random.Generator) -> UnfinishedEpoch:
        """The epoch that is under way, or a new one; `rng` is set to where it was before the epoch's shuffle."""
        if self.unfinished is None:
            self.unfinished = UnfinishedEpoch(rng.bit_generator.state)
        rng.bit_generator.state = self.unfinished.rng_state
        return self.unfinished

    def finish_epoch(self, value: float, theta: Array, ties: str = "first") -> None:
        """Count the epoch, and remember its theta if its value is the lowest so far, or ties with it."""
        self.epoch, self.unfinished = self.epoch + 1, None
        value = math.inf if math.isnan(value) else value  # R^2 where the targets are constant
        lower = self.best_epoch == 0 or value < self.best_value
        if lower:
            self.best_since, self.best_value = self.epoch, value
        if lower or (ties == "last" and value == self.best_value):
            self.best_epoch, self.best_theta = self.epoch, theta.copy()

    def lower_rate(self, plateau: Plateau) -> None:
        """Lower the rate after an epoch where there is a plateau."""
        if self.epoch - max(self.best_since, self.lowered) >= plateau.patience:
            self.rate, self.lowered = self.rate * plateau.factor, self.epoch

    def out_of(self, patience: int | None) -> bool:
        """Tell whether so many epochs have brought no lower value."""
        return patience is not None and self.epoch - self.best_since >= patience

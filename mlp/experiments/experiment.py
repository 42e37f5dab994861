"""A run before its first epoch: everything that training needs, and what it gives."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from mlp.evaluation import evaluate
from mlp.experiments.allocator import keep_freed_memory
from mlp.experiments.build import make_schedule
from mlp.experiments.config.load import LoadedConfig
from mlp.experiments.model import Model
from mlp.experiments.threads import ThreadLimit, useful_threads
from mlp.minibatches import Workers, alone
from mlp.optimizers import SGD, Adam
from mlp.records import EpochRecord, MinibatchRecord, Progress
from mlp.tables.rows import pieces
from mlp.training import train
from mlp.types import Array, Data


@dataclass
class Prepared:
    """A run before its first epoch.

    `splits` maps "train", "valid" and "test", those that there are, to (X, Y) of shapes N x D and N x K.
    `model.network` has its initial weights and `rng` is the generator that shuffles. `sha256` has the hash of each
    data file, `notes` are sentences for the person who runs it, `workers` are the `processes` that train it
    together, `mpi` is what sums their bars, and `begin` has them all go on from the first one's state.
    """

    loaded: LoadedConfig
    model: Model
    splits: dict[str, Data]
    optimizer: SGD | Adam
    rng: np.random.Generator
    sha256: dict[str, str]
    notes: list[str] = field(default_factory=list)
    workers: Workers = alone
    processes: int = 1
    mpi: str | None = None
    begin: Callable[[Progress], Progress] = lambda progress: progress

    @property
    def batch_size(self) -> int:
        return min(self.loaded.config.training.batch_size, len(self.splits["train"][0]))

    @property
    def sizes(self) -> list[int]:
        """The widths of the network, from its inputs to its outputs."""
        hidden = [layer.units for layer in self.loaded.config.network.layers]
        return [len(self.model.inputs), *hidden, self.model.target.size]

    def rows(self) -> dict[str, int]:
        return {name: len(X) for name, (X, _) in self.splits.items()}

    def class_counts(self) -> dict[str, dict[str, list[int]]]:
        """For each target column of classes and each split, how many rows have each label, in the labels' order."""
        counts: dict[str, dict[str, Array]] = {}
        for split, (_, Y) in self.splits.items():
            for piece in pieces(Y):
                for column, found in self.model.target.class_counts(piece.T).items():
                    counts.setdefault(column, {}).setdefault(split, np.zeros(len(found), int))
                    counts[column][split] += found
        return {column: {split: found.tolist() for split, found in splits.items()} for column, splits in counts.items()}

    @property
    def patience(self) -> int | None:
        early_stopping = self.loaded.config.training.early_stopping
        return None if early_stopping is None else early_stopping.patience

    def epochs(self, progress: Progress) -> Iterator[EpochRecord | MinibatchRecord]:
        """Train as the config says, from where `progress` is (see `mlp.train`), on as many threads as are useful."""
        keep_freed_memory()
        training = self.loaded.config.training
        epochs = train(
            self.model.network,
            self.model.loss,
            self.optimizer,
            self.splits["train"],
            rng=self.rng,
            epochs=training.epochs,
            batch_size=self.batch_size,
            valid=self.splits.get("valid"),
            metrics=self.model.target.metrics(),
            l2=training.l2,
            schedule=make_schedule(training.schedule),
            clip=training.clip,
            patience=self.patience,
            train_loss=training.train_loss,
            progress=self.begin(progress),
            weight_decay=self.loaded.config.optimizer.model_dump().get("weight_decay", 0.0),
            workers=self.workers,
        )
        return self.thread_limit().each(epochs.minibatches())

    def thread_limit(self) -> ThreadLimit:
        """The most BLAS threads that the products of a minibatch, or of a process's part of it, can use."""
        return ThreadLimit(useful_threads(self.sizes, math.ceil(self.batch_size / self.processes)))

    def best_model(self, progress: Progress) -> Model:
        """The model with the best epoch's weights, or with those that the network has if no epoch is done yet."""
        network = copy.deepcopy(self.model.network)
        if progress.best_theta is not None:
            network.theta[...] = progress.best_theta
        return replace(self.model, network=network, epoch=progress.best_epoch)

    def scores(self, progress: Progress) -> dict[str, dict[str, float]]:
        """Loss and metrics of the best model on each split."""
        model = self.best_model(progress)
        with self.thread_limit():
            return {
                name: evaluate(model.network, model.loss, data, model.target.metrics())
                for name, data in self.splits.items()
            }

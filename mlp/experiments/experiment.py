"""Hold everything that the training of a config needs, and train it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mlp.evaluation import evaluate
from mlp.experiments.config.load import LoadedConfig
from mlp.experiments.machine import Threads, Waiting, choose_threads, environment, keep_freed_memory
from mlp.experiments.model import Model
from mlp.minibatches import Alone, Workers
from mlp.monitor import Monitor
from mlp.optimizers import SGD, Adam
from mlp.records import EpochRecord, MinibatchRecord, Progress
from mlp.schedules import warm_up
from mlp.tables.table import slices
from mlp.training import Training, train
from mlp.types import Array, Data


@dataclass
class Experiment:
    """Data, model, optimizer and generator of a config, ready to be trained.

    `splits` maps "train", "valid" and "test", those that there are, to (X, Y) of shapes N x D and N x K, or
    to (X, Y, w) with N weights of the rows.
    `model.network` has its initial weights and `rng` is the generator that shuffles. `sha256` has the hash of each
    data file, and `notes` are sentences for the person who runs it. `workers` are the processes that share each
    minibatch (see `mlp.minibatches.Workers`), `processes` is their number and `mpi` what sums their bars. `waiting`
    measures whether the threads of a training had processors; `begin` has all processes go on from the first one's
    state.
    """

    loaded: LoadedConfig
    model: Model
    splits: dict[str, Data]
    optimizer: SGD | Adam
    rng: np.random.Generator
    sha256: dict[str, str]
    notes: list[str] = field(default_factory=list)
    workers: Workers = field(default_factory=Alone)
    processes: int = 1
    mpi: str | None = None
    waiting: Waiting = field(default_factory=Waiting)
    begin: Callable[[Progress], Progress] = lambda progress: progress

    @property
    def batch_size(self) -> int:
        return min(self.loaded.config.training.batch_size, len(self.splits["train"][0]))

    def rows(self) -> dict[str, int]:
        return {name: len(data[0]) for name, data in self.splits.items()}

    def class_counts(self) -> dict[str, dict[str, list[int]]]:
        """For each target column of classes and each split, how many rows have each label, in the labels' order."""
        counts: dict[str, dict[str, Array]] = {}
        for split, data in self.splits.items():
            Y = data[1]
            for rows in slices(Y):
                for column, found in self.model.target.class_counts(Y[rows].T).items():
                    counts.setdefault(column, {}).setdefault(split, np.zeros(len(found), int))
                    counts[column][split] += found
        return {column: {split: found.tolist() for split, found in splits.items()} for column, splits in counts.items()}

    @property
    def patience(self) -> int | None:
        early_stopping = self.loaded.config.training.early_stopping
        return None if early_stopping is None else early_stopping.patience

    @property
    def monitor(self) -> Monitor:
        """What says which epoch is the best."""
        training = self.loaded.config.training
        return Monitor(self.model.target.error if training.monitor == "error" else training.monitor, training.ties)

    def epochs(self, progress: Progress) -> Iterator[EpochRecord]:
        """Train as the config says, from where `progress` is (see `mlp.train`)."""
        return (record for record in self.minibatches(progress) if isinstance(record, EpochRecord))

    def minibatches(self, progress: Progress) -> Iterator[EpochRecord | MinibatchRecord]:
        """The same training in smaller steps."""
        keep_freed_memory()
        with self.threads().limit(), self.waiting.measure():
            yield from self.training(progress).minibatches()

    def training(self, progress: Progress, **changes: Any) -> Training:
        """The training of the config, but for what `changes` say (see `mlp.train`)."""
        config, section = self.loaded.config, self.loaded.config.training.schedule
        schedule = section.make(epochs=config.training.epochs)
        options = {
            "rng": self.rng,
            "epochs": config.training.epochs,
            "batch_size": self.batch_size,
            "valid": self.splits.get("valid"),
            "metrics": self.model.target.metrics(),
            "l2": config.training.l2,
            "weight_decay": config.optimizer.weight_decay,
            "schedule": warm_up(schedule, section.warm_up) if section.warm_up else schedule,
            "clip": config.training.clip,
            "rate_factors": config.optimizer.rate_factors,
            "label_smoothing": config.loss.label_smoothing if config.loss else 0.0,
            "ema": config.training.ema,
            "monitor": self.monitor,
            "plateau": None if config.training.plateau is None else config.training.plateau.make(),
            "patience": self.patience,
            "train_loss": config.training.train_loss,
            "progress": self.begin(progress),
            "workers": self.workers,
        }
        return train(self.model.network, self.model.loss, self.optimizer, self.splits["train"], **options | changes)

    def threads(self) -> Threads:
        """The BLAS threads that the products of a minibatch, or of this process's share of it, can use.

        The largest of them, W H or one for its bars, has B K_in K_out multiplications.
        """
        B = len(self.workers.share(np.arange(self.batch_size)))
        return choose_threads(B * max(W.size for W in self.model.network.parameters().values()))

    def environment(self) -> dict[str, Any]:
        """The environment that this run computes in, for run.json."""
        with self.threads().limit():
            return environment(ranks=self.processes, mpi=self.mpi)

    def best_model(self, progress: Progress) -> Model:
        """The model with the best epoch's weights, or with those that the network has if no epoch is done yet."""
        network = copy.deepcopy(self.model.network)
        if progress.best_theta is not None:
            network.theta[...] = progress.best_theta
        return replace(self.model, network=network, epoch=progress.best_epoch)

    def scores(self, progress: Progress) -> dict[str, dict[str, float]]:
        """Loss and metrics of the best model on each split."""
        model = self.best_model(progress)
        with self.threads().limit():
            if model.target.clips:
                return {name: model.score(data, name)[0] for name, data in self.splits.items()}
            return {
                name: evaluate(model.network, model.loss, data, model.target.metrics())
                for name, data in self.splits.items()
            }

"""Train an experiment into a run directory, so that it can be stopped at any moment and goes on from there.

    config.yaml   the config, every default filled in       metrics.csv  a row an epoch
    run.json      what ran on what, and how it ended        model.npz    the best epoch's model
    last.npz      everything that a resume needs            .lock        held by the process that writes here
    loss.png      drawn by the command line

A resume rebuilds the run from config and data, puts the state of the last checkpoint into it, and goes on; what comes
out is what an uninterrupted run would have given. Every file is whole at any moment, or absent (metrics.csv may end in
a part of a row, which the next resume removes).
"""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from mlp.divergence import DivergedError, finite
from mlp.experiments import checkpoint
from mlp.experiments.advice import likely_cause
from mlp.experiments.checkpoint import checkpoint_bytes, load_checkpoint
from mlp.experiments.experiment import Experiment
from mlp.experiments.storage.files import write_file
from mlp.experiments.storage.metrics_csv import MetricsFile
from mlp.experiments.storage.run_folder import LOCK, FolderLock, as_json, now, without_nan
from mlp.records import EpochRecord, Progress

PICTURE = "loss.png"
FILES = ("config.yaml", "run.json", "metrics.csv", "model.npz", checkpoint.NAME, PICTURE, LOCK)
SECONDS_BETWEEN_CHECKPOINTS = 1.0
SHARE_OF_CHECKPOINTS = 0.05  # of the time: on a slow disk, or for a large network, they are further apart


@dataclass
class Run:
    """A run and its directory. `with run:` records in run.json how it ended; `epochs()` trains and saves.

    `saved_epoch` is the number of epochs that were done at the last checkpoint, `saved_model` the epoch whose model was
    written last, and `lost` says that the directory went away meanwhile.
    """

    folder: Path
    experiment: Experiment
    facts: dict[str, Any]
    lock: FolderLock
    progress: Progress = field(default_factory=Progress)
    saved_epoch: int = 0
    saved_model: int | None = None
    lost: bool = False

    @property
    def model_path(self) -> Path:
        return self.folder / "model.npz"

    @property
    def finished(self) -> bool:
        epochs = self.experiment.loaded.config.training.epochs
        return self.progress.epoch >= epochs or self.progress.out_of(self.experiment.patience)

    def stop(self) -> None:
        """Let `epochs()` end after the minibatch under way, with everything saved; a signal handler may call this."""
        self.experiment.workers.stop()

    def __enter__(self) -> Run:
        self.write_facts(status="running", scores=None, process={"id": os.getpid(), "host": platform.node()})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None and self.finished:
                self.write_facts(status="finished")
            elif error is None or isinstance(error, KeyboardInterrupt):
                self.write_facts(status="interrupted")
            elif isinstance(error, DivergedError):
                error.add_note(self.keep_last_finite(error))
                self.write_facts(status="diverged", reason=str(error))
            else:
                with contextlib.suppress(OSError):  # the first error is the one to tell
                    self.write_facts(status="failed", reason=str(error) or None)
        finally:
            self.lost = not self.lock.held()
            self.lock.release()

    def epochs(self) -> Iterator[EpochRecord]:
        """Train to the end of the config, or until `stop` is called; each epoch is in metrics.csv before it is yielded.

        The state is saved at the end, and in between, also within an epoch, whenever the saved one is more than
        SECONDS_BETWEEN_CHECKPOINTS old: what a crash loses is computed again, with the same result.
        """
        due = time.monotonic() + SECONDS_BETWEEN_CHECKPOINTS
        if self.finished or not (self.folder / checkpoint.NAME).exists():
            due = self.save()
        metrics = MetricsFile(self.folder)
        try:
            for record in self.experiment.minibatches(self.progress):
                epoch = record if isinstance(record, EpochRecord) else None
                if epoch:
                    metrics.append(epoch)
                    self.facts["seconds"] = round(self.facts["seconds"] + epoch.seconds, 6)
                if time.monotonic() > due or self.finished:
                    metrics.sync()
                    due = self.save()
                if epoch:
                    yield epoch
                if self.experiment.workers.stopping:
                    break
            if not self.finished:
                metrics.sync()
                self.save()
            else:
                self.facts["scores"] = self.experiment.scores(self.progress)
        except DivergedError as error:
            metrics.sync()
            error.add_note(likely_cause(self.experiment.loaded.config, error))
            raise
        finally:
            metrics.close()

    def save(self) -> float:
        """Save the state, and the model if there is a better one; returns when the next checkpoint is due."""
        started = time.monotonic()
        if not finite(self.experiment.model.network.theta):
            return started  # the run diverges at the next minibatch, or at the end of the epoch
        if self.progress.best_epoch and self.progress.best_epoch != self.saved_model:
            self.save_model()
        self.write(checkpoint.NAME, checkpoint_bytes(self.experiment, self.progress))
        self.saved_epoch = self.progress.epoch
        self.write_facts()
        ended = time.monotonic()
        return ended + max(SECONDS_BETWEEN_CHECKPOINTS, (ended - started) / SHARE_OF_CHECKPOINTS)

    def save_model(self) -> None:
        self.write(self.model_path.name, self.experiment.best_model(self.progress).to_bytes())
        self.saved_model = self.progress.best_epoch

    def keep_last_finite(self, error: DivergedError) -> str:
        """Save the last state in which every number was finite, and a model; returns what to tell about them.

        A step that diverged was not taken, so the state is in memory. Where parameters are not finite all the same, the
        last checkpoint stays as it is, and the best model is saved from memory.
        """
        if error.parameters_finite:
            self.save()
        elif self.progress.best_epoch not in (0, self.saved_model):
            self.save_model()
        if self.progress.best_epoch:
            return f"the best model, of epoch {self.progress.best_epoch}, is in {self.model_path}"
        if not error.parameters_finite:
            self.progress = load_checkpoint(self.folder, self.experiment)
        self.save_model()
        return f"the last finite weights are in {self.model_path}"

    def write_facts(self, **changes: Any) -> None:
        """Update run.json."""
        done = {"best_epoch": self.progress.best_epoch or None, "epochs_done": self.saved_epoch}
        self.facts = {**self.facts, "reason": None, **done, **changes, "written": now()}
        self.write("run.json", as_json(without_nan(self.facts)))

    def write(self, name: str, content: bytes) -> None:
        """Write a file of this run, and of no other that may be in its place by now."""
        self.lock.check()
        try:
            write_file(self.folder / name, content)
        finally:
            self.lock.check()  # it may have gone meanwhile

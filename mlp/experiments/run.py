"""A run directory: one training run on disk, from its config to its best model, and on from where it stopped.

    config.yaml   the config, every default filled in       metrics.csv  a row an epoch
    run.json      what ran on what, and how it ended        model.npz    the best epoch's model
    last.npz      everything that a resume needs            loss.png     drawn by the command line

A resume rebuilds the run from config and data, puts the state of the last checkpoint into it, and goes on; what comes
out is what an uninterrupted run would have given. Every file is whole at any moment, or absent (metrics.csv may end in
a part of a row, which the next resume removes).
"""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from mlp.divergence import DivergedError
from mlp.experiments import checkpoint
from mlp.experiments.archives import ModelFileError
from mlp.experiments.checkpoint import checkpoint_bytes, load_checkpoint
from mlp.experiments.config import dump_config, load_config
from mlp.experiments.diagnosis import likely_cause
from mlp.experiments.environment import differences, environment
from mlp.experiments.files import as_json, sweep, write_file
from mlp.experiments.folder import empty_folder, new_folder, now, read_facts, remove_folders, without_nan
from mlp.experiments.lock import FolderLock
from mlp.experiments.metrics_csv import MetricsFile, truncate_metrics
from mlp.experiments.prepare import Prepared, prepare
from mlp.experiments.yaml_text import ConfigError
from mlp.progress import EpochRecord, Progress
from mlp.tables import DataError
from mlp.training import out_of_patience

FILES = ("config.yaml", "run.json", "metrics.csv", "model.npz", checkpoint.NAME, "loss.png")
SECONDS_BETWEEN_CHECKPOINTS = 1.0
SHARE_OF_CHECKPOINTS = 0.05  # of the time: on a slow disk, or for a large network, they are further apart


@dataclass
class Run:
    """A run and its directory. `with run:` records in run.json how it ended; `epochs()` trains and saves.

    `first_epoch` is the number of epochs that were done when it was opened, `saved_epoch` that of the last checkpoint,
    `saved_model` the epoch whose model was written, and `lost` says that the directory went away meanwhile.
    """

    folder: Path
    prepared: Prepared
    facts: dict[str, Any]
    lock: FolderLock
    progress: Progress = field(default_factory=Progress)
    first_epoch: int = 0
    saved_epoch: int = 0
    saved_model: int | None = None
    stopping: bool = False
    lost: bool = False

    @property
    def model_path(self) -> Path:
        return self.folder / "model.npz"

    @property
    def finished(self) -> bool:
        epochs = self.prepared.loaded.config.training.epochs
        return self.progress.epoch >= epochs or out_of_patience(self.progress, self.prepared.patience)

    def stop(self) -> None:
        """Let `epochs()` end after the minibatch under way, with everything saved; a signal handler may call this."""
        self.stopping = True

    def __enter__(self) -> Run:
        self.write_facts(status="running", process={"id": os.getpid(), "host": platform.node()})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None and self.finished:
                self.write_facts(status="finished", scores=self.prepared.scores(self.progress))
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
        due = time.monotonic()
        if (self.folder / checkpoint.NAME).exists():
            due += SECONDS_BETWEEN_CHECKPOINTS
        else:
            due = self.save()
        metrics = MetricsFile(self.folder)
        try:
            for record in self.prepared.epochs(self.progress).minibatches():
                if isinstance(record, EpochRecord):
                    metrics.append(record)
                    self.facts["seconds"] = round(self.facts["seconds"] + record.seconds, 6)
                if self.stopping or time.monotonic() > due or (isinstance(record, EpochRecord) and self.finished):
                    metrics.sync()
                    due = self.save()
                if isinstance(record, EpochRecord):
                    yield record
                if self.stopping:
                    return
        except DivergedError as error:
            metrics.sync()
            error.add_note(likely_cause(self.prepared.loaded.config, error))
            raise
        finally:
            metrics.close()

    def save(self) -> float:
        """Save the state, and the model if there is a better one; returns when the next checkpoint is due."""
        started = time.monotonic()
        if self.progress.best_epoch and self.progress.best_epoch != self.saved_model:
            self.save_model()
        self.write(checkpoint.NAME, checkpoint_bytes(self.prepared, self.progress))
        self.saved_epoch = self.progress.epoch
        self.write_facts()
        ended = time.monotonic()
        return ended + max(SECONDS_BETWEEN_CHECKPOINTS, (ended - started) / SHARE_OF_CHECKPOINTS)

    def save_model(self) -> None:
        self.write(self.model_path.name, self.prepared.best_model(self.progress).to_bytes())
        self.saved_model = self.progress.best_epoch

    def keep_last_finite(self, error: DivergedError) -> str:
        """Save the last state in which every number was finite, and a model; returns what to tell about them.

        That is the state before the step that diverged, or the last checkpoint if the step itself overflowed.
        """
        if not error.parameters_finite:
            self.progress = load_checkpoint(self.folder, self.prepared)
        self.save()
        if not self.progress.best_epoch:
            self.save_model()
            return f"the last finite weights are in {self.model_path}"
        return f"the best model, of epoch {self.progress.best_epoch}, is in {self.model_path}"

    def write_facts(self, **changes: Any) -> None:
        """Update run.json."""
        done = {"best_epoch": self.progress.best_epoch or None, "epochs_done": self.saved_epoch}
        self.facts = {**self.facts, "reason": None, **done, **changes, "written": now()}
        self.write("run.json", as_json(without_nan(self.facts)))

    def write(self, name: str, content: bytes) -> None:
        """Write a file of this run, and of no other that may be in its place by now.

        Raises OSError when it cannot be written, or when the directory is not where it was.
        """
        try:
            write_file(self.folder / name, content, folder=self.lock.handle)
        finally:
            self.lock.check()


def start_run(prepared: Prepared, *, out: Path | None, argv: Sequence[str]) -> Run:
    """Make a new run directory, runs/<config name> or the next free number after it, or `out`.

    Raises ConfigError when it cannot be made, when `out` exists already and is not an empty directory, or when another
    process is just starting a run there. Nothing is left behind then.
    """
    made = new_folder(Path("runs") / prepared.loaded.name) if out is None else empty_folder(out)
    folder = made[0]
    facts = {
        "status": "running",
        "argv": list(argv),
        "seed": prepared.loaded.config.training.seed,
        "started": now(),
        "seconds": 0.0,
        "loss": prepared.model.loss.name,
        "rows": prepared.rows(),
        "sha256": prepared.sha256,
        "parameters": sum(W.size for W in prepared.model.network.parameters().values()),
        **environment(),
    }
    run = Run(folder, prepared, facts, FolderLock(folder))
    if out is not None:
        empty_folder(out)  # another run may have been here between the first look and the lock
    try:
        run.write("config.yaml", dump_config(prepared.loaded, folder).encode())
        run.write_facts()
    except BaseException:
        for name in ("config.yaml", "run.json"):
            (folder / name).unlink(missing_ok=True)
        remove_folders(made)
        raise
    return run


def open_run(folder: Path, overrides: Sequence[str] = ()) -> Run:
    """Open a run directory to go on with it; `overrides` may set training.epochs and nothing else.

    Raises ConfigError for other overrides, when the config has been changed since or when another process is writing to
    the directory, ModelFileError when it is not that of a run or its files are damaged, DataError when a data file is
    not the one that the run started with.
    """
    for override in overrides:
        if override.partition("=")[0].strip() != "training.epochs":
            raise ConfigError(
                f"--set {override}: a resumed run can only change training.epochs; "
                "start a new run with mlp train for anything else"
            )
    lock = lock_run(folder)
    try:
        run = Run(folder, prepare_again(folder, overrides), read_facts(folder), lock)
        if (folder / checkpoint.NAME).exists():
            run.progress = load_checkpoint(folder, run.prepared)
        elif run.facts["epochs_done"]:
            raise ModelFileError(
                f"{folder / checkpoint.NAME}: No such file, though {run.facts['epochs_done']} epochs are done; "
                "start a new run"
            )
        run.first_epoch = run.saved_epoch = run.progress.epoch
        epochs = run.prepared.loaded.config.training.epochs
        if epochs < run.progress.epoch:
            raise ConfigError(
                f"training.epochs: {run.progress.epoch} epochs are done already, cannot go back to {epochs}"
            )
    except BaseException:
        lock.release()
        raise
    return run


def lock_run(folder: Path) -> FolderLock:
    """The lock of a run directory; who has it is told by run.json. Raises like `open_run`."""
    process = read_facts(folder)["process"]
    return FolderLock(folder, f"process {process['id']} on {process['host']}" if process else "another process")


def continue_run(run: Run, *, argv: Sequence[str]) -> list[str]:
    """Make the directory say what is about to happen: the config, and no metrics beyond the saved epoch.

    Returns sentences for the person: what may keep the rest from being, to the last bit, what it would have been.
    """
    sweep(run.folder, FILES)
    changed = differences(run.facts, environment())
    notes = []
    if changed:
        notes.append(
            f"the last bits may come out otherwise than in an uninterrupted run: {', '.join(changed)} since it started"
        )
    epoch = run.progress.epoch
    kept = truncate_metrics(run.folder, epoch)
    if kept != epoch:
        notes.append(f"metrics.csv has the rows of {kept} of the {epoch} epochs that are done; the others are lost")
    run.write("config.yaml", dump_config(run.prepared.loaded, run.folder).encode())
    minibatch = run.progress.unfinished.minibatches if run.progress.unfinished else 0
    resumed = {"argv": list(argv), "started": now(), "epoch": epoch, "minibatch": minibatch, "changed": changed}
    run.facts["resumed"] = [*run.facts["resumed"], resumed]
    return notes


def prepare_again(folder: Path, overrides: Sequence[str] = ()) -> Prepared:
    """What the run of this directory started from. Raises DataError when a data file has changed since."""
    before = list(read_facts(folder)["sha256"].values())
    prepared = prepare(load_config(folder / "config.yaml", overrides))
    if len(before) != len(prepared.sha256):
        raise DataError(
            f"{folder}: the config names {len(prepared.sha256)} data files, but the run started with {len(before)}"
        )
    for (path, found), was in zip(prepared.sha256.items(), before, strict=True):
        if found != was:
            raise DataError(f"{path}: has changed since the run started (SHA-256 {found[:12]}..., was {was[:12]}...)")
    return prepared

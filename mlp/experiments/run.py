"""A run directory: one training run on disk, from its config to its best model, and on from where it stopped.

    config.yaml   the config, every default filled in       metrics.csv  a row an epoch
    run.json      what ran on what, and how it ended        model.npz    the best epoch's model
    last.npz      everything that a resume needs            loss.png     drawn by the command line

A resume rebuilds the run from config and data, puts the state of the last saved epoch into it, and goes on; what comes
out is what an uninterrupted run would have given.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from mlp.experiments.archives import ModelFileError, check_arrays, read_arrays, write_arrays
from mlp.experiments.config import dump_config, load_config
from mlp.experiments.files import write_file, write_json
from mlp.experiments.folder import (
    empty_folder,
    environment,
    metrics_row,
    new_folder,
    now,
    read_facts,
    truncate_metrics,
    without_nan,
)
from mlp.experiments.prepare import Prepared, prepare
from mlp.experiments.yaml_text import ConfigError
from mlp.optimizers import SGD
from mlp.tables import DataError
from mlp.training import DivergedError, EpochRecord, Progress, out_of_patience, set_parameters

KIND = "mlp checkpoint"
SECONDS_BETWEEN_CHECKPOINTS = 1.0


@dataclass
class Run:
    """A run and its directory. `with run:` records in run.json how it ended; `epochs()` trains and saves.

    `first_epoch` is the number of epochs that were done when it was opened, `saved_epoch` that of the last checkpoint.
    """

    folder: Path
    prepared: Prepared
    facts: dict[str, Any]
    progress: Progress = field(default_factory=Progress)
    first_epoch: int = 0
    saved_epoch: int = 0

    @property
    def model_path(self) -> Path:
        return self.folder / "model.npz"

    @property
    def finished(self) -> bool:
        epochs = self.prepared.loaded.config.training.epochs
        return self.progress.epoch >= epochs or out_of_patience(self.progress, self.prepared.patience)

    def __enter__(self) -> Run:
        self.write_facts(status="running")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.write_facts(status="finished", scores=self.prepared.scores(self.progress))
            return
        if issubclass(kind, KeyboardInterrupt):
            status = "interrupted"
        else:
            status = "diverged" if issubclass(kind, DivergedError) else "failed"
        if self.progress.best_epoch:
            self.prepared.best_model(self.progress).save(self.model_path)
        self.write_facts(status=status, reason=str(error) or None)

    def epochs(self) -> Iterator[EpochRecord]:
        """Train to the end of the config; each epoch is in metrics.csv before it is yielded.

        The state is saved after the last epoch, and in between whenever the saved one is more than
        SECONDS_BETWEEN_CHECKPOINTS old: what a crash loses is computed again, with the same result.
        """
        saved = time.monotonic()
        with open(self.folder / "metrics.csv", "a", encoding="utf-8", newline="") as file:
            for record in self.prepared.epochs(self.progress):
                row = metrics_row(record)
                writer = csv.DictWriter(file, list(row), lineterminator="\n")
                if file.tell() == 0:
                    writer.writeheader()
                writer.writerow(row)
                file.flush()
                if self.finished or time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                    self.prepared.best_model(self.progress).save(self.model_path)
                    self.save_checkpoint()
                    self.write_facts()
                    saved = time.monotonic()
                yield record

    def save_checkpoint(self) -> None:
        progress = self.progress
        arrays = {f"parameters.{name}": W for name, W in self.prepared.model.network.parameters().items()}
        arrays |= {f"best.{name}": W for name, W in progress.best_parameters.items()}
        arrays |= {f"optimizer.{name}": state for name, state in self.prepared.optimizer.state().items()}
        header = {
            "epoch": progress.epoch,
            "best_epoch": progress.best_epoch,
            "best_loss": progress.best_loss,
            "rng": self.prepared.rng.bit_generator.state,
        }
        write_arrays(self.folder / "last.npz", KIND, header, arrays)
        self.saved_epoch = progress.epoch

    def load_checkpoint(self) -> None:
        """Put the saved state into the prepared run. Raises ModelFileError when it does not fit."""
        path = self.folder / "last.npz"
        header, arrays = read_arrays(path, KIND)
        network = self.prepared.model.network
        state = {k.removeprefix("optimizer."): v for k, v in arrays.items() if k.startswith("optimizer.")}
        weights = {k: v for k, v in arrays.items() if not k.startswith("optimizer.")}
        names = [(part, name) for part in ("parameters", "best") for name in network.parameters()]
        check_arrays(path, weights, {f"{part}.{name}": network.parameters()[name].shape for part, name in names})
        numbers: list[Any] = [header.get(key) for key in ("epoch", "best_epoch", "best_loss")]
        progress = Progress(*numbers)
        if not possible(progress):
            raise ModelFileError(f"{path}: does not hold the state of this run: {progress}")
        try:
            optimizer = self.prepared.optimizer
            if isinstance(optimizer, SGD) and optimizer.momentum and not state:
                raise ValueError("the arrays 'optimizer.velocity' are missing")
            optimizer.load_state(state, network)
            self.prepared.rng.bit_generator.state = header["rng"]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"{path}: does not hold the state of this run: {error}") from None
        set_parameters(network, {name: weights[f"parameters.{name}"] for name in network.parameters()})
        progress.best_parameters = {name: weights[f"best.{name}"] for name in network.parameters()}
        self.progress, self.first_epoch, self.saved_epoch = progress, progress.epoch, progress.epoch

    def write_facts(self, **changes: Any) -> None:
        """Update run.json."""
        done = {"best_epoch": self.progress.best_epoch or None, "epochs_done": self.saved_epoch}
        self.facts = {**self.facts, "reason": None, **done, **changes, "written": now()}
        write_json(self.folder / "run.json", without_nan(self.facts))


def possible(progress: Progress) -> bool:
    """Whether the numbers, which come from a file, can be those of a run."""
    whole = isinstance(progress.epoch, int) and isinstance(progress.best_epoch, int)
    number = isinstance(progress.best_loss, float) and math.isfinite(progress.best_loss)
    return whole and number and 1 <= progress.best_epoch <= progress.epoch


def start_run(prepared: Prepared, *, out: Path | None, argv: Sequence[str]) -> Run:
    """Make a new run directory, runs/<config name> or the next free number after it, or `out`.

    Raises ConfigError when `out` exists already and is not an empty directory.
    """
    folder = new_folder(Path("runs") / prepared.loaded.name) if out is None else empty_folder(out)
    facts = {
        "status": "running",
        "argv": list(argv),
        "seed": prepared.loaded.config.training.seed,
        "started": now(),
        "loss": prepared.model.loss.name,
        "rows": prepared.rows(),
        "sha256": prepared.sha256,
        "parameters": sum(W.size for W in prepared.model.network.parameters().values()),
        **environment(),
    }
    run = Run(folder, prepared, facts)
    write_file(folder / "config.yaml", dump_config(prepared.loaded, folder).encode())
    run.write_facts()
    return run


def open_run(folder: Path, overrides: Sequence[str] = ()) -> Run:
    """Open a run directory to go on with it; `overrides` may set training.epochs and nothing else.

    Raises ConfigError for other overrides, ModelFileError when the directory is not that of a run or its files are
    damaged, DataError when a data file is not the one that the run started with.
    """
    for override in overrides:
        if override.partition("=")[0].strip() != "training.epochs":
            raise ConfigError(
                f"--set {override}: a resumed run can only change training.epochs; "
                "start a new run with mlp train for anything else"
            )
    prepared = prepare_again(folder, overrides)
    run = Run(folder, prepared, read_facts(folder))
    if (folder / "last.npz").exists():
        run.load_checkpoint()
    elif run.facts.get("epochs_done"):
        raise ModelFileError(
            f"{folder / 'last.npz'}: No such file, though {run.facts['epochs_done']} epochs are done; start a new run"
        )
    epochs = prepared.loaded.config.training.epochs
    if epochs < run.progress.epoch:
        raise ConfigError(f"training.epochs: {run.progress.epoch} epochs are done already, cannot go back to {epochs}")
    return run


def continue_run(run: Run) -> None:
    """Make the directory say what is about to happen: the config, and no metrics beyond the saved epoch."""
    write_file(run.folder / "config.yaml", dump_config(run.prepared.loaded, run.folder).encode())
    truncate_metrics(run.folder, run.progress.epoch)


def prepare_again(folder: Path, overrides: Sequence[str] = ()) -> Prepared:
    """What the run of this directory started from. Raises DataError when a data file has changed since."""
    then = list(read_facts(folder).get("sha256", {}).values())
    prepared = prepare(load_config(folder / "config.yaml", overrides))
    for (path, found), before in zip(prepared.sha256.items(), then, strict=False):
        if found != before:
            raise DataError(
                f"{path}: has changed since the run started (SHA-256 {found[:12]}..., was {before[:12]}...)"
            )
    return prepared

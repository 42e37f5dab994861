"""Start a run in a new directory, or open one again: locked, and compared with what it was."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlp.errors import ConfigError, DataError, FileError
from mlp.experiments import checkpoint
from mlp.experiments.assemble import portable, prepare, read_split
from mlp.experiments.checkpoint import check_unchanged, load_checkpoint
from mlp.experiments.config import schema
from mlp.experiments.config.load import dump_config, load_config
from mlp.experiments.experiment import Experiment
from mlp.experiments.machine import differences
from mlp.experiments.model import Model
from mlp.experiments.run import FILES, Run
from mlp.experiments.storage.files import temporary_path
from mlp.experiments.storage.metrics_csv import truncate_metrics
from mlp.experiments.storage.run_folder import LOCK, FolderLock, empty_folder, new_folder, now, read_facts, remove
from mlp.records import Progress
from mlp.tables import Table
from mlp.types import Array, Data


def start_run(experiment: Experiment, *, out: Path | None, argv: Sequence[str]) -> Run:
    """Make a new run directory, runs/<config name> or the next free number after it, or `out`.

    Nothing is left behind when that fails. Raises FileError when the model could not be saved at the end.
    """
    experiment.best_model(Progress()).to_bytes()
    facts = opening_facts(experiment, argv)
    made = new_folder(Path("runs") / experiment.loaded.name) if out is None else empty_folder(out)
    folder = made[0] if out is None else out
    with contextlib.ExitStack() as undo:
        undo.callback(remove, made)
        held = FolderLock(folder)
        undo.callback(held.release)
        if out is not None:
            empty_folder(out)  # another run may have been here between the first look and the lock
        undo.callback(remove, [folder / name for name in ("config.yaml", "run.json", LOCK)])
        run = Run(folder, experiment, facts, held)
        run.write("config.yaml", dump_config(experiment.loaded, folder).encode())
        run.write_facts()
        undo.pop_all()
    experiment.notes.extend(filter(None, [held.problem]))
    return run


def opening_facts(experiment: Experiment, argv: Sequence[str]) -> dict[str, Any]:
    """What run.json says of a run before its first epoch."""
    return {
        "status": "running",
        "argv": list(argv),
        "seed": experiment.loaded.config.training.seed,
        "started": now(),
        "seconds": 0.0,
        "loss": experiment.model.loss.name,
        "rows": experiment.rows(),
        "sha256": experiment.sha256,
        "parameters": sum(W.size for W in experiment.model.network.parameters().values()),
        **experiment.environment(),
    }


def open_run(folder: Path, overrides: Sequence[str] = (), *, prepare: Callable[..., Experiment] = prepare) -> Run:
    """Open a run directory to go on with it; `overrides` may set training.epochs and nothing else.

    `prepare` is called as `mlp.experiments.assemble.prepare` is, which several processes do together. Raises
    ConfigError when the config has been changed since, DataError when a data file has.
    """
    for override in overrides:
        if override.partition("=")[0].strip() != "training.epochs":
            raise ConfigError(
                f"--set {override}: a resumed run can only change training.epochs; "
                "start a new run with mlp train for anything else"
            )
    process = read_facts(folder)["process"]
    held = FolderLock(folder, f"process {process['id']} on {process['host']}" if process else "another process")
    try:
        remove([temporary_path(folder / name) for name in FILES])  # left by a kill
        facts = read_facts(folder)
        run = Run(folder, prepare_again(folder, facts, overrides, prepare=prepare), facts, held)
        if (folder / checkpoint.NAME).exists():
            run.progress = load_checkpoint(folder, run.experiment)
        elif run.facts["epochs_done"]:
            raise FileError(
                f"{folder / checkpoint.NAME}: No such file, though {run.facts['epochs_done']} epochs are done; "
                "start a new run"
            )
        run.saved_epoch = run.progress.epoch
        epochs, epoch = run.experiment.loaded.config.training.epochs, run.progress.epoch
        if epochs < epoch:
            raise ConfigError(f"training.epochs: {epoch} epochs are done already, cannot go back to {epochs}")
        if epochs == epoch and run.progress.unfinished is not None:
            raise ConfigError(
                f"training.epochs: epoch {epoch + 1} is under way already, cannot go back to {epochs}; "
                f"set it to {epoch + 1} or more"
            )
    except BaseException:
        held.release()
        raise
    return run


def continue_run(run: Run, *, argv: Sequence[str]) -> list[str]:
    """Write the config, and cut metrics.csv off behind the saved epoch.

    Returns notes for the person: why the result may differ, in its last bits, from that of an uninterrupted run.
    """
    changed = differences(run.facts, run.experiment.environment())
    changes, epoch = changes_since(run.facts, changed), run.progress.epoch
    try:
        kept = truncate_metrics(run.folder, epoch)
        run.write("config.yaml", dump_config(run.experiment.loaded, run.folder).encode())
    except BaseException:
        run.lock.release()
        raise
    minibatch = run.progress.unfinished.minibatches if run.progress.unfinished else 0
    resumed = {"argv": list(argv), "started": now(), "epoch": epoch, "minibatch": minibatch, "changed": changed}
    run.facts["resumed"] = [*run.facts["resumed"], resumed]
    notes = list(filter(None, [run.lock.problem]))
    if changes:
        notes.append(
            f"the last bits may come out otherwise than in an uninterrupted run: {', '.join(changes)} since it started"
        )
    if kept < epoch:
        notes.append(f"metrics.csv has the rows of {kept} of the {epoch} epochs that are done; the others are lost")
    return notes


def changes_since(facts: Mapping[str, Any], now: Sequence[str]) -> list[str]:
    """The changes of the environment since the run started: `now`, and in the resumes before."""
    before = {change: None for each in facts["resumed"] for change in each["changed"] if change not in now}
    return [*now, *(f"{change} for a part of it" for change in before)]


def prepare_again(
    folder: Path, facts: Mapping[str, Any], overrides: Sequence[str] = (), prepare: Callable[..., Experiment] = prepare
) -> Experiment:
    """The experiment that the run of this directory started with. Raises DataError when a data file has changed."""
    experiment = prepare(load_config(folder / "config.yaml", overrides), advise=False)
    check_files(folder, facts, experiment.loaded.config.data, experiment.sha256)
    return experiment


def own_rows(folder: Path, model: Model, split: str | None) -> tuple[str, Data]:
    """The coded rows of a run that a model of it is scored on, and which split they are (see `own_table`)."""
    split, table, weights = own_table(folder, model, split)
    return split, (*model.encode(table, split), *weights)


def own_table(folder: Path, model: Model, split: str | None) -> tuple[str, Table, tuple[Array, ...]]:
    """A split of a run, by default the last that it has: its name, the table, and weights if its rows have some.

    No more files are read than these rows are in. Raises DataError when one has changed.
    """
    facts, loaded = read_facts(folder), load_config(folder / "config.yaml")
    check_unchanged(folder, model.config, portable(loaded.config))
    split = split or list(facts["rows"])[-1]
    if split not in facts["rows"]:
        raise ConfigError(f"--split {split}: this run has only {', '.join(facts['rows'])}")
    table, weights = read_split(loaded, model, split, sha256 := dict[str, str]())
    check_files(folder, facts, loaded.config.data, sha256)
    if (table.inputs, table.targets) != (model.inputs, model.target.names):
        raise DataError(f"{folder}: its model is not of this run: it has other input or target columns")
    return split, table, weights


def check_files(folder: Path, facts: Mapping[str, Any], data: schema.Data, sha256: Mapping[str, str]) -> None:
    """Raises DataError when a file that was read is not what the run started with.

    The files of a run may have moved since, but they are named in the same order.
    """
    before = dict(zip(dict.fromkeys(data.paths().values()), facts["sha256"].values(), strict=False))
    for path, found in sha256.items():
        if path not in before:
            raise DataError(f"{folder}: the config names {path}, with which the run did not start")
        if found != before[path]:
            raise DataError(
                f"{path}: has changed since the run started (SHA-256 {found[:12]}..., was {before[path][:12]}...)"
            )

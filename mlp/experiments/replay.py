"""Train a finished run again, in memory alone, and compare it with what is on disk (`mlp train --replay`)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlp.errors import ConfigError
from mlp.experiments import checkpoint
from mlp.experiments.assemble import prepare
from mlp.experiments.checkpoint import check_unchanged, checkpoint_bytes
from mlp.experiments.experiment import Experiment
from mlp.experiments.machine import differences
from mlp.experiments.model import KIND as MODEL_KIND
from mlp.experiments.model import load_model
from mlp.experiments.start import changes_since, prepare_again
from mlp.experiments.storage.archive import read_archive, read_arrays
from mlp.experiments.storage.metrics_csv import as_line, cells, read_lines
from mlp.experiments.storage.run_folder import read_facts
from mlp.records import EpochRecord, Progress


@dataclass
class Replay:
    """A finished run, trained again by `records()`.

    After the last one `difference` is None if the rows of metrics.csv, model.npz and last.npz are the same, bit by bit;
    otherwise it says what differs first. `changed` lists what has changed in the environment.
    """

    folder: Path
    experiment: Experiment
    lines: list[str]
    changed: list[str]
    progress: Progress = field(default_factory=Progress)
    difference: str | None = None

    def records(self) -> Iterator[EpochRecord]:
        """Train to the end, or through the first epoch that differs."""
        state = b""
        for record in self.experiment.epochs(self.progress):
            self.difference = self.compare_row(record)
            yield record
            if self.difference:
                return
            if record.epoch == len(self.lines) - 1:
                state = checkpoint_bytes(self.experiment, self.progress)
        if len(self.lines) > self.progress.epoch + 1:
            self.difference = f"metrics.csv has {len(self.lines) - 1} epochs, the replay {self.progress.epoch}"
            return
        model = self.experiment.best_model(self.progress).to_bytes()
        for name, kind, content in (("model.npz", MODEL_KIND, model), (checkpoint.NAME, checkpoint.KIND, state)):
            self.difference = self.difference or compare_file(self.folder / name, kind, content)

    def compare_row(self, record: EpochRecord) -> str | None:
        """The difference of an epoch's row from the one in metrics.csv, if any."""
        row = cells(record)
        header = as_line(row, header=True)
        if self.lines[:1] != [header]:
            return f"the columns of metrics.csv are not those of the run: {header.strip()}"
        if len(self.lines) <= record.epoch:
            return f"metrics.csv has no row for epoch {record.epoch}"
        if self.lines[record.epoch] == as_line(row):
            return None
        was = next(csv.reader([self.lines[record.epoch]]))
        now = next(csv.reader([as_line(row)]))
        pairs = [f"{name} {n} (was {w})" for name, n, w in zip(row, now, was, strict=False) if n != w]
        return f"differs first in epoch {record.epoch}: {', '.join(pairs) or 'the row has another length'}"


def compare_file(path: Path, kind: str, content: bytes) -> str | None:
    """The difference of a file from what it would be now, if any: by which arrays, or by its header.

    The bytes between these are not compared: other versions of Python write another container.
    """
    then_header, then = read_arrays(path, kind)
    now_header, now = read_archive(path, kind, io.BytesIO(content))
    names = [name for name in now if name not in then or now[name].tobytes() != then[name].tobytes()]
    if names or then.keys() - now.keys() or then_header != now_header:
        return f"all epochs are the same, but {path.name} is not: {', '.join(names) or 'its header'}"
    return None


def open_replay(folder: Path, *, prepare: Callable[..., Experiment] = prepare) -> Replay:
    """A finished run, ready to be trained again; `prepare` as in `open_run`."""
    facts = read_facts(folder)
    if facts["status"] != "finished":
        raise ConfigError(
            f"{folder}: is {facts['status']} after {facts['epochs_done']} epochs; only a finished run can be replayed"
        )
    experiment = prepare_again(folder, facts, prepare=prepare)
    check_unchanged(folder, load_model(folder).config, experiment.model.config)
    changed = differences(facts, experiment.environment())
    return Replay(folder, experiment, read_lines(folder), changes_since(facts, changed))

"""What the command line prints about data, networks and results, as plain text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mlp.experiments.experiment import Experiment
from mlp.experiments.model import Model
from mlp.experiments.storage.run_json import without_nan
from mlp.records import EpochRecord
from mlp.text import aligned, visible
from mlp.types import Array

MOST_SHOWN = 12  # a table of more classes than this says less than their number


def describe_data(experiment: Experiment) -> str:
    """What was read: rows of each split, and of each class in them."""
    config, target, rows = experiment.loaded.config, experiment.model.target, experiment.rows()
    columns = len(experiment.model.inputs)
    lines = [
        f"data: {visible(config.data.path)}: {sum(rows.values())} rows, {columns} input column{'s' * (columns != 1)}, "
        f"target {visible(', '.join(target.names))}"
    ]
    counts = experiment.class_counts()
    few = {column: labels for column, labels in target.labels.items() if len(labels) <= MOST_SHOWN}
    for column, labels in few.items():
        body = [[split, str(rows[split]), *map(str, found)] for split, found in counts[column].items()]
        lines.append(aligned([[column, "rows", *labels], *body]))
    if not few:
        lines.append("rows: " + ", ".join(f"{split} {count}" for split, count in rows.items()))
    lines += [
        f"classes of {visible(column)}: {len(labels)}" for column, labels in target.labels.items() if column not in few
    ]
    return "\n".join([*lines, *(f"note: {note}" for note in (*experiment.loaded.notes, *experiment.notes))])


def describe_network(experiment: Experiment) -> str:
    """Layers, shapes and parameters."""
    network = experiment.model.network
    table = aligned([["layer", "W", "b", "activation", "parameters"], *layer_rows(network.layers)], left=4)
    parameters = f"{network.theta.size:,} parameters"
    return f"{table}\n{parameters}; the last layer is linear, loss: {experiment.model.loss.name}"


def layer_rows(layers: Sequence[Any], above: str = "") -> Iterator[list[str]]:
    """A row for each layer; those inside layer 2 are 2.1, 2.2, ..."""
    for number, layer in enumerate(layers, 1):
        if hasattr(layer, "inner"):
            yield from layer_rows(layer.inner.layers, f"{above}{number}.")
        else:
            W, b = layer.W, layer.b
            yield [f"{above}{number}", shape(W), shape(b), layer.g.name, f"{W.size + b.size:,}"]


def shape(array: Array) -> str:
    return " x ".join(map(str, array.shape))


def describe_epoch(record: EpochRecord) -> str:
    """The losses and the validation metrics of an epoch, for a progress bar or a line."""
    parts = []
    for split, loss in (("train", record.train_loss), ("valid", record.valid_loss)):
        if loss is not None:
            metrics = [
                (name.removeprefix(f"{split}_"), value)
                for name, value in record.metrics.items()
                if name.startswith(f"{split}_")
            ]
            shown = ", ".join(f"{name} {number(value)}" for name, value in metrics)
            parts.append(f"{split} {number(loss)}" + (f" ({shown})" if shown else ""))
    return "  ".join(parts)


def describe_scores(scores: Mapping[str, Mapping[str, float]]) -> str:
    """One row a split, one column a metric."""
    names = list(next(iter(scores.values())))
    rows = [[split, *(number(score[name]) for name in names)] for split, score in scores.items()]
    return aligned([["", *names], *rows])


def describe_confusion(column: str, labels: Sequence[str], counts: Array) -> str:
    """A row for each true class, a column for each predicted one."""
    header = [f"{column}: true \\ predicted", *labels]
    return aligned([header, *([label, *map(str, row)] for label, row in zip(labels, counts.tolist(), strict=True))])


def scores_json(
    model: Model,
    name: str,
    data: str | None,
    split: str | None,
    rows: int,
    scores: Mapping[str, float],
    confusion: Mapping[str, Array],
) -> str:
    """Scores and confusion counts as one JSON object; null where a score has no value."""
    counts = {
        column: {"labels": model.target.labels[column], "counts": matrix.tolist()}
        for column, matrix in confusion.items()
    }
    source = {"model": name, "data": data, "split": split, "rows": rows, "epoch": model.epoch}
    return json.dumps(without_nan({**source, **scores, "confusion": counts}))


def number(value: Any) -> str:
    """Four significant digits, or a dash for what has no value."""
    return "-" if value is None or value != value else f"{value:.4g}"


def answers_csv(answers: Mapping[str, Array]) -> str:
    """Columns of answers as CSV: labels as they are, float32 with its seven digits, float64 as it is."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(answers)
    columns = [
        [f"{value:.7g}" for value in column.tolist()] if column.dtype == np.float32 else column.tolist()
        for column in answers.values()
    ]
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue()

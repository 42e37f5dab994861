"""Write data, networks and results as the plain text that the command line prints."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlp.experiments.experiment import Experiment
from mlp.experiments.storage.run_folder import without_nan
from mlp.records import EpochRecord
from mlp.tables.table import Texts
from mlp.tables.target import Report
from mlp.text import aligned, quoted, visible
from mlp.types import Array

WORDS = {
    "balanced_accuracy": "balanced accuracy",
    "log_loss": "log-loss",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
}
MOST_SHOWN = 12  # classes: of more only the number is told


def describe_data(experiment: Experiment) -> str:
    """The rows of each split, and of each class in it."""
    config, target, rows = experiment.loaded.config, experiment.model.target, experiment.rows()
    columns, coded = len(experiment.model.inputs), experiment.model.coding.size
    inputs = f"{columns} input column{'s' * (columns != 1)}" + (f" ({coded} coded)" if coded != columns else "")
    lines = [
        f"data: {visible(config.data.path)}: {sum(rows.values())} rows, {inputs}, "
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
    """Each layer with the shapes and the number of its parameters."""
    rows = [["layer", "", "shapes", "parameters"]]
    for number, layer in enumerate(experiment.model.network.layers, 1):
        arrays = {name: getattr(layer, name) for name in layer.parameters}
        shapes = ", ".join(f"{name} {' x '.join(map(str, array.shape))}" for name, array in arrays.items())
        rows.append([str(number), repr(layer), shapes, f"{sum(array.size for array in arrays.values()):,}"])
    network = experiment.model.network
    total, activation = network.theta.size, getattr(network.layers[-1], "g", None)
    output = "linear" if activation is None or activation.name == "identity" else activation.name
    return (
        f"{aligned(rows, left=3)}\n{total:,} parameters; the last layer is {output}, loss: {experiment.model.loss.name}"
    )


def describe_epoch(record: EpochRecord) -> str:
    """The losses and the validation metrics of an epoch, for a progress bar or a line."""
    parts = []
    for split, loss in (("train", record.train_loss), ("valid", record.valid_loss)):
        if loss is not None:
            metrics = {name: value for name, value in record.metrics.items() if name.startswith(f"{split}_")}
            shown = ", ".join(f"{name.removeprefix(f'{split}_')} {number(value)}" for name, value in metrics.items())
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


def describe_report(name: str, report: Report) -> str:
    """The scores of each class, those of the column, and those of one answer for all rows."""
    lines = []
    if report.classes:
        keys = list(next(iter(report.classes.values())))
        body = [[label, *(number(found[key]) for key in keys)] for label, found in report.classes.items()]
        lines.append(aligned([[name, *keys], *body]))
    of = {key: f" of {quoted(list(report.classes)[1])}" for key in ("roc_auc", "average_precision") if report.classes}
    found = [f"{WORDS.get(key, key)}{of.get(key, '')} {number(value)}" for key, value in report.scores.items()]
    always = [f"{WORDS.get(key, key)} {number(value)}" for key, value in report.always[1].items()]
    lines += [", ".join(found)] if found else []
    answer = quoted(report.always[0]) if report.classes else visible(report.always[0])
    lines.append(f"always {answer}: {', '.join(always)}")
    return "\n".join(lines if report.classes else [f"{visible(name)}: {lines[0]}", *lines[1:]])


def scores_json(
    scores: Mapping[str, Any],
    labels: Mapping[str, Sequence[str]],
    confusion: Mapping[str, Array],
    reports: Mapping[str, Report],
) -> str:
    """Scores, confusion counts and reports as one JSON object; null where a score has no value."""
    counts = {column: {"labels": labels[column], "counts": matrix.tolist()} for column, matrix in confusion.items()}
    columns = {
        name: {**each.scores, "always": {"answer": each.always[0], **each.always[1]}, "classes": each.classes}
        for name, each in reports.items()
    }
    return json.dumps(without_nan({**scores, "confusion": counts, "columns": columns}))


def number(value: Any) -> str:
    """Four significant digits, or a dash for what has no value."""
    return "-" if value is None or value != value else f"{value:.4g}"


def written(column: Array | Texts) -> Array:
    """A column as it is written, if it was asked for as text."""
    return column.written() if isinstance(column, Texts) else column


def predictions_csv(predictions: Mapping[str, Array]) -> str:
    """Columns of predictions as CSV: labels as they are, float32 with its seven digits, float64 as it is."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(predictions)
    columns = [
        map("%.7g".__mod__, column.tolist()) if column.dtype == np.float32 else column.tolist()
        for column in predictions.values()
    ]
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue()

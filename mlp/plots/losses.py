"""Draw the losses and other measures of runs over their epochs, legible in print and for colour-blind readers.

Colours are those of Okabe and Ito (2008); line styles and markers tell the curves apart where there is no colour.
matplotlib is imported when a picture is drawn, and never needs a display.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlp.errors import FileError
from mlp.experiments.storage.files import write_file
from mlp.experiments.storage.metrics_csv import read_metrics
from mlp.experiments.storage.run_folder import read_facts
from mlp.losses import LOSSES
from mlp.text import visible

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P")  # not as many as colours, so that 42 runs differ
MOST_INSIDE = 5  # a legend of more runs stands beside the curves


def plot_runs(folders: Sequence[Path], path: Path, *, log: bool = False, measures: Sequence[str] = ("loss",)) -> None:
    """Draw measures of metrics.csv, one below the other, of one run or of several to compare, into a file.

    A measure is "loss", a metric such as "accuracy", or a column such as "gradient_norm"; the file's ending decides how
    it is written. Where there is a validation curve it is solid, its best epoch a star, and the training curve is
    dashed. Raises FileError when a folder is not a run's, has no epoch yet, or has no such measure.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    runs = [(label(folder.resolve().name), read_facts(folder), read_metrics(folder)) for folder in folders]
    for folder, (_, _, rows) in zip(folders, runs, strict=True):
        if not rows:
            raise FileError(f"{folder}: metrics.csv has no epoch yet, nothing to draw")
        for measure in measures:
            if not columns_of(rows, measure):
                raise FileError(f"{folder}: metrics.csv has no {measure!r}, only {', '.join(measures_of(rows))}")
    figure = Figure(figsize=(7.0, 4.2 + 2.6 * (len(measures) - 1)), layout="constrained")
    panels = figure.subplots(len(measures), sharex=True, squeeze=False)[:, 0]
    for axes, measure in zip(panels, measures, strict=True):
        draw_measure(axes, runs, measure)
        if log:
            axes.set_yscale("log")
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(runs) <= MOST_INSIDE:
        panels[0].legend(frameon=False, fontsize=9)
    else:
        panels[0].legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    if len(runs) == 1:
        panels[0].set_title(runs[0][0], loc="left", fontsize=11)
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix.removeprefix("."), dpi=160)
    write_file(path, picture.getvalue())


def draw_measure(axes: Any, runs: Sequence[tuple[str, dict[str, Any], list[dict[str, Any]]]], measure: str) -> None:
    """Draw one measure of all runs. The axis says what it is; runs of different losses say theirs in the legend."""
    losses = [facts.get("loss", "") for _, facts, _ in runs]
    mixed = measure == "loss" and len({*losses}) > 1
    for number, ((name, facts, rows), loss) in enumerate(zip(runs, losses, strict=True)):
        told = f"{name} ({loss})" if mixed else name
        draw_run(axes, told, facts, rows, measure, number, alone=len(runs) == 1)
    if len(runs) > 1 and any(line.get_linestyle() == "--" for line in axes.get_lines()):
        axes.plot([], [], "--", color="0.4", lw=1.0, label="training")
    unit = f" ({LOSSES[losses[0]].unit})" if measure == "loss" and not mixed and losses[0] in LOSSES else ""
    axes.set_ylabel("losses that do not compare" if mixed else label(measure.replace("_", " ")) + unit)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def columns_of(rows: Sequence[dict[str, Any]], measure: str) -> list[str]:
    """The columns of a measure, of training and validation or one by itself, that have a number in each row."""
    names = [name for name in (f"train_{measure}", f"valid_{measure}", measure) if name in rows[0]]
    return [name for name in names if name != "epoch" and all(row.get(name) is not None for row in rows)]


def measures_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What can be drawn."""
    names = [name.removeprefix("train_").removeprefix("valid_") for name in rows[0] if name != "epoch"]
    return [name for name in dict.fromkeys(names) if columns_of(rows, name)]


def label(name: str) -> str:
    """A name as matplotlib can draw it: nothing unprintable, and no formula between dollars."""
    return visible(name).replace("$", r"\$")


def draw_run(
    axes: Any, name: str, facts: dict[str, Any], rows: list[dict[str, Any]], measure: str, number: int, *, alone: bool
) -> None:
    """One run's curves: alone in two colours, among others in one colour and with a marker of its own."""
    epochs = [row["epoch"] for row in rows]
    columns = columns_of(rows, measure)
    has_valid = columns[-1].startswith("valid_")
    train, valid = ([row[name] for row in rows] for name in (columns[0], columns[-1]))
    colour = COLOURS[number % len(COLOURS)]
    marker = MARKERS[number % len(MARKERS)]
    sparse = {"marker": marker, "markevery": max(1, len(rows) // 8), "markersize": 4}
    prefix = "" if alone else f"{name}: "
    status = facts.get("status")
    ending = "" if status in ("finished", "running") else f" ({status})"
    points = {"marker": "o", "markersize": 3} if len(rows) == 1 else {}
    both = len(columns) > 1
    if alone:
        if both or not has_valid:
            axes.plot(epochs, train, "--" if both else "-", color=COLOURS[0], lw=1.4, label="training", **points)
        if has_valid:
            axes.plot(epochs, valid, "-", color=COLOURS[1], lw=1.8, label=f"validation{ending}", **points)
    elif has_valid:
        if both:
            axes.plot(epochs, train, "--", color=colour, lw=1.0, alpha=0.7)
        axes.plot(epochs, valid, "-", color=colour, lw=1.8, label=f"{prefix}validation{ending}", **sparse)
    else:
        axes.plot(epochs, train, "-", color=colour, lw=1.4, label=f"{prefix}training{ending}", **sparse)
    shown = valid if has_valid else train
    if facts.get("best_epoch") in epochs:
        best = epochs.index(facts["best_epoch"])
    elif measure == "loss":  # of a run under way
        best = min(range(len(rows)), key=shown.__getitem__)
    else:
        return
    axes.plot(
        epochs[best],
        shown[best],
        "*",
        color=COLOURS[1] if alone and has_valid else colour,
        markersize=13,
        markeredgecolor="white",
        label=f"best epoch {epochs[best]:.0f} ({shown[best]:.4g})" if alone else None,
    )

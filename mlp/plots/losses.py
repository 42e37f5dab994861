"""Pictures of loss curves, legible in print and for colour-blind readers.

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


def plot_runs(folders: Sequence[Path], path: Path, *, log: bool = False) -> None:
    """Draw the training and validation loss of one run, or of several to compare, into a file (its ending decides).

    Where there is a validation loss it is solid, its best epoch a star, and the training loss is dashed. Raises
    FileError when a folder is not a run's or has no epoch yet.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    runs = [(label(folder.resolve().name), read_facts(folder), read_metrics(folder)) for folder in folders]
    for folder, (_, _, rows) in zip(folders, runs, strict=True):
        if not rows:
            raise FileError(f"{folder}: metrics.csv has no epoch yet, nothing to draw")
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for number, (name, facts, rows) in enumerate(runs):
        draw_run(axes, name, facts, rows, number, alone=len(runs) == 1)
    if len(runs) > 1 and any(line.get_linestyle() == "--" for line in axes.get_lines()):
        axes.plot([], [], "--", color="0.4", lw=1.0, label="training")
    losses = {LOSSES.get(facts.get("loss", "")) for _, facts, _ in runs}
    unit = "".join(loss.unit for loss in losses if loss) if len(losses) == 1 else ""
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"loss ({unit})" if unit else "loss")
    if log:
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if len(runs) <= MOST_INSIDE:
        axes.legend(frameon=False, fontsize=9)
    else:
        axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    if len(runs) == 1:
        axes.set_title(runs[0][0], loc="left", fontsize=11)
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix.removeprefix("."), dpi=160)
    write_file(path, picture.getvalue())


def label(name: str) -> str:
    """A name as matplotlib can draw it: nothing unprintable, and no formula between dollars."""
    return visible(name).replace("$", r"\$")


def draw_run(
    axes: Any, name: str, facts: dict[str, Any], rows: list[dict[str, Any]], number: int, *, alone: bool
) -> None:
    """One run's curves: alone in two colours, among others in one colour and with a marker of its own."""
    epochs = [row["epoch"] for row in rows]
    train = [row["train_loss"] for row in rows]
    valid = [row["valid_loss"] for row in rows]
    has_valid = all(value is not None for value in valid)
    colour = COLOURS[number % len(COLOURS)]
    marker = MARKERS[number % len(MARKERS)]
    sparse = {"marker": marker, "markevery": max(1, len(rows) // 8), "markersize": 4}
    prefix = "" if alone else f"{name}: "
    status = facts.get("status")
    ending = "" if status in ("finished", "running") else f" ({status})"
    points = {"marker": "o", "markersize": 3} if len(rows) == 1 else {}
    if alone:
        axes.plot(epochs, train, "--" if has_valid else "-", color=COLOURS[0], lw=1.4, label="training", **points)
        if has_valid:
            axes.plot(epochs, valid, "-", color=COLOURS[1], lw=1.8, label=f"validation{ending}", **points)
    elif has_valid:
        axes.plot(epochs, train, "--", color=colour, lw=1.0, alpha=0.7)
        axes.plot(epochs, valid, "-", color=colour, lw=1.8, label=f"{prefix}validation{ending}", **sparse)
    else:
        axes.plot(epochs, train, "-", color=colour, lw=1.4, label=f"{prefix}training{ending}", **sparse)
    shown = valid if has_valid else train
    lowest = min(range(len(rows)), key=shown.__getitem__)
    best = epochs.index(facts["best_epoch"]) if facts.get("best_epoch") in epochs else lowest
    axes.plot(
        epochs[best],
        shown[best],
        "*",
        color=COLOURS[1] if alone and has_valid else colour,
        markersize=13,
        markeredgecolor="white",
        label=f"best epoch {epochs[best]:.0f} ({shown[best]:.4g})" if alone else None,
    )

"""Draw the errors of all entrants, table by table, as ratios to those of boosted trees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

BASE = "boosting"
COLOURS = {"classification": "#0072b2", "regression": "#d55e00"}


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """A line of dots for each entrant, a dot a table: the mean ratio over the splits; a bar is the geometric mean."""
    from matplotlib.figure import Figure

    errors = {(row["entrant"], row["table"], row["split"]): row["error"] for row in rows}
    tasks = {row["table"]: row["task"] for row in rows}
    entrants = [name for name in dict.fromkeys(row["entrant"] for row in rows) if name != BASE]
    figure = Figure(figsize=(7, 0.6 + 0.45 * len(entrants)), layout="constrained")
    axes = figure.add_subplot()
    for place, entrant in enumerate(entrants):
        means = []
        for table, task in tasks.items():
            logs = [
                np.log(error / errors[BASE, table, split])
                for (name, other, split), error in errors.items()
                if (name, other) == (entrant, table) and (BASE, table, split) in errors
            ]
            if logs:
                means.append(np.mean(logs))
                axes.plot(np.exp(means[-1]), place, "o", color=COLOURS[task], alpha=0.6, markersize=6)
        if means:
            middle = float(np.exp(np.mean(means)))
            axes.plot([middle, middle], [place - 0.3, place + 0.3], color="black", lw=2.5)
            axes.annotate(f"{middle:.2f}", (middle, place - 0.36), ha="center", va="bottom", fontsize=8)
    for task, colour in COLOURS.items():
        axes.plot([], [], "o", color=colour, label=task)
    axes.axvline(1, color="grey", lw=0.8)
    axes.set_xscale("log")
    axes.set_xticks([0.5, 0.7, 1, 1.5, 2, 3], ["0.5", "0.7", "1", "1.5", "2", "3"], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_yticks(range(len(entrants)), entrants)
    axes.invert_yaxis()
    axes.set_xlabel("error / error of boosted trees (left is better)")
    figure.legend(fontsize=8, loc="outside upper right", ncols=2)
    figure.savefig(path, dpi=150)

"""The picture of the steps: in each cell, mlp's time as a ratio to everybody's, floor and fastest peer marked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarking.results import Row

TITLES = {"sgd": "SGD with momentum", "adam": "Adam"}
FLOOR, FASTEST, PEERS = "#0072b2", "#d55e00", "#999999"  # of the palette of Okabe and Ito, for all kinds of eyes


def draw(rows: Sequence[Row], machine: str, path: Path) -> None:
    """One panel an optimizer, one column a cell; below the line at 1, mlp is faster. No file if mlp was alone."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = [row for row in rows if row.part == "steps" and row.ratio is not None and row.competitor != "mlp"]
    optimizers = [optimizer for optimizer in TITLES if any(row.optimizer == optimizer for row in steps)]
    if not optimizers:
        return
    figure = Figure(figsize=(11, 4.2 * len(optimizers) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(optimizers), 1, squeeze=False, sharey=True)[:, 0]
    for panel, optimizer in zip(panels, optimizers, strict=True):
        draw_panel(panel, [row for row in steps if row.optimizer == optimizer])
        panel.set_title(TITLES[optimizer], loc="left")
    panels[0].legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=4, frameon=False)
    figure.supylabel("time of mlp / time of the other, for one step", fontsize=10)
    figure.supxlabel(f"{machine}; medians of paired ratios", fontsize=8)
    figure.savefig(path, dpi=110)


def draw_panel(panel: Any, rows: Sequence[Row]) -> None:
    from matplotlib.ticker import NullFormatter

    cells = list(dict.fromkeys(row.cell for row in rows))
    ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]
    for place, cell in enumerate(cells):
        found = {row.competitor: row.ratio for row in rows if row.cell == cell}
        floor = found.pop("floor", None)
        label = {"_": ""} if place else None
        if found:
            fastest = max(found, key=lambda name: found[name] or 0)
            others = [ratio for name, ratio in found.items() if name != fastest]
            panel.plot([place] * len(others), others, "_", color=PEERS, ms=11, label="other peers" if not label else "")
            panel.plot(place, found[fastest], "o", color=FASTEST, ms=8, label="fastest peer" if not label else "")
            panel.annotate(
                fastest.replace("torch ", ""),
                (place, found[fastest]),
                xytext=(0, -13),
                textcoords="offset points",
                ha="center",
                fontsize=7,
                color=FASTEST,
            )
        if floor is not None:
            panel.plot(place, floor, "s", color=FLOOR, ms=7, label="matrix products alone" if not label else "")
    panel.axhline(1, color="black", lw=1)
    panel.set_yscale("log")
    panel.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.grid(axis="y", color="#dddddd")
    panel.set_axisbelow(True)
    panel.set_xticks(range(len(cells)), [f"B = {batch}" for _, batch, _ in cells], fontsize=8)
    for network in dict.fromkeys(network for network, _, _ in cells):
        places = [place for place, cell in enumerate(cells) if cell[0] == network]
        panel.text(sum(places) / len(places), -0.13, network, transform=panel.get_xaxis_transform(), ha="center")
        panel.axvline(places[-1] + 0.5, color="#bbbbbb", lw=0.8)
    panel.set_xlim(-0.5, len(cells) - 0.5)

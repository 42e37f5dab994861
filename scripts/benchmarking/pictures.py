"""Draw the steps: in each cell, mlp's time as a ratio to everybody's, with floor and fastest peer marked."""

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
    ratios = [row.ratio or 1 for row in steps]
    panels[0].set_ylim(0.8 * min(ratios), 1.25 * max(ratios))  # shared by all panels
    panels[0].legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=4, frameon=False)
    figure.supylabel("time of mlp / time of the other, one step (below 1: mlp is faster)", fontsize=10)
    figure.supxlabel(f"{machine}; medians of paired ratios", fontsize=8)
    figure.savefig(path, dpi=110)


def draw_panel(panel: Any, rows: Sequence[Row]) -> None:
    cells = list(dict.fromkeys(row.cell for row in rows))
    ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20]
    panel.plot([], [], "s", color=FLOOR, ms=6, label="the step's matrix products alone")
    panel.plot([], [], "o", color=FASTEST, ms=8, label="fastest peer")
    panel.plot([], [], "_", color=PEERS, ms=11, label="other peers")
    for place, cell in enumerate(cells):
        found = {row.competitor: row.ratio or 0 for row in rows if row.cell == cell}
        if "floor" in found:
            panel.plot(place, found.pop("floor"), "s", color=FLOOR, ms=6, zorder=4)
        if found:
            fastest = max(found, key=lambda name: found[name])
            panel.plot([place] * len(found), list(found.values()), "_", color=PEERS, ms=11)
            panel.plot(place, found[fastest], "o", color=FASTEST, ms=8, mec="white", zorder=3)
            name = panel.annotate(
                fastest, (place, found[fastest]), (6, 0), textcoords="offset points", va="center", fontsize=6.5
            )
            name.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8})
    panel.axhline(1, color="black", lw=1)
    panel.set_yscale("log")
    panel.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.minorticks_off()
    panel.grid(axis="y", color="#dddddd")
    panel.set_axisbelow(True)
    panel.set_xticks(range(len(cells)), [f"B = {batch}" for _, batch, _ in cells], fontsize=8)
    for network in dict.fromkeys(network for network, _, _ in cells):
        places = [place for place, cell in enumerate(cells) if cell[0] == network]
        panel.text(sum(places) / len(places), -0.13, network, transform=panel.get_xaxis_transform(), ha="center")
        panel.axvline(places[-1] + 0.5, color="#bbbbbb", lw=0.8)
    panel.set_xlim(-0.5, len(cells) - 0.1)  # room for the last name

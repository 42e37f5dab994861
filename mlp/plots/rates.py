"""Draw the costs over the learning rates of `mlp lr`."""

from __future__ import annotations

from pathlib import Path

from mlp.experiments.rates import Rates


def plot_rates(found: Rates, now: float, path: Path) -> None:
    """The smoothed cost over the rate, on a logarithmic scale, with the suggestion and the rate of the config."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(found.rates, found.costs, color="#0072b2", lw=1.8)
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("cost of the minibatches, smoothed")
    if len(found.costs):
        low, start = float(found.costs.min()), float(found.costs[0])
        axes.set_ylim(low - 0.1 * abs(start - low) - 1e-12, start + 1.5 * abs(start - low) + 1e-12)
    axes.axvline(now, color="grey", ls=":", label=f"of the config: {now:.2g}")
    if found.suggestion is not None:
        axes.axvline(found.suggestion, color="#d55e00", ls="--", label=f"suggestion: {found.suggestion:.2g}")
    axes.legend(fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)

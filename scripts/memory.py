"""Measure what saving memory costs: arrays stored for the backward sweep, the peak of a step, and its time.

A step is forward, seed and backward, without an optimizer. "stored" is what lies between the two sweeps; "peak" is the
most that a step has allocated at once, bars included, and needs tracemalloc, so it is measured apart from the time.
Times are medians of ratios to the plain step of the same round, all networks taking turns.

    python scripts/memory.py --layers 64 --width 128 --batch 256
"""

import math
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import click
import numpy as np

from mlp import Layer, Network, SquaredError
from mlp.checking.copies import stored
from mlp.layers import Coupling, Recompute, Reversible
from mlp.types import Array

COLUMNS = f"{'arrays':>8s}{'stored MB':>11s}{'peak MB':>9s}"
Step = Callable[[], tuple[list[Any], Array]]


def make_inputs(width: int, batch: int) -> Array:
    return np.random.default_rng(1).normal(size=(width, batch)).astype(np.float32)


def make_layers(depth: int, width: int) -> list[Layer]:
    """The same ones at each call: every network has layers of its own."""
    rng = np.random.default_rng(0)
    return [Layer.initialize(width, width, "tanh", rng=rng) for _ in range(depth)]


def make_couplings(depth: int, width: int) -> list[Coupling]:
    return [Coupling(m, swap=number % 2 == 1) for number, m in enumerate(make_layers(depth, width // 2))]


def make_step(network: Network, X: Array) -> Step:
    """A function that makes one step and returns values and theta_bar."""
    loss, Y = SquaredError(), np.zeros_like(X)

    def step() -> tuple[list[Any], Array]:
        values = network.forward(X)
        return values, network.backward(values, loss.seed(values[-1].H, Y)).theta_bar

    return step


def peak(step: Step) -> int:
    """The most bytes that a step has allocated at once."""
    tracemalloc.start()
    step()
    bytes_at_most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return bytes_at_most


def time_ratios(steps: Sequence[Step], rounds: int) -> list[float]:
    """The median time of each step as a ratio to the first one."""
    seconds = np.empty((rounds, len(steps)))
    for step in steps:
        step()
    for row in seconds:
        for column, step in enumerate(steps):
            started = time.perf_counter()
            step()
            row[column] = time.perf_counter() - started
    return [float(ratio) for ratio in np.median(seconds / seconds[:, :1], axis=0)]


def described(step: Step) -> str:
    kept = stored(step()[0])
    return f"{kept.arrays:8d}{kept.bytes / 1e6:11.2f}{peak(step) / 1e6:9.2f}"


def recomputing(depth: int, width: int, batch: int, rounds: int) -> None:
    X = make_inputs(width, batch)
    steps = {"plain": make_step(Network(make_layers(depth, width)), X)}
    for k in sorted({1, 2, 4, math.isqrt(depth), depth}):
        layers = make_layers(depth, width)
        blocks = [Recompute(layers[start : start + k]) for start in range(0, depth, k)]
        steps[f"k = {k}"] = make_step(Network(blocks), X)
    ratios = time_ratios(list(steps.values()), rounds)
    click.echo(f"Recomputing: {depth} tanh layers in blocks of k, {width} x {width}, B = {batch}, float32")
    click.echo(f"{'':12s}{COLUMNS}{'time':>7s}")
    for (name, step), ratio in zip(steps.items(), ratios, strict=True):
        click.echo(f"{name:12s}{described(step)}{ratio:7.2f}")


def rebuilding(depth: int, width: int, batch: int, rounds: int) -> None:
    click.echo(f"\nRebuilding: couplings of {width} rows, m one tanh layer, B = {batch}, float32")
    click.echo(f"{'':12s}{'stored values':>28s}   {'rebuilt from the output':>28s}")
    click.echo(f"{'depth':12s}{COLUMNS}   {COLUMNS}{'time':>7s}{'error':>9s}")
    X = make_inputs(width, batch)
    for couplings in (depth // 8, depth // 4, depth // 2, depth, 2 * depth):
        plain = make_step(Network(make_couplings(couplings, width)), X)
        reversible = make_step(Network([Reversible(make_couplings(couplings, width))]), X)
        _, ratio = time_ratios([plain, reversible], rounds)
        wanted, found = plain()[1], reversible()[1]
        error = np.linalg.norm(found - wanted) / np.linalg.norm(wanted)
        click.echo(f"{couplings:<12d}{described(plain)}   {described(reversible)}{ratio:7.2f}{error:9.0e}")


@click.command()
@click.option("--layers", type=click.IntRange(min=8), default=64, show_default=True)
@click.option("--width", type=click.IntRange(min=2), default=128, show_default=True, help="Units of a layer, even.")
@click.option("--batch", type=click.IntRange(min=1), default=256, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=21, show_default=True)
def main(layers: int, width: int, batch: int, rounds: int) -> None:
    """Print what recomputing and rebuilding store, and what they cost."""
    recomputing(layers, width, batch, rounds)
    rebuilding(layers, width, batch, rounds)


if __name__ == "__main__":
    main()

"""What saving memory costs: arrays stored for the backward sweep, the peak of a step, and its time.

A step is forward, seed and backward, without an optimizer. "stored" is what lies between the two sweeps; "peak" is the
most that a step has allocated at once, bars included, and needs tracemalloc, so it is measured apart from the time.
Times are ratios to the plain step of the same round, all variants taking turns; the median over the rounds is shown.
Beside the plain step, "fewer bars" stores all values and keeps the bars of parameters alone, as all rows with a k do.

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
from mlp.layers.reversible import Coupling, Reversible
from mlp.network import stored
from mlp.types import Array

COLUMNS = f"{'arrays':>8s}{'stored MB':>11s}{'peak MB':>9s}"
Step = Callable[[], tuple[Any, list[Any]]]


def make_step(network: Network, X: Array, *, keep_every: int | None, parameters_only: bool) -> Step:
    """A function that makes one step and returns values and bars."""
    loss, Y = SquaredError(), np.zeros_like(X)

    def step() -> tuple[Any, list[Any]]:
        values = network.forward(X, keep_every=keep_every)
        return values, network.backward(values, loss.seed(values[-1].H, Y), parameters_only=parameters_only)

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


def error(network: Network, bars: list[Any], wanted_network: Network, wanted_bars: list[Any]) -> float:
    """The largest relative error of a parameter's bar, by norm."""
    pairs = zip(network.with_bars(bars), wanted_network.with_bars(wanted_bars), strict=True)
    return max(float(np.linalg.norm(bar - wanted) / np.linalg.norm(wanted)) for (_, _, bar), (_, _, wanted) in pairs)


def recomputing(layers: int, width: int, batch: int, rounds: int, rng: np.random.Generator) -> None:
    network = Network([Layer.initialize(width, width, "tanh", rng=rng) for _ in range(layers)])
    X = rng.normal(size=(width, batch)).astype(np.float32)
    intervals = sorted({1, 2, 4, math.isqrt(layers), layers})
    variants = {
        "plain": make_step(network, X, keep_every=None, parameters_only=False),
        "fewer bars": make_step(network, X, keep_every=None, parameters_only=True),
    }
    variants |= {f"k = {k}": make_step(network, X, keep_every=k, parameters_only=True) for k in intervals}
    ratios = time_ratios(list(variants.values()), rounds)
    click.echo(f"Recomputing: {layers} tanh layers, {width} x {width}, B = {batch}, float32")
    click.echo(f"{'':12s}{COLUMNS}{'time':>7s}")
    for (name, step), ratio in zip(variants.items(), ratios, strict=True):
        kept = stored(step()[0])
        click.echo(f"{name:12s}{kept.arrays:8d}{kept.bytes / 1e6:11.2f}{peak(step) / 1e6:9.2f}{ratio:7.2f}")


def rebuilding(layers: int, width: int, batch: int, rounds: int, rng: np.random.Generator) -> None:
    click.echo(f"\nRebuilding: couplings of {width} rows, m one tanh layer, B = {batch}, float32, fewer bars")
    click.echo(f"{'':12s}{'stored values':>28s}   {'rebuilt from the output':>28s}")
    click.echo(f"{'depth':12s}{COLUMNS}   {COLUMNS}{'time':>7s}{'error':>9s}")
    X = rng.normal(size=(width, batch)).astype(np.float32)
    half = width // 2
    for depth in (layers // 8, layers // 4, layers // 2, layers, 2 * layers):
        couplings = [
            Coupling(Layer.initialize(half, half, "tanh", rng=rng), swap=number % 2 == 1) for number in range(depth)
        ]
        plain, reversible = Network(couplings), Network([Reversible(couplings)])
        steps = [make_step(each, X, keep_every=None, parameters_only=True) for each in (plain, reversible)]
        _, ratio = time_ratios(steps, rounds)
        (values, bars), (reversible_values, reversible_bars) = (step() for step in steps)
        before, after = stored(values), stored(reversible_values)
        click.echo(
            f"{depth:<12d}{before.arrays:8d}{before.bytes / 1e6:11.2f}{peak(steps[0]) / 1e6:9.2f}   "
            f"{after.arrays:8d}{after.bytes / 1e6:11.2f}{peak(steps[1]) / 1e6:9.2f}{ratio:7.2f}"
            f"{error(reversible, reversible_bars, plain, bars):9.0e}"
        )


@click.command()
@click.option("--layers", type=click.IntRange(min=8), default=64, show_default=True)
@click.option("--width", type=click.IntRange(min=2), default=128, show_default=True, help="Units of a layer, even.")
@click.option("--batch", type=click.IntRange(min=1), default=256, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=21, show_default=True)
def main(layers: int, width: int, batch: int, rounds: int) -> None:
    """Print what recomputing and rebuilding store, and what they cost."""
    rng = np.random.default_rng(0)
    recomputing(layers, width, batch, rounds, rng)
    rebuilding(layers, width, batch, rounds, rng)


if __name__ == "__main__":
    main()

"""Measure what a second BLAS thread is worth: whole training steps on one thread and on all, in turn.

Each step is timed alone and beside a process that keeps one core busy. Times alone are the shortest of many, which
other work has disturbed least; beside the busy process they are medians of paired ratios.

    python scripts/threads.py
"""

import contextlib
import itertools
import multiprocessing
import time
from collections.abc import Callable, Iterator

import click
import numpy as np
import threadpoolctl

from mlp import SGD, EpochRecord, Layer, Network, SoftmaxCrossEntropy, train
from mlp.experiments.machine import choose_threads, loaded_blas
from mlp.types import Array

NETWORKS = ((2, 64, 64, 2), (64, 64, 32, 10), (256, 128, 10), (784, 100, 10), (784, 256, 128, 10), (784, 512, 512, 10))
BATCHES = (32, 128, 512)
MINIBATCHES = 8  # of the data; training goes round
ROUNDS = 50
BURST = 0.002  # seconds


def make_step(sizes: tuple[int, ...], B: int) -> Callable[[], None]:
    """One step of gradient descent with momentum on the next minibatch of B examples."""
    rng = np.random.default_rng(0)
    activations = ["relu"] * (len(sizes) - 2) + ["identity"]
    layers = [
        Layer.initialize(*pair, g, rng=rng) for pair, g in zip(itertools.pairwise(sizes), activations, strict=True)
    ]
    X = rng.normal(size=(MINIBATCHES * B, sizes[0])).astype(np.float32)
    Y = np.eye(sizes[-1], dtype=np.float32)[rng.integers(sizes[-1], size=len(X))]
    training = train(
        Network(layers), SoftmaxCrossEntropy(), SGD(1e-4, momentum=0.9), (X, Y), rng=rng, epochs=10**9, batch_size=B
    )
    records = training.minibatches()

    def step() -> None:
        if isinstance(next(records), EpochRecord):
            next(records)

    return step


def seconds(step: Callable[[], None], steps: int) -> tuple[float, float]:
    """Wall-clock and processor time of a step, of so many in a row."""
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(steps):
        step()
    return (time.perf_counter() - wall) / steps, (time.process_time() - processor) / steps


def in_turn(step: Callable[[], None], threads: int) -> Array:
    """Rounds x (one thread, all threads) x (wall-clock time, processor time)."""
    step()
    steps = max(1, round(BURST / seconds(step, 3)[0]))
    found = np.empty((ROUNDS, 2, 2))
    for row in found:
        for column, number in enumerate((1, threads)):
            with threadpoolctl.threadpool_limits(number, "blas"):
                row[column] = seconds(step, steps)
    return found


def spin() -> None:
    while True:
        pass


@contextlib.contextmanager
def busy_neighbour() -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=spin, daemon=True)
    process.start()
    yield
    process.kill()
    process.join()


@click.command()
def main() -> None:
    """Print from which size on more than one BLAS thread pays on this machine, and what `mlp train` would take."""
    threads = max(pool["num_threads"] for pool in loaded_blas())
    if threads < 2:
        raise click.ClickException("BLAS has one thread here: nothing to compare")
    click.echo(f"time on 1 thread / time on {threads}, above 1 where they pay, alone and beside a busy process;")
    click.echo(f"processor time on {threads} / on 1; the threads of a run of mlp")
    click.echo(f"{'step':32s} {'M K N':>10s} {'alone':>6s} {'busy':>6s} {'processor':>9s} {'mlp':>3s}")
    for sizes, B in itertools.product(NETWORKS, BATCHES):
        step = make_step(sizes, B)
        alone = in_turn(step, threads)
        with busy_neighbour():
            beside = in_turn(step, threads)
        (one, many), used = alone[:, :, 0].min(axis=0), alone[:, :, 1].sum(axis=0)
        busy = np.median(beside[:, 0, 0] / beside[:, 1, 0])
        product = B * max(n_in * n_out for n_in, n_out in itertools.pairwise(sizes))
        click.echo(
            f"{'-'.join(map(str, sizes)) + f', B = {B}':32s} {product:10d} {one / many:5.2f}x {busy:5.2f}x "
            f"{used[1] / used[0]:8.2f}x {choose_threads(product).number:3d}"
        )


if __name__ == "__main__":
    main()

"""What the matrix kernels are worth, that they agree to rounding, and from which size on a second thread pays.

Without options: matrix products and whole training steps, on the AVX2 kernels (Haswell) and on the AVX-512 kernels
(SkylakeX) of NumPy's OpenBLAS, each in a process of its own on one thread, timed in turn. With --threads: whole
training steps on one thread and on all, alone and beside a process that keeps one core busy. Times are the shortest of
many, which other work on the machine has disturbed least; beside the busy process they are medians of paired ratios.

    python scripts/kernels.py
    python scripts/kernels.py --threads
"""

import contextlib
import itertools
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from operator import itemgetter
from statistics import median
from typing import Any

import click
import numpy as np
import threadpoolctl

from mlp import SGD, L2Penalty, Layer, Network, SoftmaxCrossEntropy, kernels
from mlp.experiments.threads import largest_product, useful_threads
from mlp.training import train_minibatch

PRODUCTS = ((64, 64, 32), (256, 784, 128), (512, 784, 128), (512, 512, 512), (1024, 1024, 1024))  # M, K, N
STEPS = ((64, 64, 32, 10), (784, 100, 10), (784, 256, 128, 10), (784, 512, 512, 10))
SMALL_STEPS = ((2, 64, 64, 2), *STEPS[:1], (256, 128, 10), *STEPS[1:])
BATCHES = (32, 128, 512)
AVX2, AVX512 = "Haswell", "SkylakeX"
REPEATS = 50
second = itemgetter(1)

Function = Callable[[], Any]
Times = tuple[float, float]  # wall-clock and processor time, in seconds


def product(M: int, K: int, N: int) -> Function:
    """C = A B of shapes M x K and K x N in float32."""
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(M, K)).astype(np.float32), rng.normal(size=(K, N)).astype(np.float32)
    return lambda: A @ B


def step(sizes: tuple[int, ...], B: int) -> Function:
    """One step of gradient descent with momentum on a minibatch of B examples; gives the parameters after it."""
    rng = np.random.default_rng(0)
    activations = ["relu"] * (len(sizes) - 2) + ["identity"]
    layers = [Layer.initialize(*each, rng=rng) for each in zip(sizes[:-1], sizes[1:], activations, strict=True)]
    network, loss, optimizer = Network(layers), SoftmaxCrossEntropy(), SGD(0.01, momentum=0.9)
    X = rng.normal(size=(sizes[0], B)).astype(np.float32)
    Y = np.eye(sizes[-1], dtype=np.float32)[:, rng.integers(sizes[-1], size=B)]

    def one_step() -> Any:
        train_minibatch(network, loss, optimizer, X, Y, L2Penalty(0.0), None, None)
        return np.concatenate([W.ravel() for W in network.parameters().values()])

    return one_step


def cases() -> Iterator[tuple[str, Function]]:
    for M, K, N in PRODUCTS:
        yield f"{M}x{K} @ {K}x{N}", product(M, K, N)
    for sizes, B in itertools.product(STEPS, BATCHES):
        yield f"step {'-'.join(map(str, sizes))}, B = {B}", step(sizes, B)


def seconds(function: Function, calls: int) -> Times:
    """Wall-clock and processor time of a call, of so many in a row."""
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(calls):
        function()
    return (time.perf_counter() - wall) / calls, (time.process_time() - processor) / calls


def calls_for(function: Function, duration: float = 0.002) -> int:
    """So many calls take about `duration` seconds."""
    function()
    return max(1, round(duration / seconds(function, 3)[0]))


def serve(pipe: Connection) -> None:
    """A process with kernels of its own: tells which, then, for each case, its result, and times when asked."""
    pipe.send(next(pool["architecture"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"))
    for name, function in cases():
        pipe.send((name, function()))
        calls = calls_for(function)
        while pipe.recv():
            pipe.send(seconds(function, calls)[0])


@contextlib.contextmanager
def process_with(kernel: str) -> Iterator[Connection]:
    """A child that runs `serve` on these kernels."""
    here, there = multiprocessing.Pipe()
    os.environ.update(OPENBLAS_CORETYPE=kernel, OPENBLAS_NUM_THREADS="1")  # for the child: here NumPy is loaded
    child = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    child.start()
    running = here.recv()
    if running != kernel:
        raise click.ClickException(f"this NumPy has no {kernel} kernels: it runs {running} when told to use them")
    yield here
    child.terminate()
    child.join()


def compare_kernels() -> None:
    if not kernels.has_avx512(kernels.read_cpuinfo()):
        raise click.ClickException("this processor has no AVX-512, or Linux does not say so: nothing to compare")
    click.echo(f"{'':32s} {AVX2:>9s} {AVX512:>9s} {'gain':>6s} {'difference':>11s}")
    with process_with(AVX2) as slow, process_with(AVX512) as fast:
        for _ in cases():
            (name, expected), (_, found) = slow.recv(), fast.recv()
            times: dict[str, list[float]] = {AVX2: [], AVX512: []}
            for _, (kernel, pipe) in itertools.product(range(REPEATS), ((AVX2, slow), (AVX512, fast))):
                pipe.send(True)
                times[kernel].append(1e6 * pipe.recv())
            slow.send(False)
            fast.send(False)
            error = np.abs(found - expected).max() / np.abs(expected).max()
            two = min(times[AVX2]), min(times[AVX512])
            click.echo(f"{name:32s} {two[0]:6.0f} us {two[1]:6.0f} us {two[0] / two[1]:5.2f}x {error:11.1e}")
            if error > 1e-5:
                raise click.ClickException(f"{name}: the kernels do not agree to rounding")


def spin() -> None:
    while True:
        pass


def compare_threads() -> None:
    threads = max(pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas")
    if threads < 2:
        raise click.ClickException("BLAS has one thread here: nothing to compare")
    click.echo(f"time on 1 thread / time on {threads}, above 1 where they pay, alone and beside a busy process;")
    click.echo(f"processor time on {threads} / on 1; the threads of a run of mlp")
    click.echo(f"{'step':32s} {'M K N':>10s} {'alone':>6s} {'busy':>6s} {'processor':>9s} {'mlp':>3s}")
    for sizes, B in itertools.product(SMALL_STEPS, BATCHES):
        function = step(sizes, B)
        calls = calls_for(function)
        one, many = times_of_threads(function, calls)
        wall, processor = min(one)[0] / min(many)[0], sum(map(second, many)) / sum(map(second, one))
        neighbour = multiprocessing.get_context("spawn").Process(target=spin, daemon=True)
        neighbour.start()
        one, many = times_of_threads(function, calls)
        busy = median(each[0] / other[0] for each, other in zip(one, many, strict=True))
        neighbour.terminate()
        neighbour.join()
        name = f"{'-'.join(map(str, sizes))}, B = {B}"
        used = min(threads, useful_threads(sizes, B))
        click.echo(f"{name:32s} {largest_product(sizes, B):10d} {wall:5.2f}x {busy:5.2f}x {processor:8.2f}x {used:3d}")


def times_of_threads(function: Function, calls: int) -> tuple[list[Times], list[Times]]:
    """Times on one thread and on all, in turn."""
    one, many = [], []
    for _ in range(REPEATS):
        with threadpoolctl.threadpool_limits(1, "blas"):
            one.append(seconds(function, calls))
        many.append(seconds(function, calls))
    return one, many


@click.command()
@click.option("--threads", is_flag=True, help="From which size on more than one thread pays.")
def main(threads: bool) -> None:
    """Measure what matrix kernels, or threads, are worth on this machine."""
    if threads:
        compare_threads()
    else:
        compare_kernels()


if __name__ == "__main__":
    main()

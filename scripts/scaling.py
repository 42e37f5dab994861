"""Predict and measure the time of a training step against the number of ranks, and from which minibatch on they pay.

    T(R, B) = t(B / R) + u P + 2 (R-1) l + 2 (R-1)/R * 4 P / w         for R > 1, and T(1, B) = t(B)

t(B) is the time of a step of one process, measured for some B and interpolated; u P, measured too, is that of copying
theta_bar of P parameters (float32) into the buffer of the sum and back. The rest is the ring Allreduce: 2 (R-1) rounds
of latency l, and the fewest bytes that a rank can send, over w bytes a second (Patarasuk and Yuan 2009, "Bandwidth
optimal all-reduce algorithms for clusters of workstations"). l and w are fitted to Allreduces among the ranks that run
this, or given, to ask about another network. Validation is not shared among ranks, so an epoch gains less than a step.

For large P, latency and the update of the weights matter little. An example takes about 6 P operations, at f a second.
So R ranks pay where 6 P (B - B/R) / f > 2 (R-1)/R * 4 P / w, that is B > (4/3) f / w: neither P nor R is in it. The
minibatch must be large, not the network.

    mpiexec -n 2 python scripts/scaling.py                                 # the ranks at hand
    python scripts/scaling.py --latency 20e-6 --bandwidth 1.25e9           # 10-gigabit Ethernet

Each rank has one BLAS thread. All ranks measure t at the same time, so that it includes what they take from each other,
such as the memory's bandwidth of one machine. With more ranks than cores nothing can be learned.
"""

import itertools
import os
import time
from collections.abc import Sequence

import click
import numpy as np
import threadpoolctl

from mlp import SGD, Layer, Network, SoftmaxCrossEntropy, train
from mlp.minibatches import Alone, Workers
from mlp.parallel import MPIError, Parts, Ranks, connect

NETWORKS = ([64, 32, 10], [784, 100, 10], [784, 256, 128, 10], [784, 512, 512, 10], [1024, 1024, 1024, 1024, 10])
BATCHES = (1, 8, 32, 128, 512)  # for which t is measured
SHOWN = (32, 128, 512)
NUMBERS = (1, 1_000, 30_000, 300_000, 3_000_000)  # of float32, in an Allreduce that is timed
ASKED = (2, 4, 8, 16)  # ranks


def step_seconds(widths: Sequence[int], B: int, rounds: int, workers: Workers) -> float:
    """The median time of a minibatch of B examples in the training loop, with momentum, in float32."""
    rng = np.random.default_rng(0)
    network = Network([Layer.initialize(n, m, "relu", rng=rng) for n, m in itertools.pairwise(widths)])
    X = rng.normal(size=(B, widths[0])).astype(np.float32)
    Y = np.eye(widths[-1], dtype=np.float32)[rng.integers(widths[-1], size=B)]
    optimizer = SGD(1e-3, momentum=0.9)
    training = train(
        network, SoftmaxCrossEntropy(), optimizer, (X, Y), rng=rng, epochs=rounds + 2, batch_size=B, workers=workers
    )
    records, times = training.minibatches(), []
    for _ in range(rounds + 2):
        started = time.perf_counter()
        next(records)  # the one minibatch of an epoch
        times.append(time.perf_counter() - started)
        next(records)  # the epoch's own record
    return float(np.median(times[2:]))


def fit_network(ranks: Ranks, rounds: int) -> tuple[float, float]:
    """l (seconds) and w (bytes a second) with the least relative squared errors over Allreduces of several sizes."""
    R, measured = ranks.size, []
    for n in NUMBERS:
        array, times = np.zeros(n, np.float32), []
        for _ in range(rounds + 1):
            started = time.perf_counter()
            ranks.sum(array)
            times.append(time.perf_counter() - started)
        measured.append(np.median(times[1:]))
    terms = np.array([[2 * (R - 1), 2 * (R - 1) / R * 4 * n] for n in NUMBERS])
    (latency, per_byte), *_ = np.linalg.lstsq(terms / np.array(measured)[:, None], np.ones(len(NUMBERS)), rcond=None)
    return float(latency), float(1 / max(per_byte, 1e-15))  # noise may make it look free


class Model:
    """T(R, B) of one network, from what is measured here."""

    def __init__(self, widths: Sequence[int], latency: float, bandwidth: float, rounds: int) -> None:
        self.P = sum((n + 1) * m for n, m in itertools.pairwise(widths))
        self.latency, self.bandwidth = latency, bandwidth
        self.steps = [step_seconds(widths, B, rounds, Alone()) for B in BATCHES]
        self.packing = max(0.0, step_seconds(widths, BATCHES[0], rounds, Parts(Ranks())) - self.steps[0])

    def allreduce(self, R: int) -> float:
        return 2 * (R - 1) * self.latency + 2 * (R - 1) / R * 4 * self.P / self.bandwidth

    def step(self, R: int, B: int) -> float:
        work = float(np.interp(B / R, BATCHES, self.steps))
        return work if R == 1 else work + self.packing + self.allreduce(R)

    def pays_from(self, R: int) -> int | None:
        """The smallest minibatch from which on R ranks are faster than one, if it is one of those measured."""
        slower = [B for B in range(1, BATCHES[-1] + 1) if self.step(R, B) >= self.step(1, B)]
        smallest = max(slower, default=0) + 1
        return smallest if smallest <= BATCHES[-1] else None


@click.command()
@click.option("--latency", type=float, help="Seconds, instead of measuring it.")
@click.option("--bandwidth", type=float, help="Bytes a second, instead of measuring it.")
@click.option("--rounds", type=click.IntRange(min=3), default=31, show_default=True, help="How often a step is timed.")
def main(latency: float | None, bandwidth: float | None, rounds: int) -> None:
    """Print predicted and measured times of a step, and the minibatch from which on ranks pay."""
    try:
        ranks = connect()
    except (MPIError, ImportError) as error:
        raise click.ClickException(str(error)) from None
    given = latency is not None and bandwidth is not None
    if given == (ranks.size > 1) or (latency is None) != (bandwidth is None):
        raise click.UsageError("give both --latency and --bandwidth, or run under mpiexec -n 2 with neither")
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        if latency is None or bandwidth is None:
            latency, bandwidth = fit_network(ranks, rounds)
        lines = table(ranks, latency, bandwidth, rounds)
    if ranks.rank == 0:
        click.echo("\n".join(lines))


def table(ranks: Ranks, latency: float, bandwidth: float, rounds: int) -> list[str]:
    """The lines to print: predictions, and measurements where there are several ranks."""
    R, least = ranks.size, min(SHOWN)
    lines = [
        f"l = {latency * 1e6:.1f} us, w = {bandwidth / 1e9:.2f} GB/s; times of a step in ms; {os.cpu_count()} cores"
    ]
    header = f"{'network':>23s}{'P':>10s}{'B':>5s}{'T(1)':>9s}"
    header += f"{f'T({R})':>9s}{'measured':>10s}" if R > 1 else ""
    header += "".join(f"{f'T({n})/T(1)':>12s}" for n in ASKED)
    lines.append(header + f"   {' '.join(map(str, ASKED))} ranks pay from B =")
    for widths in NETWORKS:
        model = Model(widths, latency, bandwidth, rounds)
        pays = ", ".join(str(model.pays_from(n) or f"> {BATCHES[-1]}") for n in ASKED)
        for B in SHOWN:
            line = f"{'-'.join(map(str, widths)) if least == B else '':>23s}{model.P:10,d}{B:5d}"
            line += f"{model.step(1, B) * 1e3:9.3f}"
            if R > 1:
                line += f"{model.step(R, B) * 1e3:9.3f}{step_seconds(widths, B, rounds, Parts(ranks)) * 1e3:10.3f}"
            line += "".join(f"{model.step(n, B) / model.step(1, B):12.2f}" for n in ASKED)
            lines.append(line + (f"   {pays}" if least == B else ""))
    return lines


if __name__ == "__main__":
    main()

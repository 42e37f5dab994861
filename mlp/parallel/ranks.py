"""Data-parallel training: several processes, called ranks, take a part of each minibatch each, and sum the bars.

The cost of a minibatch is a mean over its B examples. A rank that has B_r of them has the mean c_r of their costs, and

    c = sum_r (B_r / B) c_r,    theta_bar = sum_r (B_r / B) theta_bar_r

by linearity. One sum over all ranks gives the cost and all bars at once. After it every rank has the same numbers and
takes the same step, so that weights need not be sent ("synchronous data parallelism"; Goyal et al. 2017, arXiv
1706.02677).
"""

from __future__ import annotations

import hashlib
from typing import TypeVar

import numpy as np

from mlp.network import Network
from mlp.types import Array

T = TypeVar("T")


class Ranks:
    """The processes that run one program together: `size` of them, this one number `rank`, from 0.

    This class is a process that is alone; `mlp.parallel.mpi.MPIRanks` are several. All ranks call each method at the
    same point of the program, and wait there for each other.
    """

    rank: int = 0
    size: int = 1

    def sum(self, array: Array) -> None:
        """Put the sum over all ranks in the place of this contiguous array, the same bits on each rank."""

    def broadcast(self, value: T) -> T:
        """Rank 0's value, on all ranks."""
        return value

    def gather(self, value: T) -> list[T]:
        """The values of all ranks in their order, on all ranks."""
        return [value]

    def wait(self) -> None:
        """Wait until all ranks are here."""

    def abort(self, code: int) -> None:
        """End all ranks now, whatever they wait for, with this exit code."""
        raise SystemExit(code)

    def library(self) -> str | None:
        """What computes the sums, with its version: their last bits depend on it."""
        return None


class Parts:
    """One rank's part in every minibatch of a training: the `workers` of `mlp.train`.

    All ranks have the same data, and begin with the same weights, optimizer and generator. `stop` on any of them makes
    `stopping` true on all after the same minibatch. The buffer that is summed holds the weighted bars of all
    parameters, the weighted cost, and the number of ranks that asked to stop.
    """

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self.asked = self.stopping = False
        self.buffer: Array = np.empty(0)

    def stop(self) -> None:
        self.asked = True

    def share(self, rows: Array) -> Array:
        """Those of a minibatch's rows that this rank works on.

        They are cut evenly. Where there are fewer rows than ranks, some have none; these work on the first row, and
        their weight is 0, so that no loss or layer meets an empty minibatch.
        """
        start, stop = self.bounds(len(rows))
        return rows[start:stop] if start < stop else rows[:1]

    def bounds(self, B: int) -> tuple[int, int]:
        return B * self.ranks.rank // self.ranks.size, B * (self.ranks.rank + 1) // self.ranks.size

    def sum(self, theta_bar: Array, c: float, B: int) -> float:
        """The cost of the whole minibatch of B rows from this rank's part of it; its bars are put into `theta_bar`."""
        start, stop = self.bounds(B)
        weight = (stop - start) / B  # B_r / B
        if self.buffer.size != theta_bar.size + 2 or self.buffer.dtype != theta_bar.dtype:
            self.buffer = np.empty(theta_bar.size + 2, theta_bar.dtype)
        np.multiply(theta_bar, weight, out=self.buffer[:-2])
        self.buffer[-2:] = c * weight, self.asked
        self.ranks.sum(self.buffer)
        theta_bar[...] = self.buffer[:-2]
        self.stopping = bool(self.buffer[-1])
        return float(self.buffer[-2].real)

    def agree(self, network: Network, scores: dict[str, float], epoch: int) -> dict[str, float]:
        """Rank 0's scores after an epoch, so that no rank decides otherwise than the others by a last bit.

        Raises RanksDiffer, on every rank, when the weights are not the same to the last bit on all of them.
        """
        digest = hashlib.sha256(network.theta.tobytes()).digest()
        if len(set(self.ranks.gather(digest))) > 1:
            raise RanksDiffer(
                f"after epoch {epoch}: the weights are not the same on all ranks: their machines do not compute alike "
                "(processor, BLAS kernel), or a layer or an optimizer draws random numbers of its own"
            )
        return self.ranks.broadcast(scores)


class RanksDiffer(RuntimeError):
    """The ranks are not alike, and would train different networks."""

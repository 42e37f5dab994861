"""Data-parallel training: several processes, called ranks, take a part of each minibatch each, and sum the bars.

The cost of a minibatch is a mean over its B examples. A rank that has B_r of them has the mean c_r of their costs, and

    c = sum_r (B_r / B) c_r,    W_bar = sum_r (B_r / B) W_bar_r

by linearity. One sum over all ranks gives cost and all bars at once. After it every rank has the same numbers and takes
the same step, so that weights need not be sent ("synchronous data parallelism"; Goyal et al. 2017, arXiv 1706.02677).
"""

from __future__ import annotations

import hashlib
from typing import Protocol

import numpy as np

from mlp.network import Network
from mlp.types import Array


class Ranks(Protocol):
    """What `train` asks of the processes that train one network together: `size` of them, this one number `rank`
    (from 0). All have the same data, and begin with the same weights, optimizer and generator.

    `stop`, set to True on any rank, ends the training of all of them after the same minibatch.
    """

    @property
    def rank(self) -> int: ...

    @property
    def size(self) -> int: ...

    stop: bool

    def sum(self, array: Array) -> None:
        """Put the sum over all ranks in the place of this contiguous array, the same bits on each rank. All wait."""


class Parts:
    """One rank's part in every minibatch of a training: the `workers` of `mlp.train`.

    `stopping` says that some rank asked to stop before the last sum. The buffer that is summed holds the weighted bars
    of all parameters, the weighted cost, and that wish.
    """

    def __init__(self, ranks: Ranks, theta: Array) -> None:
        self.ranks = ranks
        self.stopping = False
        self.buffer = np.zeros(theta.size + 2, theta.dtype)

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
        weight = (stop - start) / B
        np.multiply(theta_bar, weight, out=self.buffer[:-2])
        self.buffer[-2:] = c * weight, self.ranks.stop
        self.ranks.sum(self.buffer)
        theta_bar[...] = self.buffer[:-2]
        self.stopping = bool(self.buffer[-1])
        return float(self.buffer[-2].real)

    def agree(self, network: Network, scores: dict[str, float], epoch: int) -> dict[str, float]:
        """Rank 0's scores after an epoch, so that no rank decides otherwise than the others by a last bit.

        Raises RanksDiffer, on every rank, when the weights are not the same to the last bit on all of them.
        """
        digest = hashlib.sha256(network.theta.tobytes())
        own = np.frombuffer(digest.digest(), np.uint8).astype(np.float64)
        mine = list(scores.values()) if self.ranks.rank == 0 else [0.0] * len(scores)
        both = np.concatenate([own, mine])
        self.ranks.sum(both)
        if not np.array_equal(both[: len(own)], self.ranks.size * own):
            raise RanksDiffer(
                f"after epoch {epoch}: the weights are not the same on all ranks: their machines do not compute alike "
                "(processor, BLAS kernel), or a layer or an optimizer draws random numbers of its own"
            )
        return dict(zip(scores, both[len(own) :].tolist(), strict=True))


class RanksDiffer(RuntimeError):
    """The ranks have come apart: they would go on to train different networks."""

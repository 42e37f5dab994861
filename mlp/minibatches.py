"""Cut minibatches: rows at rest become columns. Several processes can share each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Protocol

import numpy as np

from mlp.arguments import check_arguments
from mlp.network import Network
from mlp.types import Array, Batch, Count, Data, Examples, Range, unpack


def minibatch(data: Data, rows: Any, dtype: np.dtype[Any]) -> Batch:
    """Rows of the data as columns, in the precision of the network: X is D x B, Y is K x B, w has B weights or is None.

    In memory X is contiguous by columns, and Y by rows, as F is, because losses combine those two element by element.
    """
    X, Y, w = unpack(data)
    return columns(X, rows, dtype), np.ascontiguousarray(columns(Y, rows, dtype)), weights(w, rows, dtype)


def columns(X: Examples, rows: Any, dtype: np.dtype[Any]) -> Array:
    """Rows of X (N x D) as columns, D x B; what is beyond the precision is inf, and told as divergence."""
    found = X[rows].T
    if found.dtype != dtype:
        with np.errstate(over="ignore"):
            found = found.astype(dtype)
    return found


def weights(w: Array | None, rows: Any, dtype: np.dtype[Any]) -> Array | None:
    """The weights of these rows, in this precision; None where all weigh 1."""
    return None if w is None else columns(w, rows, dtype)


def batches(N: Annotated[int, Range(least=0)], batch_size: Count = 1024) -> Iterator[slice]:
    """The rows from 0 to N - 1 in order, so many at a time that memory does not grow with N times the widths."""
    check_arguments(batches, locals())
    return (slice(start, min(start + batch_size, N)) for start in range(0, N, batch_size))


class Workers(Protocol):
    """The processes that train one network together, as `train` asks for them; each makes the same call.

    `stopping` says, after a minibatch, that some process asked to stop.
    """

    @property
    def stopping(self) -> bool: ...

    def stop(self) -> None:
        """Ask all processes to stop after the same minibatch; a signal handler may call this."""

    def share(self, rows: Array) -> Array:
        """Those of a minibatch's rows that this process works on."""

    def sum(self, theta_bar: Array, c: float, B: int) -> float:
        """Make theta_bar, in place, that of the whole minibatch of B rows, and return its cost."""

    def total(self, array: Array, B: int) -> Array:
        """The sum over the processes of an array that each has of its share of a minibatch of B rows."""

    def agree(self, network: Network, scores: dict[str, float], epoch: int) -> dict[str, float]:
        """The scores that all processes go on with after an epoch."""


class Alone:
    """One process: all rows are its own, and there is nothing to sum."""

    stopping = False

    def stop(self) -> None:
        self.stopping = True

    def share(self, rows: Array) -> Array:
        return rows

    def sum(self, theta_bar: Array, c: float, B: int) -> float:
        return c

    def total(self, array: Array, B: int) -> Array:
        return array

    def agree(self, network: Network, scores: dict[str, float], epoch: int) -> dict[str, float]:
        return scores

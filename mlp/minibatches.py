"""Cut minibatches: rows at rest become columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mlp.network import Network
from mlp.types import Array, Batch, Data, Examples


def minibatch(network: Network, data: Data, rows: Any) -> Batch:
    """Rows of the data as columns, in the network's precision: X is D x B, Y is K x B.

    In memory X is contiguous by columns, and Y by rows, as F is, because losses combine those two element by element.
    """
    X, Y = data
    dtype = precision(network)
    return columns(X, rows, dtype), np.ascontiguousarray(columns(Y, rows, dtype))


def precision(network: Network) -> np.dtype[Any]:
    return np.result_type(*network.parameters().values())


def columns(X: Examples, rows: Any, dtype: np.dtype[Any]) -> Array:
    """Rows of X (N x D) as columns, D x B; what is beyond the precision is inf, and told as divergence."""
    found = X[rows].T
    if found.dtype != dtype:
        with np.errstate(over="ignore"):
            found = found.astype(dtype)
    return found


def batches(N: int, batch_size: int = 1024) -> Iterator[slice]:
    """The rows from 0 to N - 1 in order, so many at a time that memory does not grow with N times the widths."""
    return (slice(start, min(start + batch_size, N)) for start in range(0, N, batch_size))

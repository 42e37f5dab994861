"""Cutting rows into columns, and how good the outputs are for all rows of a data set.

Data at rest has one example a row (N x D); the orientation turns in `columns`, and nowhere else. A data set may be
larger than the memory: all of it goes through the network in pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from mlp.activations import Array
from mlp.losses import Loss
from mlp.metrics import SHARES
from mlp.network import Network


class Examples(Protocol):
    """N examples at rest, one a row: an array, or what gives rows as an array when they are asked for.

    `X[rows]` takes a slice or an array of row numbers.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def ndim(self) -> int: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Array: ...


Data = tuple[Examples, Examples]
Batch = tuple[Array, Array]
Metrics = Mapping[str, Callable[[Array, Array], float]]


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


def evaluate(network: Network, loss: Loss, data: Data, metrics: Metrics | None = None) -> dict[str, float]:
    """The mean loss (without penalty) and the metrics over all rows of (X, Y): {"loss": ..., "accuracy": ...}.

    Raises ValueError when X and Y have not as many rows, or none.
    """
    X, Y = data
    if not len(X) == len(Y) > 0:
        raise ValueError(f"X has {len(X)} rows and Y has {len(Y)}, expected as many, and at least one")
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        cut = (minibatch(network, data, rows) for rows in batches(len(data[0])))
        return scores_of(loss, ((network(X), Y) for X, Y in cut), metrics)


def scores_of(loss: Loss, found: Iterable[Batch], metrics: Metrics | None = None) -> dict[str, float]:
    """The same from outputs F and targets Y (both K x B), batch by batch.

    Metrics that are in SHARES are counted. Others may be any function of all P and Y, which are kept for them.
    """
    metrics = metrics or {}
    counted = {name: entry for name, metric in metrics.items() for known, entry in SHARES.items() if metric is known}
    costs, sizes, hits, entries = [], [], dict.fromkeys(counted, 0), dict.fromkeys(counted, 0)
    kept: list[Batch] = []
    for F, Y in found:
        costs.append(float(loss.cost(F, Y)))
        sizes.append(F.shape[1])
        P = loss.predict(F)
        for name, entry in counted.items():
            hit = entry(P, Y)
            hits[name] += int(np.count_nonzero(hit))
            entries[name] += hit.size
        if len(counted) < len(metrics):
            kept.append((P, Y))
    N = sum(sizes)
    scores = {"loss": sum(c * (n / N) for c, n in zip(costs, sizes, strict=True))}
    P, Y = (np.concatenate(parts, axis=1) for parts in zip(*kept, strict=True)) if kept else (np.empty(0), np.empty(0))
    for name, metric in metrics.items():
        scores[name] = hits[name] / entries[name] if name in counted else float(metric(P, Y))
    return scores

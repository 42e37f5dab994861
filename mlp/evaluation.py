"""Run a network over all rows of a data set, and score its outputs.

The rows go through the network in batches, so that a data set may be larger than memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from mlp.losses import Loss
from mlp.metrics import Share
from mlp.minibatches import batches, columns
from mlp.network import Network
from mlp.types import Array, Batch, Data, Examples, Metrics


def sweep(network: Network, X: Examples, run: Callable[[Array], Any] | None = None) -> Iterator[tuple[slice, Any]]:
    """The network's outputs F (K x B) for all rows of X (N x D), batch by batch: which rows, and F.

    `run` is what to call on the inputs of a batch, if not `network`: `network.forward` gives the values of all layers.
    """
    run, dtype = run or network, network.theta.dtype
    for rows in batches(len(X)):
        with np.errstate(all="ignore"):
            found = run(columns(X, rows, dtype))
        yield rows, found


def targets(Y: Examples, rows: slice, F: Array) -> Array:
    """Rows of Y (N x K) as columns, as F is: of its precision, and contiguous by rows."""
    return np.ascontiguousarray(columns(Y, rows, F.dtype))


def evaluate(
    network: Network, loss: Loss, data: Data, metrics: Metrics | None = None, *, prefix: str = ""
) -> dict[str, float]:
    """The mean loss (without penalty) and the metrics over all rows of (X, Y): {"loss": ..., "accuracy": ...}.

    `prefix` stands before each name. Raises ValueError when X and Y have not as many rows, or none.
    """
    X, Y = data
    if not len(X) == len(Y) > 0:
        raise ValueError(f"X has {len(X)} rows and Y has {len(Y)}, expected as many, and at least one")
    found = ((F, targets(Y, rows, F)) for rows, F in sweep(network, X))
    return {f"{prefix}{name}": value for name, value in scores_of(loss, found, metrics).items()}


@np.errstate(all="ignore")
def scores_of(loss: Loss, found: Iterable[Batch], metrics: Metrics | None = None) -> dict[str, float]:
    """The same from outputs F and targets Y (both K x B), batch by batch.

    A `Share` is counted. Other metrics may be any function of all P and Y, which are kept for them.
    """
    metrics = metrics or {}
    shares = {name: metric for name, metric in metrics.items() if isinstance(metric, Share)}
    right, entries = Counter[str](), Counter[str]()
    costs, sizes, kept = list[float](), list[int](), list[Batch]()
    for F, Y in found:
        costs.append(float(loss.cost(F, Y)))
        sizes.append(F.shape[1])
        P = loss.predict(F)
        for name, share in shares.items():
            hits = share.entries(P, Y)
            right[name] += int(np.count_nonzero(hits))
            entries[name] += hits.size
        if len(shares) < len(metrics):
            kept.append((P, Y))
    N = sum(sizes)
    scores = {"loss": sum(c * (n / N) for c, n in zip(costs, sizes, strict=True))}
    whole = [np.concatenate(parts, axis=1) for parts in zip(*kept, strict=True)]
    for name, metric in metrics.items():
        scores[name] = right[name] / entries[name] if name in shares else float(metric(*whole))
    return scores

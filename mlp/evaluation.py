"""Evaluate a network on all rows of a data set, which may be larger than the memory: in pieces."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mlp.losses import Loss
from mlp.metrics import SHARES
from mlp.minibatches import batches, minibatch
from mlp.network import Network
from mlp.types import Batch, Data, Metrics


def evaluate(
    network: Network, loss: Loss, data: Data, metrics: Metrics | None = None, *, prefix: str = ""
) -> dict[str, float]:
    """The mean loss (without penalty) and the metrics over all rows of (X, Y): {"loss": ..., "accuracy": ...}.

    `prefix` stands before each name.

    Raises ValueError when X and Y have not as many rows, or none.
    """
    X, Y = data
    if not len(X) == len(Y) > 0:
        raise ValueError(f"X has {len(X)} rows and Y has {len(Y)}, expected as many, and at least one")
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        cut = (minibatch(data, rows, network.theta.dtype) for rows in batches(len(data[0])))
        scores = scores_of(loss, ((network(X), Y) for X, Y in cut), metrics)
    return {f"{prefix}{name}": value for name, value in scores.items()}


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

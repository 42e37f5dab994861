"""Cutting rows into columns, the outputs for all rows of a data set, and how good they are.

Data at rest has one example a row (N x D); the orientation turns in `minibatch`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mlp.activations import Array
from mlp.losses import Loss
from mlp.network import Network

Data = tuple[Array, Array]
Metrics = Mapping[str, Callable[[Array, Array], float]]


def minibatch(network: Network, data: Data, rows: Any) -> Data:
    """Rows of the data as columns, in the network's precision: X is D x B, Y is K x B."""
    X, Y = data
    dtype = np.result_type(*network.parameters().values())
    X, Y = X[rows].T, Y[rows].T
    if X.dtype != dtype or Y.dtype != dtype:
        with np.errstate(over="ignore"):  # what is beyond the precision is inf, and told as divergence
            X, Y = X.astype(dtype), Y.astype(dtype)
    return X, Y


def outputs(network: Network, X: Array, batch_size: int = 1024) -> Array:
    """F, K x N, for all rows of X (N x D), computed in pieces so that memory does not grow with N times the widths."""
    slices = [slice(start, start + batch_size) for start in range(0, len(X), batch_size)]
    return np.concatenate([network(minibatch(network, (X, X), rows)[0]) for rows in slices], axis=1)


def evaluate(network: Network, loss: Loss, data: Data, metrics: Metrics | None = None) -> dict[str, float]:
    """The mean loss (without penalty) and the metrics over all rows of (X, Y): {"loss": ..., "accuracy": ...}."""
    X, Y = data
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return scores_of(loss, outputs(network, X), Y, metrics)


def scores_of(loss: Loss, F: Array, Y: Array, metrics: Metrics | None = None) -> dict[str, float]:
    """The same for outputs F (K x N) that are there already; Y is N x K."""
    P = loss.predict(F)
    scores = {"loss": float(loss.cost(F, Y.T))}
    return scores | {name: float(metric(P, Y.T)) for name, metric in (metrics or {}).items()}

"""Run a network over all rows of a data set, and score its outputs.

The rows go through the network in batches, so that a data set may be larger than memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from mlp.arguments import check_argument, check_arguments, check_data
from mlp.losses import Loss, mean_cost
from mlp.metrics import Share
from mlp.minibatches import batches, columns, weights
from mlp.network import Network
from mlp.types import Array, Batch, Data, Examples, Metrics, unpack


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

    With weights, (X, Y, w), the loss is 1/N sum_i w_i c_i; metrics count each row once. `prefix` stands before each
    name. Raises ValueError when X and Y have not as many rows, or none, and where they do not fit network and loss.
    """
    check_arguments(evaluate, {"network": network, "loss": loss, "prefix": prefix})
    check_metrics({} if metrics is None else metrics)
    check_fit("data", network, loss, data)
    return measure(network, loss, data, metrics, prefix=prefix)


def check_metrics(metrics: Metrics) -> None:
    """Raises TypeError for what is no dict of functions."""
    check_argument("metrics", Metrics, metrics)
    for name, metric in metrics.items():
        check_argument(f"metrics[{name!r}]", Callable, metric)


def check_fit(name: str, network: Network, loss: Loss, data: Data) -> None:
    """Raises TypeError or ValueError, with the name of the data, when they are not right for network and loss.

    The first row goes through both, and the loss looks at all targets, if it has a `check_targets(Y)`.
    """
    check_data(name, data)
    first, dtype = slice(0, 1), network.theta.dtype
    look: Any = getattr(loss, "check_targets", None)
    try:
        with np.errstate(all="ignore"):
            F = network(columns(data[0], first, dtype))
            for rows in batches(len(data[1]) if look else 0):
                look(columns(data[1], rows, dtype))
            loss.cost(F, targets(data[1], first, F))
    except ValueError as error:
        if type(error) is ValueError:  # and not what a file could not be read for
            raise ValueError(f"{name}: {error}") from None
        raise


def measure(
    network: Network, loss: Loss, data: Data, metrics: Metrics | None = None, *, prefix: str = ""
) -> dict[str, float]:
    """The same for arguments that were checked."""
    X, Y, w = unpack(data)
    found = ((F, targets(Y, rows, F), weights(w, rows, F.dtype)) for rows, F in sweep(network, X))
    return {f"{prefix}{name}": value for name, value in scores_of(loss, found, metrics).items()}


@np.errstate(all="ignore")
def scores_of(loss: Loss, found: Iterable[Batch], metrics: Metrics | None = None) -> dict[str, float]:
    """The same from outputs F, targets Y (both K x B) and weights w, batch by batch.

    A `Share` is counted. Other metrics may be any function of all P and Y, which are kept for them.
    """
    metrics = metrics or {}
    shares = {name: metric for name, metric in metrics.items() if isinstance(metric, Share)}
    right, entries = Counter[str](), Counter[str]()
    costs, sizes, kept = list[float](), list[int](), list[tuple[Array, Array]]()
    for F, Y, w in found:
        costs.append(float(mean_cost(loss, F, Y, w)))
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

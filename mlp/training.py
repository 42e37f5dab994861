"""The training loop: shuffled minibatches, forward, seed, backward, step; one record an epoch.

`train` is a generator, so logging, saving and live plots are the body of a `for` loop and there are no callbacks.
Data at rest has one example a row (N x D); the orientation turns in `minibatch`, and nowhere else.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from mlp.activations import Array
from mlp.losses import L2Penalty, Loss
from mlp.network import Network
from mlp.optimizers import Optimizer, clip_gradient, gradient_norm
from mlp.schedules import Schedule, constant

Data = tuple[Array, Array]
Metrics = Mapping[str, Callable[[Array, Array], float]]


class DivergedError(ArithmeticError):
    """The cost, a gradient or the validation loss is not finite any more."""


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch came to.

    Losses are those of the data alone, without the L2 penalty, so that they compare. `metrics` has keys such as
    "valid_accuracy". `learning_rate` is that of the epoch's last step; `gradient_norm` is the mean over its steps of
    the global norm of the gradient that was stepped along (penalty included, before clipping).
    """

    epoch: int
    train_loss: float
    valid_loss: float | None
    metrics: dict[str, float]
    learning_rate: float
    gradient_norm: float
    seconds: float


@dataclass
class Progress:
    """How far a run has come: what `train` needs, beside network, optimizer and rng, to go on where it stopped.

    The best epoch is the one with the lowest validation loss, or training loss where there is no validation set.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = math.inf
    best_parameters: dict[str, Array] = field(default_factory=dict)


def train(
    network: Network,
    loss: Loss,
    optimizer: Optimizer,
    data: Data,
    *,
    rng: np.random.Generator,
    epochs: int,
    batch_size: int = 32,
    valid: Data | None = None,
    metrics: Metrics | None = None,
    l2: float = 0.0,
    schedule: Schedule | None = None,
    clip: float | None = None,
    patience: int | None = None,
    train_loss: Literal["running", "epoch_end"] = "running",
    keep_every: int | None = None,
    progress: Progress | None = None,
) -> Iterator[EpochRecord]:
    """Train `network` in place and yield an `EpochRecord` after each epoch.

    `data` is (X, Y) with one example a row: X is N x D, Y is N x K (one-hot for classes); `valid` likewise. Each epoch
    shuffles the rows with `rng` and cuts them into minibatches of `batch_size`, the last one shorter where they do not
    divide. Every minibatch steps along the bars of its own mean cost plus the L2 penalty:

        F = network(X_b),  bars = backward(seed(F, Y_b)),  W_bar += l2 W,  optimizer.step

    - `metrics` maps names to functions of predictions and targets (both K x N), computed on the validation set;
    - `schedule` is a factor on `optimizer.learning_rate` (see `mlp.schedules`), applied at every step;
    - `clip` limits the global norm of the gradient;
    - `patience` stops after so many epochs without a lower validation loss, and then puts the best epoch's weights
      back into the network (a loop that you break out of keeps the weights it has);
    - `train_loss`: "running" reports the mean cost of the epoch's examples as they were trained on, for free;
      "epoch_end" evaluates the training set, and the metrics on it, after the epoch;
    - `keep_every=k` keeps the input of every k-th layer alone for the backward sweep, which computes the rest again
      (see `Network.forward`), and the bars of parameters alone: same bits, less memory, one more forward pass;
    - `progress` is updated in place before each yield. Pass one to read the best epoch so far, or, with the network,
      optimizer and rng of an interrupted run, to go on exactly where it was.

    Raises ValueError for arguments that cannot work, at the call; DivergedError, from the loop, as soon as a cost, a
    gradient or the validation loss is not finite.
    """
    check_data("data", data)
    if valid is not None:
        check_data("valid", valid)
    for name, number in (
        ("epochs", epochs),
        ("batch_size", batch_size),
        ("patience", patience),
        ("keep_every", keep_every),
    ):
        if number is not None and number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip must be above 0, got {clip}")
    if patience is not None and valid is None:
        raise ValueError("early stopping (patience) needs a validation set (valid)")
    if train_loss not in ("running", "epoch_end"):
        raise ValueError(f"train_loss must be 'running' or 'epoch_end', got {train_loss!r}")
    penalty = L2Penalty(l2)
    schedule = constant() if schedule is None else schedule
    progress = Progress() if progress is None else progress
    metrics = {} if metrics is None else metrics

    def run_epochs() -> Iterator[EpochRecord]:
        while progress.epoch < epochs and not out_of_patience(progress, patience):
            started = time.perf_counter()
            epoch = progress.epoch + 1
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                running, norm, learning_rate = train_epoch(
                    network, loss, optimizer, data, penalty, schedule, clip, batch_size, epoch, rng, keep_every
                )
                scores: dict[str, float] = {"train_loss": running}
                if train_loss == "epoch_end":
                    scores |= prefixed("train_", evaluate(network, loss, data, metrics))
                if valid is not None:
                    scores |= prefixed("valid_", evaluate(network, loss, valid, metrics))
            monitored = scores["train_loss" if valid is None else "valid_loss"]
            if not math.isfinite(monitored):
                raise DivergedError(f"the loss after epoch {epoch} is {monitored}")
            progress.epoch = epoch
            if monitored < progress.best_loss:
                progress.best_epoch, progress.best_loss = epoch, monitored
                progress.best_parameters = {k: v.copy() for k, v in network.parameters().items()}
            yield EpochRecord(
                epoch=epoch,
                train_loss=scores.pop("train_loss"),
                valid_loss=scores.pop("valid_loss", None),
                metrics=scores,
                learning_rate=learning_rate,
                gradient_norm=norm,
                seconds=time.perf_counter() - started,
            )
        if patience is not None:
            set_parameters(network, progress.best_parameters)

    return run_epochs()


def train_epoch(
    network: Network,
    loss: Loss,
    optimizer: Optimizer,
    data: Data,
    penalty: L2Penalty,
    schedule: Schedule,
    clip: float | None,
    batch_size: int,
    epoch: int,
    rng: np.random.Generator,
    keep_every: int | None,
) -> tuple[float, float, float]:
    """One pass over the shuffled rows: the mean cost of an example, the mean gradient norm, the last learning rate."""
    base = optimizer.learning_rate
    N = len(data[0])
    order = rng.permutation(N)
    batches = [order[start : start + batch_size] for start in range(0, N, batch_size)]
    cost_sum = norm_sum = 0.0
    try:
        for i, rows in enumerate(batches):
            optimizer.learning_rate = base * schedule(epoch - 1 + (i + 0.5) / len(batches))
            X, Y = minibatch(network, data, rows)
            values = network.forward(X, keep_every=keep_every)
            F = values[-1].H
            c = float(loss.cost(F, Y))
            bars = network.backward(values, loss.seed(F, Y), parameters_only=keep_every is not None)
            penalty.add_to(network, bars)
            norm = gradient_norm(network, bars)
            if not (math.isfinite(c) and math.isfinite(norm)):
                raise DivergedError(
                    f"epoch {epoch}, minibatch {i + 1} of {len(batches)}: cost {c:g}, gradient norm {norm:g}"
                )
            if clip is not None:
                clip_gradient(network, bars, clip, norm)
            optimizer.step(network, bars)
            cost_sum += c * len(rows)
            norm_sum += norm
        return cost_sum / N, norm_sum / len(batches), optimizer.learning_rate
    finally:
        optimizer.learning_rate = base


def minibatch(network: Network, data: Data, rows: Any) -> Data:
    """Rows of the data as columns, in the network's precision: X is D x B, Y is K x B."""
    X, Y = data
    dtype = np.result_type(*network.parameters().values())
    return X[rows].T.astype(dtype, copy=False), Y[rows].T.astype(dtype, copy=False)


def outputs(network: Network, X: Array, batch_size: int = 1024) -> Array:
    """F, K x N, for all rows of X (N x D), computed in pieces so that memory does not grow with N times the widths."""
    slices = [slice(start, start + batch_size) for start in range(0, len(X), batch_size)]
    return np.concatenate([network(minibatch(network, (X, X), rows)[0]) for rows in slices], axis=1)


def evaluate(network: Network, loss: Loss, data: Data, metrics: Metrics | None = None) -> dict[str, float]:
    """The mean loss (without penalty) and the metrics over all rows of (X, Y): {"loss": ..., "accuracy": ...}."""
    X, Y = data
    F = outputs(network, X)
    P = loss.predict(F)
    scores = {"loss": float(loss.cost(F, Y.T))}
    return scores | {name: float(metric(P, Y.T)) for name, metric in (metrics or {}).items()}


def set_parameters(network: Network, values: Mapping[str, Array]) -> None:
    """Copy values into the network's own arrays, by name ("W1", "b1", ...)."""
    for name, parameter in network.parameters().items():
        parameter[...] = values[name]


def out_of_patience(progress: Progress, patience: int | None) -> bool:
    return patience is not None and progress.epoch - progress.best_epoch >= patience


def prefixed(prefix: str, scores: Mapping[str, float]) -> dict[str, float]:
    return {f"{prefix}{name}": value for name, value in scores.items()}


def check_data(name: str, data: Data) -> None:
    X, Y = data
    if X.ndim != 2 or Y.ndim != 2 or len(X) != len(Y) or len(X) == 0:
        raise ValueError(
            f"{name}: X has shape {X.shape} and Y has shape {Y.shape}, expected (N, D) and (N, K) "
            "with at least one row: data has one example a row"
        )

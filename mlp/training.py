"""The training loop: shuffled minibatches, forward, seed, backward, step; one record an epoch.

`train` is iterated over, so logging, saving and live plots are the body of a `for` loop and there are no callbacks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any, Literal

import numpy as np

from mlp.axpy import same_bits
from mlp.divergence import (
    DivergedError,
    NotFinite,
    Overflows,
    check_losses,
    check_parameters,
    check_step,
    first_place,
    largest,
)
from mlp.evaluation import evaluate
from mlp.losses import Loss
from mlp.minibatches import minibatch
from mlp.network import Network
from mlp.optimizers import Optimizer, clip_gradient, gradient_norm
from mlp.parallel.ranks import Parts, Ranks
from mlp.penalties import L2Penalty
from mlp.records import EpochRecord, MinibatchRecord, Progress, UnfinishedEpoch
from mlp.schedules import Schedule, constant
from mlp.types import Array, Data, Metrics


class Training:
    """The epochs to come: iterate over it for an `EpochRecord` an epoch.

    `minibatches()` is the same training in smaller steps: it also yields a `MinibatchRecord` after each minibatch.
    There too `progress` has been updated, so that a run can be left between any two minibatches and gone on with.
    """

    def __init__(self, records: Iterator[EpochRecord | MinibatchRecord]) -> None:
        self.records = records

    def __iter__(self) -> Iterator[EpochRecord]:
        return self

    def __next__(self) -> EpochRecord:
        while True:
            record = next(self.records)
            if isinstance(record, EpochRecord):
                return record

    def minibatches(self) -> Iterator[EpochRecord | MinibatchRecord]:
        return self.records


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
    ranks: Ranks | None = None,
) -> Training:
    """Train `network` in place and yield an `EpochRecord` after each epoch.

    `data` is (X, Y) with one example a row: X is N x D, Y is N x K (one-hot for classes); `valid` likewise. X and Y may
    be larger than memory: `mlp.evaluation.Examples` says what is asked of them. Each epoch shuffles all rows with `rng`
    and cuts them into minibatches of `batch_size`, the last one shorter where they do not divide. Every minibatch steps
    along the bars of its own mean cost plus the L2 penalty:

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
      optimizer and rng of an interrupted run, to go on exactly where it was, in the middle of an epoch too;
    - `ranks` are processes that make this same call: each works on a part of every minibatch, and all end with the
      weights that one would have, to rounding (see `mlp.parallel.ranks`).

    `train(...).minibatches()` yields after each minibatch as well (see `Training`). Raises ValueError for arguments
    that cannot work, at the call; DivergedError, from the loop, as soon as a cost, a gradient, a parameter or a loss
    after the epoch is not finite (a parameter that only the optimizer's state makes so: at the end of its epoch).
    """
    counts = {"epochs": epochs, "batch_size": batch_size, "patience": patience, "keep_every": keep_every}
    check_arguments(data, valid, counts, clip, train_loss)
    penalty = L2Penalty(l2)
    schedule = constant() if schedule is None else schedule
    progress = Progress() if progress is None else progress
    metrics = {} if metrics is None else metrics
    parts = None if ranks is None else Parts(ranks, network)

    def run_epochs() -> Iterator[EpochRecord | MinibatchRecord]:
        while progress.epoch < epochs and not out_of_patience(progress, patience):
            epoch = progress.epoch + 1
            yield from train_epoch(
                network, loss, optimizer, data, penalty, schedule, clip, batch_size, rng, keep_every, progress, parts
            )
            if parts is not None and parts.stopping:
                return
            done = progress.unfinished
            assert done is not None
            started = time.perf_counter()
            scores = {"train_loss": done.cost_sum / len(data[0])}
            if train_loss == "epoch_end":
                scores |= prefixed("train_", evaluate(network, loss, data, metrics))
            if valid is not None:
                scores |= prefixed("valid_", evaluate(network, loss, valid, metrics))
            if parts is not None:
                scores = parts.agree(network, scores, epoch)
            rate = optimizer.learning_rate * schedule(time_of(epoch, done.minibatches, done.minibatches))
            check_losses(scores, data, valid, epoch, rate)
            progress.epoch, progress.unfinished = epoch, None
            monitored = scores["train_loss" if valid is None else "valid_loss"]
            if monitored < progress.best_loss:
                progress.best_epoch, progress.best_loss = epoch, monitored
                progress.best_parameters = {k: v.copy() for k, v in network.parameters().items()}
            yield EpochRecord(
                epoch=epoch,
                train_loss=scores.pop("train_loss"),
                valid_loss=scores.pop("valid_loss", None),
                metrics=scores,
                learning_rate=rate,
                gradient_norm=done.norm_sum / done.minibatches,
                seconds=done.seconds + time.perf_counter() - started,
            )
        if patience is not None and progress.best_parameters:
            set_parameters(network, progress.best_parameters)

    return Training(run_epochs())


def train_epoch(
    network: Network,
    loss: Loss,
    optimizer: Optimizer,
    data: Data,
    penalty: L2Penalty,
    schedule: Schedule,
    clip: float | None,
    batch_size: int,
    rng: np.random.Generator,
    keep_every: int | None,
    progress: Progress,
    parts: Parts | None,
) -> Iterator[MinibatchRecord]:
    """One pass over the shuffled rows, or what is left of it; `progress.unfinished` has its sums."""
    N, epoch = len(data[0]), progress.epoch + 1
    if progress.unfinished is None:
        progress.unfinished = UnfinishedEpoch(rng.bit_generator.state)
    done = progress.unfinished
    rng.bit_generator.state = done.rng_state  # the order that the epoch began with
    order = rng.permutation(N)
    minibatches = math.ceil(N / batch_size)
    for i in range(done.minibatches, minibatches):
        started = time.perf_counter()
        rows = order[i * batch_size : (i + 1) * batch_size]
        X, Y = minibatch(network, data, rows if parts is None else parts.rows(rows))
        total = None if parts is None else partial(parts.sum, B=len(rows))
        base = optimizer.learning_rate
        optimizer.learning_rate = rate = base * schedule(time_of(epoch, i + 1, minibatches))
        try:
            c, norm = train_minibatch(network, loss, optimizer, X, Y, penalty, clip, keep_every, total)
            if i + 1 == minibatches:
                check_parameters(network)
        except NotFinite as found:
            X, Y = minibatch(network, data, rows)  # all of it: the first such number may be in another rank's part
            place = found.place or first_place(network, loss, found.bars, X, Y)
            raise DivergedError(
                f"epoch {epoch}, minibatch {i + 1} of {minibatches}: {found}; first in {place}",
                epoch=epoch,
                minibatch=i + 1,
                place=place,
                largest_input=largest(X),
                largest_target=largest(Y),
                learning_rate=rate,
                parameters_finite=found.parameters_finite,
            ) from None
        finally:
            optimizer.learning_rate = base
        done.minibatches = i + 1
        done.cost_sum += c * len(rows)
        done.norm_sum += norm
        done.seconds += time.perf_counter() - started
        yield MinibatchRecord(epoch, i + 1, minibatches, c, norm, rate)
        if parts is not None and parts.stopping:
            return


def train_minibatch(
    network: Network,
    loss: Loss,
    optimizer: Optimizer,
    X: Array,
    Y: Array,
    penalty: L2Penalty,
    clip: float | None,
    keep_every: int | None,
    total: Callable[[Network, list[Any], float], float] | None = None,
) -> tuple[float, float]:
    """One step along the bars of the mean cost of X (D x B) and Y (K x B); the cost and the gradient's norm.

    Where that is a part of a minibatch, `total` makes the bars those of all of it, in place, and returns its cost.

    Raises NotFinite, before the step where that is possible, when one of them or a parameter is not finite.
    """
    overflows = Overflows()
    sums = nullcontext() if total is None else same_bits()  # the processes that share the minibatch step alike
    with np.errstate(over="call", invalid="call", divide="call", call=overflows), sums:
        values = network.forward(X, keep_every=keep_every)
        F = values[-1].H
        c = float(loss.cost(F, Y))
        bars = network.backward(values, loss.seed(F, Y), parameters_only=keep_every is not None)
        if total is not None:
            c = total(network, bars, c)
        penalty.add_to(network, bars)
        norm = gradient_norm(network, bars)
        if not (math.isfinite(c) and math.isfinite(norm)):
            raise NotFinite(f"cost {c:g}, gradient norm {norm:g}", bars=bars)
        if clip is not None:
            clip_gradient(network, bars, clip, norm)
        optimizer.step(network, bars)
    check_step(network, optimizer, overflows, norm)
    return c, norm


def set_parameters(network: Network, values: Mapping[str, Array]) -> None:
    """Copy values into the network's own arrays, by name ("W1", "b1", ...)."""
    for name, parameter in network.parameters().items():
        parameter[...] = values[name]


def out_of_patience(progress: Progress, patience: int | None) -> bool:
    return patience is not None and progress.epoch - progress.best_epoch >= patience


def time_of(epoch: int, minibatch: int, minibatches: int) -> float:
    """When a step is taken, in epochs: the middle of its minibatch (see `mlp.schedules`)."""
    return epoch - 1 + (minibatch - 0.5) / minibatches


def prefixed(prefix: str, scores: Mapping[str, float]) -> dict[str, float]:
    return {f"{prefix}{name}": value for name, value in scores.items()}


def check_arguments(
    data: Data, valid: Data | None, counts: Mapping[str, int | None], clip: float | None, train_loss: str
) -> None:
    """Raises ValueError for arguments of `train` that cannot work."""
    check_data("data", data)
    if valid is not None:
        check_data("valid", valid)
    for name, number in counts.items():
        if number is not None and number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip must be above 0, got {clip}")
    if counts["patience"] is not None and valid is None:
        raise ValueError("early stopping (patience) needs a validation set (valid)")
    if train_loss not in ("running", "epoch_end"):
        raise ValueError(f"train_loss must be 'running' or 'epoch_end', got {train_loss!r}")


def check_data(name: str, data: Data) -> None:
    X, Y = data
    if X.ndim != 2 or Y.ndim != 2 or len(X) != len(Y) or len(X) == 0:
        raise ValueError(
            f"{name}: X has shape {X.shape} and Y has shape {Y.shape}, expected (N, D) and (N, K) "
            "with at least one row: data has one example a row"
        )

"""Train a network: shuffled minibatches, forward, cost and seed, backward, a step; one record an epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated

import numpy as np

from mlp.arguments import check_arguments
from mlp.divergence import check_losses, check_parameters, check_step
from mlp.evaluation import check_fit, check_metrics, measure
from mlp.layers.dropout import Draws
from mlp.losses.loss import Loss, check_costs, check_label_smoothing, cost_and_seed
from mlp.minibatches import Alone, Workers, minibatch
from mlp.monitor import Monitor, Plateau
from mlp.network import Network
from mlp.optimizers import Optimizer, clip_gradient, gradient_norm, rates_of
from mlp.penalties import L2Penalty, WeightDecay
from mlp.records import EpochRecord, MinibatchRecord, Progress
from mlp.schedules import Schedule, check_schedule, constant
from mlp.types import Array, Count, Data, Fraction, Metrics, NonNegative, OneOf, Positive


@dataclass
class Training:
    """Train `network` in place. Iterate over it for an `EpochRecord` an epoch: there are no callbacks.

    `data` is (X, Y) with one example a row: X is N x D, Y is N x K (one-hot for classes); `valid` likewise. (X, Y, w)
    has N weights of the rows as well, and their costs are multiplied by these (see `mlp.losses.mean_cost`). Each epoch
    shuffles all rows with `rng` and cuts them into minibatches of `batch_size`; the last one is smaller if `batch_size`
    does not divide N. Every minibatch steps along the gradient of its own mean cost plus the L2 penalty.

    - `metrics` maps names to functions of predictions and targets (both K x N), computed on the validation set;
    - `l2` is the strength of the L2 penalty, `weight_decay` that of decoupled decay (see `mlp.penalties`);
    - `schedule` is a factor on `optimizer.learning_rate` at every step, `clip` a limit of the gradient's global norm;
    - `rate_factors` has factors of the learning rate for parameters, by their names (see `mlp.optimizers.rates_of`);
    - `label_smoothing` is the share of an even target in those that are trained on (see `cost_and_seed`);
    - `ema` is the decay of a moving average of theta (Polyak and Juditsky 1992), which is evaluated and kept instead;
    - `monitor` says by what an epoch is the best: the loss, a metric, or that it is the last (see `mlp.monitor`);
    - `plateau` lowers the learning rate where epochs get no better (see `mlp.monitor.Plateau`);
    - `patience` stops after so many epochs without a better one, and puts the best epoch's weights back;
    - `train_loss`: "running" is the mean cost of the examples as they were trained on, for free; "epoch_end" evaluates
      the training set, and the metrics on it, after the epoch;
    - `progress` is updated before each yield: with it, the network, optimizer and rng of an interrupted run, training
      goes on exactly where it was, in the middle of an epoch too;
    - `workers` are the processes that share each minibatch (see `mlp.minibatches.Workers`).

    Raises ValueError, at the call, for arguments that cannot work; DivergedError, from the loop, before a step along a
    gradient that is not finite, and after an epoch that made a loss or a parameter so.
    """

    network: Network
    loss: Loss
    optimizer: Optimizer
    data: Data
    _: KW_ONLY
    rng: np.random.Generator
    epochs: Count
    batch_size: Count = 32
    valid: Data | None = None
    metrics: Metrics = field(default_factory=dict)
    l2: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    schedule: Schedule = field(default_factory=constant)
    clip: Positive | None = None
    rate_factors: Mapping[str, float] = field(default_factory=dict)
    label_smoothing: Fraction = 0.0
    ema: Fraction = 0.0
    monitor: Monitor = field(default_factory=Monitor)
    plateau: Plateau | None = None
    patience: Count | None = None
    train_loss: Annotated[str, OneOf(("running", "epoch_end"))] = "running"
    progress: Progress = field(default_factory=Progress)
    workers: Workers = field(default_factory=Alone)

    def __post_init__(self) -> None:
        check_arguments(Training, vars(self))
        check_metrics(self.metrics)
        check_schedule(self.schedule)
        check_fit("data", self.network, self.loss, self.data)
        if self.valid is not None:
            check_fit("valid", self.network, self.loss, self.valid)
        if any(data is not None and len(data) == 3 for data in (self.data, self.valid)):
            check_costs(self.loss)
        if self.patience is not None and self.valid is None:
            raise ValueError("early stopping (patience) needs a validation set (valid)")
        check_label_smoothing(self.loss, self.label_smoothing)
        self.monitor.check(self.metrics, self.valid, self.train_loss)
        self.penalty, self.decay = L2Penalty(self.l2), WeightDecay(self.weight_decay)
        self.lay_out()

    def lay_out(self) -> None:
        """Make what has the size of theta: the bars, written into by every minibatch, and the factors of the rate."""
        self.bars = self.network.views(np.empty_like(self.network.theta))
        self.factors = rates_of(self.network, self.rate_factors)

    def __iter__(self) -> Iterator[EpochRecord]:
        return (record for record in self.minibatches() if isinstance(record, EpochRecord))

    def __repr__(self) -> str:
        return f"<Training: {self.progress.epoch} of {self.epochs} epochs done; iterate over it to train>"

    def minibatches(self) -> Iterator[MinibatchRecord | EpochRecord]:
        """The same, with a `MinibatchRecord` after each minibatch. It may stop after any record and continue later."""
        while self.progress.epoch < self.epochs and not self.progress.out_of(self.patience):
            if (yield from self.run_epoch()):
                return
            yield self.finish_epoch()
        if self.patience is not None and self.progress.best_theta is not None:
            self.network.theta[...] = self.progress.best_theta

    def run_epoch(self) -> Generator[MinibatchRecord, None, bool]:
        """One pass over the shuffled rows, or what an interrupted pass has left of them; returns whether it stopped."""
        done = self.progress.begin_epoch(self.rng)
        order = self.rng.permutation(len(self.data[0]))
        seed = int(self.rng.integers(2**63)) if self.network.random else None
        starts = range(0, len(order), self.batch_size)
        for i in range(done.minibatches, len(starts)):
            started = time.perf_counter()
            rows = order[starts[i] : starts[i] + self.batch_size]
            eta = self.eta(self.progress.epoch + (i + 0.5) / len(starts))
            draws = None if seed is None else self.draws((seed, i), len(rows))
            c, norm = self.step(rows, eta, draws)
            record = MinibatchRecord(self.progress.epoch + 1, i + 1, len(starts), c, norm, eta)
            check_step(self.network, self.loss, self.data, rows, self.bars.vector, record)
            done.add(record, len(rows), time.perf_counter() - started)
            yield record
            if self.workers.stopping:
                return True
        return False

    @np.errstate(all="ignore")  # `check_step` looks for what is not finite
    def step(self, rows: Array, eta: float, draws: Draws | None) -> tuple[float, float]:
        """One minibatch in the note's equations: its mean cost, and the norm of its gradient."""
        network, theta = self.network, self.network.theta
        if theta.shape != self.bars.vector.shape or theta.dtype != self.bars.vector.dtype:  # by another layout
            self.lay_out()
        theta_bar = self.bars.vector
        X, Y, w = minibatch(self.data, self.workers.share(rows), theta_bar.dtype)  # rows become columns, H^(0) = X
        values = network.forward(X) if draws is None else network.forward(X, draws)  # A = W H + b 1^T,  H = g(A)
        c, F_bar = cost_and_seed(self.loss, values[-1].H, Y, w, self.label_smoothing)  # c = L(F, Y), and dc/dF
        network.backward(values, F_bar, out=self.bars)  # W_bar and b_bar of every layer: one reverse sweep
        c = self.workers.sum(theta_bar, float(c), len(rows))  # over all processes; alone it is c
        self.penalty.add_to(network, theta_bar)  # W_bar <- W_bar + lambda W
        norm = gradient_norm(theta_bar)
        if math.isfinite(c) and math.isfinite(norm):
            if self.clip is not None:
                clip_gradient(theta_bar, self.clip, norm)
            rate = eta if self.factors is None else eta * self.factors
            self.decay.apply(network, rate)
            self.optimizer.step(network.theta, theta_bar, rate)  # theta <- theta - eta theta_bar
            network.follow(values)
            if self.ema:
                self.progress.follow(network.theta, self.ema)
        return c, norm

    def draws(self, seed: tuple[int, int], B: int) -> Draws:
        """The random numbers of a minibatch of B rows, for this process's share of it."""
        return Draws(seed, B, self.workers.share(np.arange(B)), lambda array: self.workers.total(array, B))

    def eta(self, t: float) -> float:
        """The learning rate at a time t in epochs."""
        return self.optimizer.learning_rate * self.schedule(t) * self.progress.rate

    def finish_epoch(self) -> EpochRecord:
        """Evaluate, remember the best theta, and tell what the epoch came to."""
        started, epoch, done = time.perf_counter(), self.progress.epoch + 1, self.progress.unfinished
        assert done is not None
        rate = self.eta(self.progress.epoch + (done.minibatches - 0.5) / done.minibatches)
        scores = {"train_loss": done.cost_sum / len(self.data[0])}
        with self.progress.averaged(self.network.theta) as theta:
            if self.train_loss == "epoch_end":
                scores |= measure(self.network, self.loss, self.data, self.metrics, prefix="train_")
            if self.valid is not None:
                scores |= measure(self.network, self.loss, self.valid, self.metrics, prefix="valid_")
        scores = self.workers.agree(self.network, scores, epoch)
        check_parameters(self.network, epoch, rate)
        check_losses(scores, self.data, self.valid, epoch, rate)
        value = self.monitor.value(epoch, scores, self.metrics)
        self.progress.finish_epoch(value, theta, self.monitor.ties)
        if self.plateau is not None:
            self.progress.lower_rate(self.plateau)
        done.seconds += time.perf_counter() - started
        return EpochRecord.of(epoch, scores, rate, done)


train = Training

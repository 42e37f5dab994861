"""Train a network: shuffled minibatches, forward, cost and seed, backward, a step; one record an epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator

import numpy as np

from mlp.divergence import check_losses, check_parameters, check_step
from mlp.evaluation import measure
from mlp.layers.dropout import Draws
from mlp.losses.loss import cost_and_seed
from mlp.minibatches import minibatch
from mlp.optimizers import clip_gradient, gradient_norm, rates_of
from mlp.options import Options
from mlp.penalties import L2Penalty, WeightDecay
from mlp.records import EpochRecord, MinibatchRecord
from mlp.types import Array


class Training(Options):
    """Train `network` in place, as the `Options` say. Iterate over it for an `EpochRecord` an epoch: no callbacks.

    Raises TypeError or ValueError, at the call, for arguments that cannot work; DivergedError, from the loop, before a
    step along a gradient that is not finite, and after an epoch that made a loss or a parameter so.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
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

"""This project: the step that `mlp train` takes, checks and gradient norm included, and an epoch of `train`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import threadpoolctl

from benchmarking.work import BETA1, BETA2, EPSILON, MOMENTUM, Cell, Rows, Weights, one_hot
from mlp import SGD, Adam, L2Penalty, Layer, Network, SoftmaxCrossEntropy, train
from mlp.experiments.allocator import keep_freed_memory
from mlp.experiments.threads import ThreadLimit, useful_threads
from mlp.training import train_minibatch

AVAILABLE = max(pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas")


def limit_threads(sizes: Sequence[int], batch: int) -> None:
    """As many BLAS threads as `mlp train` would use, until the next cell; and freed memory is kept, as there."""
    keep_freed_memory()
    threadpoolctl.threadpool_limits(min(AVAILABLE, useful_threads(sizes, batch)), user_api="blas")


def make_network(weights: Weights) -> Network:
    hidden = [Layer(W, b, "relu") for W, b in weights[:-1]]
    return Network([*hidden, Layer(*weights[-1], "identity")])


def make_optimizer(cell: Cell) -> SGD | Adam:
    if cell.optimizer == "sgd":
        return SGD(cell.learning_rate, momentum=MOMENTUM)
    return Adam(cell.learning_rate, BETA1, BETA2, EPSILON)


class Steps:
    def __init__(self, cell: Cell, weights: Weights, minibatches: list[Rows], variant: str) -> None:
        limit_threads(cell.sizes, cell.batch)
        self.limit = ThreadLimit(useful_threads(cell.sizes, cell.batch))  # set for each minibatch, as in `mlp train`
        self.cell, self.weights = cell, weights
        self.loss, self.penalty = SoftmaxCrossEntropy(), L2Penalty(0.0)
        one_hots = [one_hot(classes, cell.sizes[-1]) for _, classes in minibatches]
        self.minibatches = [  # in memory as `mlp.evaluation.minibatch` cuts them
            (X.T, np.ascontiguousarray(Y.T)) for (X, _), Y in zip(minibatches, one_hots, strict=True)
        ]

    def reset(self) -> None:
        self.network, self.optimizer = make_network(self.weights), make_optimizer(self.cell)

    def step(self, i: int) -> Any:
        X, Y = self.minibatches[i % len(self.minibatches)]
        with self.limit:
            return train_minibatch(self.network, self.loss, self.optimizer, X, Y, self.penalty, None, None)[0]

    def finish(self) -> None:
        """A step returns when it is done."""


class Epoch:
    def __init__(self, cell: Cell, weights: Weights, rows: Rows, variant: str) -> None:
        limit_threads(cell.sizes, cell.batch)
        X, classes = rows
        self.batch, self.data = cell.batch, (X, one_hot(classes, cell.sizes[-1]))
        self.network, self.optimizer = make_network(weights), make_optimizer(cell)
        self.rng = np.random.default_rng(3)

    def run(self) -> float:
        training = train(
            self.network,
            SoftmaxCrossEntropy(),
            self.optimizer,
            self.data,
            rng=self.rng,
            epochs=1,
            batch_size=self.batch,
        )
        return next(training).train_loss


def describe() -> str:
    """NumPy and the kernel that its BLAS runs with."""
    pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    kernels = [f"{pool['internal_api']} {pool['version']}, {pool['architecture']} kernels" for pool in pools]
    threads = [f"{pool['num_threads']} threads" for pool in pools]
    return ", ".join([f"NumPy {np.__version__}", *kernels, *threads])

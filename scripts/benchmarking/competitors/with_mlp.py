"""This project through its public `train`: a step is what it takes to the next record, an epoch one of its epochs.

So a step has in it all that training does: the minibatch cut from the rows (the others find theirs ready), checks, the
gradient's norm, the record, and the end of each hundredth minibatch's epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import threadpoolctl

from benchmarking.work import BETA1, BETA2, EPSILON, MOMENTUM, Cell, Rows, Weights, one_hot
from mlp import SGD, Adam, EpochRecord, Layer, Network, SoftmaxCrossEntropy, train
from mlp.experiments.machine import choose_threads, keep_freed_memory, loaded_blas

AVAILABLE = max(pool["num_threads"] for pool in loaded_blas())
SEED = 3
ENDLESS = 10**9  # epochs


def limit_threads(sizes: Sequence[int], batch: int) -> None:
    """As many BLAS threads as `mlp train` would use, until the next cell; and freed memory is kept, as there."""
    keep_freed_memory()
    threadpoolctl.threadpool_limits(AVAILABLE, user_api="blas")
    choose_threads(batch * max(n_in * n_out for n_in, n_out in pairwise(sizes))).limit()


def make_network(weights: Weights) -> Network:
    hidden = [Layer(W.copy(), b.copy(), "relu") for W, b in weights[:-1]]
    W, b = weights[-1]
    return Network([*hidden, Layer(W.copy(), b.copy(), "identity")])


def make_optimizer(cell: Cell) -> SGD | Adam:
    if cell.optimizer == "sgd":
        return SGD(cell.learning_rate, momentum=MOMENTUM)
    return Adam(cell.learning_rate, BETA1, BETA2, EPSILON)


class Steps:
    """The rows lie so that the first shuffle puts them into the minibatches that all competitors have.

    Later epochs are shuffled otherwise, which is the same work.
    """

    def __init__(self, cell: Cell, weights: Weights, minibatches: list[Rows], variant: str) -> None:
        limit_threads(cell.sizes, cell.batch)
        self.cell, self.weights = cell, weights
        X, classes = (np.concatenate(parts) for parts in zip(*minibatches, strict=True))
        place = np.argsort(np.random.default_rng(SEED).permutation(len(X)))
        self.data = X[place], one_hot(classes[place], cell.sizes[-1])

    def reset(self) -> None:
        self.records = train(
            make_network(self.weights),
            SoftmaxCrossEntropy(),
            make_optimizer(self.cell),
            self.data,
            rng=np.random.default_rng(SEED),
            epochs=ENDLESS,
            batch_size=self.cell.batch,
        ).minibatches()

    def step(self, i: int) -> Any:
        record = next(self.records)
        while isinstance(record, EpochRecord):
            record = next(self.records)
        return record.cost

    def finish(self) -> None:
        """A step returns when it is done."""


class Epoch:
    def __init__(self, cell: Cell, weights: Weights, rows: Rows, variant: str) -> None:
        limit_threads(cell.sizes, cell.batch)
        X, classes = rows
        self.epochs = iter(
            train(
                make_network(weights),
                SoftmaxCrossEntropy(),
                make_optimizer(cell),
                (X, one_hot(classes, cell.sizes[-1])),
                rng=np.random.default_rng(SEED),
                epochs=ENDLESS,
                batch_size=cell.batch,
            )
        )

    def run(self) -> float:
        return next(self.epochs).train_loss


def describe() -> str:
    """NumPy and the kernel that its BLAS runs with."""
    kernels = [f"{pool['internal_api']} {pool['version']}, {pool['architecture']} kernels" for pool in loaded_blas()]
    threads = [f"{pool['num_threads']} threads" for pool in loaded_blas()]
    return ", ".join([f"NumPy {np.__version__}", *kernels, *threads])

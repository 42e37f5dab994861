"""scikit-learn's MLPClassifier: `partial_fit` on a minibatch is one step, on all rows one epoch with shuffling."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn
import threadpoolctl
from sklearn.neural_network import MLPClassifier

from benchmarking.work import BETA1, BETA2, EPSILON, MOMENTUM, Cell, Rows, Weights


def make_model(cell: Cell, weights: Weights, rows: Rows) -> Any:
    model = MLPClassifier(
        hidden_layer_sizes=cell.sizes[1:-1],
        solver=cell.optimizer,
        alpha=0.0,
        batch_size=cell.batch,
        learning_rate_init=cell.learning_rate,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        beta_1=BETA1,
        beta_2=BETA2,
        epsilon=EPSILON,
        random_state=3,
    )
    X, classes = rows
    model.partial_fit(X[: cell.batch], classes[: cell.batch], classes=np.arange(cell.sizes[-1]))  # makes its arrays
    reset(model, weights)
    return model


def reset(model: Any, weights: Weights) -> None:
    model.coefs_ = [W.T.copy() for W, _ in weights]
    model.intercepts_ = [b[:, 0].copy() for _, b in weights]
    vars(model).pop("_optimizer", None)  # the next call makes a new one


class Steps:
    def __init__(self, cell: Cell, weights: Weights, minibatches: list[Rows], variant: str) -> None:
        self.weights, self.minibatches = weights, minibatches
        self.model = make_model(cell, weights, minibatches[0])

    def reset(self) -> None:
        reset(self.model, self.weights)

    def step(self, i: int) -> Any:
        return self.model.partial_fit(*self.minibatches[i % len(self.minibatches)]).loss_

    def finish(self) -> None:
        """A step returns when it is done."""


class Epoch:
    def __init__(self, cell: Cell, weights: Weights, rows: Rows, variant: str) -> None:
        self.model, self.rows = make_model(cell, weights, rows), rows

    def run(self) -> float:
        return float(self.model.partial_fit(*self.rows).loss_)


def describe() -> str:
    pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    kernels = {f"{pool['internal_api']} {pool['version']}, {pool['architecture']} kernels" for pool in pools}
    threads = {f"{pool['num_threads']} threads" for pool in pools}
    return ", ".join([f"scikit-learn {sklearn.__version__}", *sorted(kernels), *sorted(threads)])

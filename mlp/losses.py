"""Losses: the scalar cost c of a minibatch, and the seed F_bar = dc/dF that backpropagation starts from.

`cost(F, Y)` is the mean over the B columns of the minibatch and `seed(F, Y)` is the derivative of exactly that
number, so the 1/B is in the seed and nowhere else. F holds the outputs of a linear last layer; the logistic and the
softmax function belong to their losses, where value and slope simplify, and `predict` applies them.

A loss of your own is any object with these three methods (and a `name`, for messages).
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from mlp.activations import logistic, minus_abs
from mlp.types import Array


class Loss(Protocol):
    """What `train` asks of a loss; F and Y are K x B, columns are examples."""

    @property
    def name(self) -> str: ...

    def cost(self, F: Array, Y: Array) -> Any:
        """c, a scalar: the mean over the columns of the cost of one example."""

    def seed(self, F: Array, Y: Array) -> Array:
        """F_bar = dc/dF, of F's shape."""

    def predict(self, F: Array) -> Array:
        """The inverse link of F: what the network says about Y, of F's shape."""


def check_shapes(F: Array, Y: Array) -> None:
    if F.shape != Y.shape or F.ndim != 2 or F.shape[1] == 0:
        raise ValueError(
            f"the outputs F have shape {F.shape} and the targets Y have shape {Y.shape}: both must be K x B "
            "with at least one column, columns are examples"
        )


class SquaredError:
    """c = 1/(2B) sum_b sum_k (F_kb - Y_kb)^2, F_bar = (F - Y) / B: half the squared error, summed over outputs.

    Minus the log-likelihood of Gaussian noise with variance 1, up to a constant (Bishop 2006, sec. 5.2). `predict` is
    the identity. Raises ValueError when F and Y are not of one shape K x B.
    """

    name = "squared_error"

    def cost(self, F: Array, Y: Array) -> Any:
        check_shapes(F, Y)
        R = F - Y
        return (R * R).sum() / (2 * F.shape[1])

    def seed(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y)
        return (F - Y) / F.shape[1]

    def predict(self, F: Array) -> Array:
        return F


class LogisticCrossEntropy:
    """c = 1/B sum_b sum_k [log(1 + exp(F_kb)) - Y_kb F_kb], F_bar = (logistic(F) - Y) / B.

    Cross-entropy of K independent yes-or-no outputs with P(Y_kb = 1) = logistic(F_kb) and Y between 0 and 1 (Bishop
    2006, sec. 5.2); K = 1 is the two-class problem. The outputs are logits, and costs are exact however large they
    are. `predict` gives the probabilities. Raises ValueError when F and Y are not of one shape K x B.
    """

    name = "logistic_cross_entropy"

    def cost(self, F: Array, Y: Array) -> Any:
        check_shapes(F, Y)
        # log(1 + exp(f)) = max(f, 0) + log(1 + exp(-|f|)): where y is 0 or 1 the first difference is exact
        return ((np.maximum(F, 0) - Y * F) + np.log1p(np.exp(minus_abs(F)))).sum() / F.shape[1]

    def seed(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y)
        return (logistic(F) - Y) / F.shape[1]

    def predict(self, F: Array) -> Array:
        return logistic(F)


class SoftmaxCrossEntropy:
    """c = -1/B sum_b sum_k Y_kb log P_kb, F_bar = (P sum_k Y_k - Y) / B, with P = exp(F) / sum_k exp(F_k).

    Cross-entropy of K exclusive classes; the columns of Y sum to 1 (one-hot, or shares of each class), and then the
    seed is (P - Y) / B (Bishop 2006, sec. 5.2). The outputs are logits; each column's largest is subtracted first,
    so costs are exact however large they are. `predict` gives P. Raises ValueError when F and Y are not of one
    shape K x B, or when K = 1, where P is 1 whatever F is.
    """

    name = "softmax_cross_entropy"

    def cost(self, F: Array, Y: Array) -> Any:
        check_shapes(F, Y)
        return -(Y * log_softmax(F)).sum() / F.shape[1]

    def seed(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y)
        return (softmax(F) * Y.sum(axis=0) - Y) / F.shape[1]

    def predict(self, F: Array) -> Array:
        return softmax(F)


def softmax(F: Array) -> Array:
    """P = exp(F) / sum_k exp(F_k), column by column, for K >= 2 rows."""
    check_classes(F)
    E = np.exp(F - F.max(axis=0))
    return E / E.sum(axis=0)


def log_softmax(F: Array) -> Array:
    """log P = F - log sum_k exp(F_k), column by column, for K >= 2 rows."""
    check_classes(F)
    largest = F.real.argmax(axis=0), np.arange(F.shape[1])
    Z = F - F[largest]
    others = np.exp(Z)  # of the largest, exp(0) = 1 is left to log1p, so that a sum close to 1 keeps its digits
    others[largest] = 0
    return Z - np.log1p(others.sum(axis=0))


def check_classes(F: Array) -> None:
    if F.shape[0] < 2:
        raise ValueError(
            f"softmax over F of shape {F.shape}: it needs at least 2 rows, one a class; "
            "for one output use LogisticCrossEntropy"
        )


LOSSES: dict[str, Loss] = {loss.name: loss for loss in (SquaredError(), LogisticCrossEntropy(), SoftmaxCrossEntropy())}

"""Losses of classifications: cross-entropies of the logistic function and of the softmax function."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mlp.activations import TINY, exp_minus_abs, logistic
from mlp.arguments import check_array, is_float_array
from mlp.losses.loss import check_bounds, check_shapes
from mlp.types import Array

ONE_HOT = " (np.eye(K)[labels].T makes labels one-hot)"
HINT = " (shares of classes, which sum to 1: np.eye(K)[labels] makes labels one-hot, a row each)"
SUM_NEAR = 1e-3  # shares are rounded, so their sum may be off by this
NEAR = 1e-15  # to certainty: as close as a mean of probabilities comes to it


class LogisticCrossEntropy:
    """c = 1/B sum_b sum_k [log(1 + exp(F_kb)) - Y_kb F_kb], F_bar = (logistic(F) - Y) / B.

    Cross-entropy of K independent yes-or-no outputs with P(Y_kb = 1) = logistic(F_kb) and Y between 0 and 1 (Bishop
    2006, sec. 5.2); K = 1 is the two-class problem. The outputs are logits, and costs are exact however large they
    are. `predict` gives the probabilities. Raises ValueError when F and Y are not of one shape K x B.
    """

    name = "logistic_cross_entropy"
    task, target = "classification", "multilabel"
    unit = "cross-entropy, nats"
    chance_words = "chance, K log 2"
    far = 5.0  # a cross-entropy grows like its logits

    def chance(self, Y: Array) -> float:
        """K log 2: what the probability 1/2 costs."""
        return len(Y) * math.log(2)

    def cost(self, F: Array, Y: Array) -> Any:
        return self.cost_and_seed(F, Y)[0]

    def seed(self, F: Array, Y: Array) -> Array:
        return self.cost_and_seed(F, Y)[1]

    def cost_and_seed(self, F: Array, Y: Array) -> tuple[Any, Array]:
        """Both from one E = exp(-|F|)."""
        check_shapes(F, Y)
        E = exp_minus_abs(F)
        c = self.terms(F, Y, E).sum() / F.shape[1]
        P = np.where(F > 0, F.dtype.type(1), E) / (1 + E)
        return c, (P - Y) / F.shape[1]

    def even(self, K: int) -> float:
        """1/2, the target that says nothing, which label smoothing mixes in."""
        return 0.5

    def costs(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y)
        return self.terms(F, Y, exp_minus_abs(F)).sum(axis=0)

    def terms(self, F: Array, Y: Array, E: Array) -> Array:
        """log(1 + exp(F)) - Y F, K x B, by log(1 + exp(f)) = max(f, 0) + log(1 + exp(-|f|)).

        Where y is 0 or 1 the first difference is exact.
        """
        return (np.maximum(F, 0) - Y * F) + np.log1p(E)

    def check_targets(self, Y: Array) -> None:
        """Raises ValueError for targets outside 0 to 1."""
        check_bounds(Y, 0, 1, " (for targets of -1 and 1 pass (Y + 1) / 2)")

    def predict(self, F: Array) -> Array:
        check_array("F", F)
        return logistic(F)

    def link(self, P: Array) -> Array:
        """The logits of these probabilities, log(P / (1 - P)), of which none is 0 or 1."""
        P = np.clip(P, NEAR, 1 - NEAR, dtype=np.float64)
        return np.asarray(np.log(P) - np.log1p(-P))


class OfSoftmax:
    """A loss of the probabilities P = softmax(F) of K exclusive classes."""

    def check_targets(self, Y: Array) -> None:
        """Raises ValueError for columns of Y that are no shares of the classes."""
        check_bounds(Y, 0, 1, HINT)
        total = Y.sum(axis=0, dtype=np.float64)
        if (np.abs(total - 1) > SUM_NEAR).any():
            worst = total[np.nanargmax(np.abs(total - 1))]
            raise ValueError(f"the targets Y of an example must sum to 1, and one sums to {worst:g}{HINT}")

    def predict(self, F: Array) -> Array:
        return softmax(F)

    def link(self, P: Array) -> Array:
        """Logits of these probabilities, log P, of which none is 0."""
        return np.asarray(np.log(np.maximum(P, NEAR, dtype=np.float64)))


class SoftmaxCrossEntropy(OfSoftmax):
    """c = -1/B sum_b sum_k Y_kb log P_kb, F_bar = (P sum_k Y_k - Y) / B, with P = exp(F) / sum_k exp(F_k).

    Cross-entropy of K exclusive classes; the columns of Y sum to 1 (one-hot, or shares of each class), and then the
    seed is (P - Y) / B (Bishop 2006, sec. 5.2). The outputs are logits; each column's largest is subtracted first,
    so costs are exact however large they are. `predict` gives P. Raises ValueError when F and Y are not of one
    shape K x B, or when K = 1, where P is 1 whatever F is.
    """

    name = "softmax_cross_entropy"
    task, target = "classification", "multiclass"
    unit = "cross-entropy, nats"
    chance_words = "chance, log K"
    far = 5.0  # a cross-entropy grows like its logits

    def chance(self, Y: Array) -> float:
        """log K: what the probability 1/K for each class costs."""
        return math.log(len(Y))

    def cost(self, F: Array, Y: Array) -> Any:
        check_shapes(F, Y, ONE_HOT)
        return -(Y * log_softmax(F)).sum() / F.shape[1]

    def even(self, K: int) -> float:
        """1/K, the target that says nothing, which label smoothing mixes in (Szegedy et al. 2016, sec. 7)."""
        return 1 / K

    def costs(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y, ONE_HOT)
        return -(Y * log_softmax(F)).sum(axis=0)

    def seed(self, F: Array, Y: Array) -> Array:
        return self.cost_and_seed(F, Y)[1]

    def cost_and_seed(self, F: Array, Y: Array) -> tuple[Any, Array]:
        """Both from one exp: with Z = F - max_k F_k, E = exp(Z) and S = sum_k E_k, log P = Z - log S and P = E / S."""
        check_shapes(F, Y, ONE_HOT)
        Z, E, S = shifted(F)
        T = np.add.reduce(Y, axis=0)
        c: Any = np.vdot(T, np.log(S))
        c = (c - np.vdot(Y, Z)) / F.shape[1]
        E *= (T / S).astype(E.dtype)
        E -= Y
        E /= F.shape[1]
        return c, E


def softmax(F: Array) -> Array:
    """P = exp(F) / sum_k exp(F_k), column by column, for K >= 2 rows."""
    _, E, S = shifted(F)
    return E / S.astype(E.dtype)


def shifted(F: Array) -> tuple[Array, Array, Array]:
    """Z = F - max_k F_k, E = exp(Z) (0 where it is below TINY) and S = sum_k E_k, for K >= 2 rows.

    S is summed in double precision, so that log S keeps its digits where S is close to 1.
    """
    check_classes(F)
    Z = F - np.maximum.reduce(F, axis=0)
    E = np.exp(Z)
    E *= E.real > TINY
    return Z, E, np.add.reduce(E, axis=0, dtype=np.float64 if E.dtype.kind == "f" else None)


def log_softmax(F: Array) -> Array:
    """log P = F - log sum_k exp(F_k), column by column, for K >= 2 rows."""
    check_classes(F)
    largest = F.real.argmax(axis=0), np.arange(F.shape[1])
    Z = F - F[largest]
    others = np.exp(Z)  # of the largest, exp(0) = 1 is left to log1p, so that a sum close to 1 keeps its digits
    others[largest] = 0
    return Z - np.log1p(others.sum(axis=0))


def check_classes(F: Array) -> None:
    if not is_float_array(F):
        check_array("F", F)
    if F.ndim != 2 or F.shape[0] < 2:
        raise ValueError(
            f"softmax over F of shape {F.shape}: it needs K x B with at least 2 rows, one a class; "
            "for one output use LogisticCrossEntropy"
        )

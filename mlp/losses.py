"""Compute the scalar cost c of a minibatch, and the seed F_bar = dc/dF that backpropagation starts from.

`cost(F, Y)` is the mean over the B columns of the minibatch and `seed(F, Y)` is the derivative of exactly that
number, so the 1/B is in the seed and nowhere else. `costs(F, Y)` are the B costs that `cost` is the mean of, for rows
that have weights. F holds the outputs of a linear last layer; the logistic and the softmax function belong to their
losses, where value and slope simplify, and `predict` applies them.

A loss of your own is any object with `cost`, `seed` and `predict` (and a `name`, for messages); it may offer
`cost_and_seed` too, where the two share work, and `costs`, without which it takes no weights. For configs it is one
class with what `NamedLoss` lists, and one row in LOSSES.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from mlp.activations import TINY, exp_minus_abs, logistic
from mlp.types import Array


class Loss(Protocol):
    """The interface that `train` asks of a loss; F and Y are K x B, columns are examples."""

    @property
    def name(self) -> str: ...

    def cost(self, F: Array, Y: Array) -> Any:
        """c, a scalar: the mean over the columns of the cost of one example."""

    def seed(self, F: Array, Y: Array) -> Array:
        """F_bar = dc/dF, of F's shape."""

    def predict(self, F: Array) -> Array:
        """The inverse link of F: what the network says about Y, of F's shape."""


class NamedLoss(Loss, Protocol):
    """The facts that a config asks of a loss besides.

    `task` is classification or regression, `target` the kind of target that the loss needs (see `mlp.tables.targets`),
    `unit` the unit of its cost. `chance` is the cost of knowing nothing, in words `chance_words`; a loss before
    training of more than `far` times it means that something is not scaled.
    """

    task: str
    target: str
    unit: str
    chance_words: str
    far: float

    def chance(self, Y: Array) -> float: ...

    def costs(self, F: Array, Y: Array) -> Array: ...


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
    task, target = "regression", "regression"
    unit = "half squared error"
    chance_words = "half the variance of the targets"
    far = 100.0  # outputs s times too large cost s^2 times as much

    def chance(self, Y: Array) -> float:
        """1/2 sum_k var Y_k: what the mean of each target costs."""
        return float(Y.var(axis=1, dtype=np.float64).sum()) / 2

    def cost(self, F: Array, Y: Array) -> Any:
        check_shapes(F, Y)
        R = F - Y
        return (R * R).sum() / (2 * F.shape[1])

    def costs(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y)
        R = F - Y
        return (R * R).sum(axis=0) / 2

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

    def costs(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y)
        return self.terms(F, Y, exp_minus_abs(F)).sum(axis=0)

    def terms(self, F: Array, Y: Array, E: Array) -> Array:
        """log(1 + exp(F)) - Y F, K x B, by log(1 + exp(f)) = max(f, 0) + log(1 + exp(-|f|)).

        Where y is 0 or 1 the first difference is exact.
        """
        return (np.maximum(F, 0) - Y * F) + np.log1p(E)

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
    task, target = "classification", "multiclass"
    unit = "cross-entropy, nats"
    chance_words = "chance, log K"
    far = 5.0  # a cross-entropy grows like its logits

    def chance(self, Y: Array) -> float:
        """log K: what the probability 1/K for each class costs."""
        return math.log(len(Y))

    def cost(self, F: Array, Y: Array) -> Any:
        check_shapes(F, Y)
        return -(Y * log_softmax(F)).sum() / F.shape[1]

    def costs(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y)
        return -(Y * log_softmax(F)).sum(axis=0)

    def seed(self, F: Array, Y: Array) -> Array:
        return self.cost_and_seed(F, Y)[1]

    def cost_and_seed(self, F: Array, Y: Array) -> tuple[Any, Array]:
        """Both from one exp: with Z = F - max_k F_k, E = exp(Z) and S = sum_k E_k, log P = Z - log S and P = E / S."""
        check_shapes(F, Y)
        Z, E, S = shifted(F)
        T = np.add.reduce(Y, axis=0)
        c: Any = np.vdot(T, np.log(S))
        c = (c - np.vdot(Y, Z)) / F.shape[1]
        E *= (T / S).astype(E.dtype)
        E -= Y
        E /= F.shape[1]
        return c, E

    def predict(self, F: Array) -> Array:
        return softmax(F)


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
    if F.shape[0] < 2:
        raise ValueError(
            f"softmax over F of shape {F.shape}: it needs at least 2 rows, one a class; "
            "for one output use LogisticCrossEntropy"
        )


def cost_and_seed(loss: Loss, F: Array, Y: Array, w: Array | None = None) -> tuple[Any, Array]:
    """c and F_bar, by the loss's own `cost_and_seed` if it has one.

    With weights w of the B examples, column b of F_bar is w_b times what it is without them (see `mean_cost`).
    """
    if w is not None:
        return mean_cost(loss, F, Y, w), loss.seed(F, Y) * w
    if offers(loss, "cost_and_seed", "cost", "seed"):
        both: Any = loss
        return both.cost_and_seed(F, Y)
    return loss.cost(F, Y), loss.seed(F, Y)


def mean_cost(loss: Loss, F: Array, Y: Array, w: Array | None = None) -> Any:
    """c = 1/B sum_b w_b c_b, where example b costs c_b and has the weight w_b: `loss.cost(F, Y)` where all weigh 1.

    It is divided by B and not by the sum of the weights, so the pull of an example does not depend on its neighbours.
    """
    if w is None:
        return loss.cost(F, Y)
    check_costs(loss)
    single: Any = loss
    return (w * single.costs(F, Y)).sum() / F.shape[1]


def check_costs(loss: Loss) -> None:
    """Raises ValueError for a loss that does not know the costs of single examples, which weights need."""
    if not offers(loss, "costs", "cost"):
        raise ValueError(
            f"the rows have weights, but the loss {loss.name!r} has no costs(F, Y) beside its cost: the B costs of the "
            "examples, whose mean is the cost; write that method, or leave the weights out"
        )


def offers(loss: Loss, method: str, *others: str) -> bool:
    """Tell whether a loss has a method, and one that is no older than the `others`.

    Where a class or the instance overrides `cost`, what its bases say of the same number is not of this cost.
    """
    for own in (vars(loss), *map(vars, type(loss).__mro__)):
        if method in own:
            return True
        if not own.keys().isdisjoint(others):
            return False
    return False


NAMED: tuple[NamedLoss, ...] = (SoftmaxCrossEntropy(), LogisticCrossEntropy(), SquaredError())
LOSSES = {loss.name: loss for loss in NAMED}
"""By name; the first one of a task is its default."""


def losses_for(*, task: str | None = None, target: str | None = None) -> list[str]:
    """The names of the losses for a task, or for a kind of target; the first one is the default."""
    return [name for name, loss in LOSSES.items() if task in (None, loss.task) and target in (None, loss.target)]

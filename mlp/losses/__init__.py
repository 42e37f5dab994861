"""Compute the scalar cost c of a minibatch, and the seed F_bar = dc/dF that backpropagation starts from.

`cost(F, Y)` is the mean over the B columns of the minibatch and `seed(F, Y)` is the derivative of exactly that
number, so the 1/B is in the seed and nowhere else. `costs(F, Y)` are the B costs that `cost` is the mean of, for rows
that have weights. F holds the outputs of a linear last layer; the logistic and the softmax function belong to their
losses, where value and slope simplify, and `predict` applies them.

A loss of your own is any object with `cost`, `seed` and `predict` (and a `name`, for messages); it may offer
`cost_and_seed` too, where the two share work, `costs`, without which it takes no weights, and `check_targets(Y)`, which
raises ValueError for targets that are not for it: `train` calls it once. For configs it is one
class with what `NamedLoss` lists, and one row in LOSSES.
"""

from __future__ import annotations

from typing import Any

from mlp.losses.brier import Brier
from mlp.losses.cross_entropies import LogisticCrossEntropy, SoftmaxCrossEntropy
from mlp.losses.errors import AbsoluteError, Huber, LogCosh, SquaredError
from mlp.losses.gaussian import Gaussian
from mlp.losses.loss import Loss, NamedLoss, cost_and_seed, mean_cost
from mlp.losses.poisson import Poisson
from mlp.losses.quantile import Quantile

NAMED: tuple[NamedLoss, ...] = (
    SoftmaxCrossEntropy(),
    LogisticCrossEntropy(),
    Brier(),
    SquaredError(),
    AbsoluteError(),
    LogCosh(),
    Huber(),
    Poisson(),
    Quantile(),
    Gaussian(),
)
LOSSES = {loss.name: loss for loss in NAMED}
"""By name, with the keys that they have by themselves; the first one of a task is its default."""


def make_loss(name: str, **keys: Any) -> NamedLoss:
    """The loss of a config or a model file, with these keys of its own. Raises ValueError for wrong ones."""
    loss = LOSSES[name]
    made: NamedLoss = type(loss)(**keys) if keys else loss
    return made


def losses_for(*, task: str | None = None, target: str | None = None) -> list[str]:
    """The names of the losses for a task, or for a kind of target; the first one is the default."""
    return [name for name, loss in LOSSES.items() if task in (None, loss.task) and target in (None, loss.target)]


__all__ = [
    "LOSSES",
    "AbsoluteError",
    "Brier",
    "Gaussian",
    "Huber",
    "LogCosh",
    "LogisticCrossEntropy",
    "Loss",
    "NamedLoss",
    "Poisson",
    "Quantile",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "cost_and_seed",
    "losses_for",
    "make_loss",
    "mean_cost",
]

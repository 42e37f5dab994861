"""Say what a loss is, and use one: with weights of the rows, and with label smoothing."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from mlp.arguments import check_array, is_float_array
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
    training of more than `far` times it means that something is not scaled. `link` is the inverse of `predict`: outputs
    that say P, which the mean of several predictions is scored by. A loss with keys of its own, such as `delta`, takes
    them by name, with defaults, and has `header()`, which returns them.
    """

    task: str
    target: str
    unit: str
    chance_words: str
    far: float

    def chance(self, Y: Array) -> float: ...

    def costs(self, F: Array, Y: Array) -> Array: ...

    def link(self, P: Array) -> Array: ...


class Termwise:
    """A loss c = 1/B sum_b sum_k T_kb of terms T that each belong to one example."""

    def terms(self, F: Array, Y: Array) -> Array:
        """T, with a column for each example. Raises ValueError when F and Y are not of one shape K x B."""
        raise NotImplementedError

    def cost(self, F: Array, Y: Array) -> Any:
        return self.terms(F, Y).sum() / F.shape[1]

    def costs(self, F: Array, Y: Array) -> Array:
        return self.terms(F, Y).sum(axis=0)


def check_shapes(F: Array, Y: Array, hint: str = "") -> None:
    """Raises TypeError or ValueError unless F and Y are arrays of one shape K x B; the hint ends the message."""
    if not (is_float_array(F) and is_float_array(Y)):
        check_array("F", F)
        check_array("Y", Y)
    if F.shape != Y.shape or F.ndim != 2 or F.shape[1] == 0:
        raise ValueError(
            f"the outputs F have shape {F.shape} and the targets Y have shape {Y.shape}: both must be K x B "
            "with at least one column, columns are examples" + hint
        )


def check_bounds(Y: Array, least: float, most: float, hint: str = "") -> None:
    """Raises ValueError for targets outside the bounds; nan is let be, and found by the loop."""
    outside = Y[np.less(Y, least) | np.greater(Y, most)]
    if outside.size:
        wanted = f"from {least:g} to {most:g}" if math.isfinite(most) else f"{least:g} or more"
        raise ValueError(f"the targets Y must be {wanted}, got {outside[0]:g}{hint}")


def cost_and_seed(
    loss: Loss, F: Array, Y: Array, w: Array | None = None, label_smoothing: float = 0.0
) -> tuple[Any, Array]:
    """c and F_bar, by the loss's own `cost_and_seed` if it has one.

    With weights w of the B examples, column b of F_bar is w_b times what it is without them (see `mean_cost`). With
    label smoothing F_bar is that of Y' = (1 - share) Y + share u (see `LogisticCrossEntropy.even`), and c that of Y.
    """
    if w is None and offers(loss, "cost_and_seed", "cost", "seed"):
        both: Any = loss
        c, F_bar = both.cost_and_seed(F, Y)
    else:
        c, F_bar = mean_cost(loss, F, Y, w), loss.seed(F, Y)
    if label_smoothing:
        smooth: Any = loss
        F_bar = F_bar + label_smoothing / F.shape[1] * (Y - smooth.even(len(Y)))  # a seed (P - Y)/B is linear in Y
    return c, F_bar if w is None else F_bar * w


def check_label_smoothing(loss: Loss, share: float) -> None:
    """Raises ValueError for a loss that has no even target, which label smoothing needs."""
    if share and not hasattr(loss, "even"):
        raise ValueError(f"label smoothing is for cross-entropies, and the loss is {loss.name!r}")


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

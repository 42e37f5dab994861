"""Divergence: noticing the first number that is not finite, and finding where in the network it came up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlp.losses import Loss
from mlp.minibatches import batches
from mlp.network import Network
from mlp.optimizers import Optimizer
from mlp.types import Array, Data, Examples


class DivergedError(ArithmeticError):
    """A cost, a gradient, a parameter or a loss after an epoch is not finite any more.

    `epoch` and `minibatch` count from 1 (`minibatch` is None for a loss after the epoch), `place` says where the first
    such number came up ("layer 2"). `largest_input` and `largest_target` are the largest |x| and |y| of the minibatch
    or, after the epoch, of all rows; `learning_rate` is that of the last step, or of the one that was not taken.
    Weights and optimizer are as the last good step left them, unless `parameters_finite` is False: then it was the step
    itself that overflowed.
    """

    def __init__(
        self,
        message: str,
        *,
        epoch: int,
        minibatch: int | None = None,
        place: str = "",
        largest_input: float = math.nan,
        largest_target: float = math.nan,
        learning_rate: float = math.nan,
        parameters_finite: bool = True,
    ) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.minibatch = minibatch
        self.place = place
        self.largest_input = largest_input
        self.largest_target = largest_target
        self.learning_rate = learning_rate
        self.parameters_finite = parameters_finite


class NotFinite(ArithmeticError):
    """What a minibatch met, and the place where it came up, or else the bars to find it with (see `first_place`);
    `train` adds epoch and minibatch."""

    def __init__(self, what: str, place: str = "", parameters_finite: bool = True, bars: Sequence[Any] = ()) -> None:
        super().__init__(what)
        self.place = place
        self.bars = bars
        self.parameters_finite = parameters_finite


def finite(array: Array) -> bool:
    return bool(np.isfinite(array).all())


@np.errstate(all="ignore")
def first_place(network: Network, loss: Loss, bars: Sequence[Any], X: Array, Y: Array) -> str:
    """Where the first number that is not finite came up: on the way up from X, in the loss, or on the way down.

    One layer's values are computed again at a time, so that finding it takes no memory that training did not. Where
    all bars are finite it is their squares that overflowed, and the layer with the largest bar is named.
    """
    if not finite(X):
        return "the inputs"
    H = X
    for number, layer in enumerate(network.layers, 1):
        H = layer.forward(H).H
        if not finite(H):
            return f"layer {number}"
    if not math.isfinite(float(loss.cost(H, Y))):
        return "the loss" if finite(Y) else "the targets"
    largest = {name: float(np.abs(bar).max()) for name, _, bar in network.with_bars(bars)}
    for name in reversed(largest):
        if not math.isfinite(largest[name]):
            return f"the gradient of {name}, layer {layer_of(network, name)}"
    name = max(largest, key=largest.__getitem__)
    return f"the squared gradient of {name}, layer {layer_of(network, name)}"


def layer_of(network: Network, parameter: str) -> int:
    """The number of the layer that a parameter such as "W2" belongs to."""
    names = [(number, f"{name}{number}") for number, layer in enumerate(network.layers, 1) for name in layer.parameters]
    return next(number for number, name in names if name == parameter)


LARGE_STEP = 1e15
"""A gradient's norm, or that times the learning rate. BLAS tells of no overflow (`mlp.axpy`), so after a larger one the
arrays are searched. Steps along smaller gradients, and the sums of their squares, are far from overflow in float32 with
the usual momentum and beta2; for all others the parameters are searched at the end of each epoch."""


class Overflows:
    """For `np.errstate(..., call=...)`: whether an operation of a minibatch overflowed, its step or one before that.

    Finite numbers become infinite by an operation that overflows, and the processor notes that; so the arrays are
    searched only after a minibatch in which something did (or could: `LARGE_STEP`), and all others pay nothing for it.
    """

    seen = False

    def __call__(self, kind: str, flag: int) -> None:
        self.seen = True


def check_parameters(network: Network) -> None:
    """Raises NotFinite when a parameter is not finite after a step."""
    for name, W in network.parameters().items():
        if not finite(W):
            raise NotFinite(f"the step made {name} not finite", f"layer {layer_of(network, name)}", False)


def check_step(network: Network, optimizer: Optimizer, overflows: Overflows, norm: float) -> None:
    """Raises NotFinite when a parameter, or an array of the optimizer's state, is not finite after a step along a
    gradient of this norm; looks only where something overflowed, or where BLAS could have."""
    if not overflows.seen and norm * max(1.0, optimizer.learning_rate) <= LARGE_STEP:
        return
    check_parameters(network)
    state = optimizer.state() if hasattr(optimizer, "state") else {}
    for name, array in state.items():
        if not finite(array):
            raise NotFinite("the step made the optimizer's state not finite", f"its {name}", False)


def check_losses(scores: Mapping[str, float], data: Data, valid: Data | None, epoch: int, rate: float) -> None:
    """Raises DivergedError when a loss after an epoch is not finite; `rate` is that of its last step."""
    for which, key, used in (("training", "train_loss", data), ("validation", "valid_loss", valid)):
        if used is not None and not math.isfinite(scores[key]):
            raise DivergedError(
                f"after epoch {epoch}: the {which} loss is {scores[key]}",
                epoch=epoch,
                largest_input=largest(used[0]),
                largest_target=largest(used[1]),
                learning_rate=rate,
            )


def largest(X: Examples) -> float:
    """The largest absolute value, of those that are numbers."""
    return max(float(np.nanmax(np.abs(X[rows]), initial=0.0)) for rows in batches(len(X)))

"""Notice the first number that is not finite, and find where in the network it came up."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from mlp.losses import Loss, mean_cost
from mlp.minibatches import batches, minibatch
from mlp.network import Network
from mlp.records import MinibatchRecord
from mlp.types import Array, Batch, Data, Examples


class DivergedError(ArithmeticError):
    """A cost, a gradient, a parameter or a loss after an epoch is not finite any more.

    `epoch` and `minibatch` count from 1 (`minibatch` is None for what is found after the epoch), `place` says where the
    first such number came up ("layer 2"). `largest_input` and `largest_target` are the largest |x| and |y| of the
    minibatch or, after the epoch, of all rows; `learning_rate` is that of the last step, or of the one that was not
    taken. Weights and optimizer are as the last step left them; if `parameters_finite` is False, some step of the epoch
    has made them infinite.
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


def finite(array: Array) -> bool:
    return bool(np.isfinite(array).all())


@np.errstate(all="ignore")
def first_place(network: Network, loss: Loss, theta_bar: Array, batch: Batch) -> str:
    """The place of the first number that is not finite: on the way up from X, in the loss, or on the way down.

    Where all bars are finite it is their squares that overflowed, and the layer with the largest bar is named.
    """
    X, Y, w = batch
    if not finite(X):
        return "the inputs"
    values = network.forward(X)
    for number, layer_values in enumerate(values, 1):
        if not finite(layer_values.H):
            return f"layer {number}"
    if not math.isfinite(float(mean_cost(loss, values[-1].H, Y, w))):
        return "the loss" if finite(Y) else "the targets"
    largest = {name: float(np.abs(bar).max()) for name, bar in network.named(theta_bar).items()}
    for name in reversed(largest):
        if not math.isfinite(largest[name]):
            return f"the gradient of {name}, layer {layer_of(network, name)}"
    name = max(largest, key=largest.__getitem__)
    return f"the squared gradient of {name}, layer {layer_of(network, name)}"


def layer_of(network: Network, parameter: str) -> int:
    """The number of the layer that a parameter such as "W2" belongs to."""
    return 1 + next(i for i, layer in enumerate(network.layers) if layer is network.places[parameter].layer)


def check_step(
    network: Network, loss: Loss, data: Data, rows: Array, theta_bar: Array, record: MinibatchRecord
) -> None:
    """Raises DivergedError when the cost or the gradient norm of a minibatch, of these rows, is not finite."""
    if math.isfinite(record.cost) and math.isfinite(record.gradient_norm):
        return
    X, Y, w = minibatch(data, rows, network.theta.dtype)
    place = first_place(network, loss, theta_bar, (X, Y, w))
    raise DivergedError(
        f"epoch {record.epoch}, minibatch {record.minibatch} of {record.minibatches}: "
        f"cost {record.cost:g}, gradient norm {record.gradient_norm:g}; first in {place}",
        epoch=record.epoch,
        minibatch=record.minibatch,
        place=place,
        largest_input=largest(X),
        largest_target=largest(Y),
        learning_rate=record.learning_rate,
        parameters_finite=finite(network.theta),
    )


def check_parameters(network: Network, epoch: int, rate: float) -> None:
    """Raises DivergedError when a parameter is not finite after an epoch; `rate` is that of its last step."""
    if finite(network.theta):
        return
    name = next(name for name, W in network.parameters().items() if not finite(W))
    place = f"layer {layer_of(network, name)}"
    raise DivergedError(
        f"after epoch {epoch}: a step made {name} not finite; first in {place}",
        epoch=epoch,
        place=place,
        learning_rate=rate,
        parameters_finite=False,
    )


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

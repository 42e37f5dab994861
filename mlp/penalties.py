"""Keep weights small: by an L2 penalty, which joins the cost that is minimized, or by decoupled weight decay."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp.arguments import check_argument
from mlp.network import Network
from mlp.types import Array, NonNegative


class L2Penalty:
    """(lambda / 2) sum of squares over the weights of a network, never its biases; it joins the cost that is minimized.

    `cost(network)` is that number, and `add_to(network, theta_bar)` adds its derivative lambda W to each W_bar, in
    place. The penalty is not divided by B: the cost is a mean over examples and lambda weighs against that mean. Raises
    ValueError when lambda is negative or not finite.
    """

    def __init__(self, strength: float) -> None:
        check_argument("the L2 penalty", NonNegative, strength)
        self.strength = strength

    def cost(self, network: Network) -> Any:
        weights = network.theta[: network.n_weights]
        return self.strength / 2 * (weights**2).sum()

    def add_to(self, network: Network, theta_bar: Array) -> None:
        if self.strength:
            n = network.n_weights
            theta_bar[:n] += self.strength * network.theta[:n]  # W_bar += lambda W


class WeightDecay:
    """Decoupled weight decay: W <- (1 - eta lambda) W before a step, on weights and never on biases.

    After Loshchilov and Hutter 2019, algorithm 2: unlike an L2 penalty it does not pass through an optimizer's moments.
    Here eta, with its schedule, scales it too, as in most libraries; in the paper the schedule alone does. Raises
    ValueError when lambda is negative or not finite.
    """

    def __init__(self, strength: float) -> None:
        check_argument("weight_decay", NonNegative, strength)
        self.strength = strength

    def apply(self, network: Network, eta: Any) -> None:
        """`eta` is a number, or a vector of theta's size."""
        if self.strength:
            weights = network.theta[: network.n_weights]
            weights *= 1 - (eta[: len(weights)] if isinstance(eta, np.ndarray) else eta) * self.strength

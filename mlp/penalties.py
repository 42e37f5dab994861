"""Penalties: what joins the cost of the data in what is minimized."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp.axpy import axpy
from mlp.network import Network


class L2Penalty:
    """(lambda / 2) sum of squares over the weights of a network, never its biases; it joins the cost that is minimized.

    `cost(network)` is that number and `add_to(network, bars)` adds its derivative lambda W to each W_bar, in place. The
    penalty is not divided by B: the cost is a mean over examples and lambda weighs against that mean. Raises
    ValueError when lambda is negative or not finite.
    """

    def __init__(self, strength: float) -> None:
        if not (np.isfinite(strength) and strength >= 0):
            raise ValueError(f"the L2 penalty must be a number >= 0, got {strength}")
        self.strength = strength

    def cost(self, network: Network) -> Any:
        parameters = network.parameters()
        squares = [(parameters[name] ** 2).sum() for name in sorted(network.penalized)]
        return self.strength / 2 * sum(squares)

    def add_to(self, network: Network, bars: list[Any]) -> None:
        if self.strength == 0:
            return
        for name, parameter, bar in network.with_bars(bars):
            if name in network.penalized:
                axpy(self.strength, parameter, bar)

"""Optimizers: what a step does to the parameters with their bars, and clipping.

An optimizer of your own is any object with a `learning_rate` and `step(network, bars)`, which changes the parameters in
place; `state()` and `load_state(state, network)` are asked for only by a run that must be resumed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from mlp.axpy import axpby, axpy
from mlp.network import Network
from mlp.types import Array


class Optimizer(Protocol):
    """What `train` asks of an optimizer."""

    learning_rate: float

    def step(self, network: Network, bars: Sequence[Any]) -> None:
        """Change the network's parameters in place, once, by the bars of one minibatch."""


class SGD:
    """Stochastic gradient descent, plain or with momentum mu.

        V     <- mu V + W_bar
        W     <- W - eta V                    (Polyak 1964)
        W     <- W - eta (W_bar + mu V)       with nesterov=True (Nesterov 1983; Sutskever et al. 2013, eq. 3-4)

    eta is `learning_rate`, V starts at 0. The velocity V is in units of the bar, so a change of eta acts at once; with
    constant eta this is Sutskever's form with v = -eta V. Nesterov's form is written in terms of the point where the
    gradient was taken, as in Bengio, Boulanger-Lewandowski and Pascanu 2013, eq. 7.

    Raises ValueError unless eta > 0, 0 <= mu < 1, and mu > 0 where nesterov is on.
    """

    def __init__(self, learning_rate: float = 0.1, momentum: float = 0.0, nesterov: bool = False) -> None:
        check_range("learning_rate", learning_rate, above=0)
        check_range("momentum", momentum, least=0, below=1)
        if nesterov and momentum == 0:
            raise ValueError("nesterov=True needs a momentum above 0")
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.nesterov = nesterov
        self.velocity: dict[str, Array] = {}

    def step(self, network: Network, bars: Sequence[Any]) -> None:
        for name, W, W_bar in network.with_bars(bars):
            if self.momentum == 0:
                axpy(-self.learning_rate, W_bar, W)  # W - eta W_bar
                continue
            if name not in self.velocity:
                self.velocity[name] = np.zeros_like(W)
            V = self.velocity[name]
            axpby(1, W_bar, self.momentum, V)  # W_bar + mu V
            if self.nesterov:
                axpy(-self.learning_rate, W_bar, W)  # W - eta (W_bar + mu V)
                axpy(-self.learning_rate * self.momentum, V, W)
            else:
                axpy(-self.learning_rate, V, W)  # W - eta V

    def state(self) -> dict[str, Array]:
        """The arrays that the next step depends on: the velocities, as "velocity.W1"."""
        return {f"velocity.{name}": V.copy() for name, V in self.velocity.items()}

    def load_state(self, state: Mapping[str, Array], network: Network) -> None:
        """Go on from a state. Raises ValueError, naming the array, when it is not one of this optimizer and network."""
        found = parts(state, network, *(["velocity"] if self.momentum and state else []))
        self.velocity = found[0] if found else {}


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1), with decoupled weight decay as an option (AdamW).

        M <- beta1 M + W_bar        M_hat = M (1 - beta1) / (1 - beta1^t)
        S <- beta2 S + W_bar^2      S_hat = S (1 - beta2) / (1 - beta2^t)
        W <- W - eta (M_hat / (sqrt(S_hat) + epsilon) + weight_decay W)

    M and S are discounted sums; the paper's are the means (1 - beta1) M and (1 - beta2) S, and M_hat and S_hat are the
    same numbers in both. With sums, three passes over the parameters are saved, and with the constants of M_hat and
    S_hat moved to eta and epsilon (the paper's remark at the end of its section 2) one more.

    The last term (after Loshchilov and Hutter 2019, algorithm 2) acts on weights and never on biases, and unlike an L2
    penalty it does not pass through the moments. Here eta, with its schedule, scales it too, as in most libraries; in
    the paper the schedule alone does. t counts steps from 1.

    Raises ValueError unless eta > 0, 0 <= beta1 < 1, 0 <= beta2 < 1, epsilon > 0 and weight_decay >= 0.
    """

    def __init__(
        self,
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        check_range("learning_rate", learning_rate, above=0)
        check_range("beta1", beta1, least=0, below=1)
        check_range("beta2", beta2, least=0, below=1)
        check_range("epsilon", epsilon, above=0)
        check_range("weight_decay", weight_decay, least=0)
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.steps = 0
        self.first_sum: dict[str, Array] = {}
        self.second_sum: dict[str, Array] = {}

    def step(self, network: Network, bars: Sequence[Any]) -> None:
        self.steps += 1
        share1 = (1 - self.beta1) / (1 - self.beta1**self.steps)  # M_hat = share1 M
        share2 = (1 - self.beta2) / (1 - self.beta2**self.steps)  # S_hat = share2 S
        rate, epsilon = self.learning_rate * share1 / math.sqrt(share2), self.epsilon / math.sqrt(share2)
        for name, W, W_bar in network.with_bars(bars):
            if name not in self.first_sum:
                self.first_sum[name], self.second_sum[name] = np.zeros_like(W), np.zeros_like(W)
            M, S = self.first_sum[name], self.second_sum[name]
            axpby(1, W_bar, self.beta1, M)  # W_bar + beta1 M
            axpby(1, W_bar * W_bar, self.beta2, S)  # W_bar^2 + beta2 S
            if self.weight_decay and name in network.penalized:
                W *= 1 - self.learning_rate * self.weight_decay
            R = np.sqrt(S, out=np.empty_like(S))  # an array also where W is a single number
            R += epsilon
            np.divide(M, R, out=R)
            axpy(-rate, R, W)  # W - eta M_hat / (sqrt(S_hat) + epsilon)

    def state(self) -> dict[str, Array]:
        """The arrays that the next step depends on: both sums, as "first_sum.W1", and the number of steps."""
        return {
            "steps": np.array(self.steps),
            **{f"first_sum.{name}": M.copy() for name, M in self.first_sum.items()},
            **{f"second_sum.{name}": S.copy() for name, S in self.second_sum.items()},
        }

    def load_state(self, state: Mapping[str, Array], network: Network) -> None:
        """Go on from a state. Raises ValueError, naming the array, when it is not one of this optimizer and network."""
        steps = state.get("steps", np.array(-1))
        if steps.shape != () or steps.dtype.kind != "i" or steps < 0:
            raise ValueError("'steps' is not a whole number >= 0")
        sums = {name: array for name, array in state.items() if name != "steps"}
        found = parts(sums, network, "first_sum", "second_sum") if steps or sums else ({}, {})
        self.first_sum, self.second_sum = found
        self.steps = int(steps)


def gradient_norm(network: Network, bars: Sequence[Any]) -> float:
    """The global norm: the square root of the sum of squares over the bars of all parameters together."""
    return math.sqrt(sum(float(np.vdot(bar, bar).real) for _, _, bar in network.with_bars(bars)))


def clip_gradient(network: Network, bars: Sequence[Any], limit: float, norm: float) -> None:
    """Scale all parameter bars by limit / norm, in place, where their global norm is above the limit.

    Clipping by global norm (Pascanu, Mikolov and Bengio 2013, algorithm 1) keeps the direction of the step.
    """
    if norm > limit:
        for _, _, bar in network.with_bars(bars):
            bar *= limit / norm


def parts(state: Mapping[str, Array], network: Network, *kinds: str) -> list[dict[str, Array]]:
    """Copies of the arrays "kind.W1", ... of a state, a dictionary for each kind, checked against the parameters."""
    parameters = network.parameters()
    wanted = {f"{kind}.{name}": (kind, name) for kind in kinds for name in parameters}
    if state.keys() != wanted.keys():
        raise ValueError(f"missing or unknown array {sorted(state.keys() ^ wanted.keys())[0]!r}")
    found: dict[str, dict[str, Array]] = {kind: {} for kind in kinds}
    for key, (kind, name) in wanted.items():
        array, parameter = state[key], parameters[name]
        if array.shape != parameter.shape or array.dtype != parameter.dtype:
            raise ValueError(
                f"array {key!r} is {array.dtype} of shape {array.shape}, "
                f"expected {parameter.dtype} of {parameter.shape}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"array {key!r} holds values that are not finite")
        found[kind][name] = array.copy()
    return list(found.values())


def check_range(
    name: str,
    value: float,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
) -> None:
    wanted = " and ".join(
        f"{sign} {bound:g}" for sign, bound in ((">", above), (">=", least), ("<", below)) if bound is not None
    )
    good = (
        math.isfinite(value)
        and (above is None or value > above)
        and (least is None or value >= least)
        and (below is None or value < below)
    )
    if not good:
        raise ValueError(f"{name} must be a number {wanted}, got {value}")

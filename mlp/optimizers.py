"""Step downhill: what an optimizer does to the vector theta of all parameters with the vector theta_bar of their bars.

An optimizer of your own is any object with a `learning_rate` and `step(theta, theta_bar, eta)`, which changes theta in
place; `state()` and `load_state(state, theta)` are asked for only by a run that must be resumed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from mlp.arguments import check_argument, check_arguments, check_array, is_float_array
from mlp.network import Network
from mlp.types import Array, Fraction, Positive

BLOCK = 2**16  # elements: the arrays of a step, so many of each at a time, stay in the processor's cache
TINY = 1e-30  # what is smaller is taken for 0: epsilon^2 of Adam and rounding errors are far above it
STEPS_BETWEEN_SWEEPS = 128  # in which a velocity falls from TINY, but not to subnormal numbers, at the usual momentum


Rate = float | Array
"""The learning rate of a step: one number, or a vector of theta's size, where parameters have rates of their own."""


class Optimizer(Protocol):
    """The interface that `train` asks of an optimizer."""

    learning_rate: float

    def step(self, theta: Array, theta_bar: Array, eta: Any) -> None:
        """Change theta in place, once, by the bars of one minibatch; `eta` is the `Rate` of this step."""


class Base:
    """An optimizer that keeps vectors of theta's size, by the names in `vectors`, and counts its steps."""

    vectors: tuple[str, ...]

    def __init__(self) -> None:
        self.steps = 0

    def begin(self, theta: Array, theta_bar: Array, eta: Rate) -> None:
        """Make the vectors at the first step, all 0, and count the step.

        Raises TypeError or ValueError for arguments of `step` that are no arrays, or of other shapes, and when theta is
        of another size or precision than at the step before.
        """
        if not (is_float_array(theta) and is_float_array(theta_bar) and isinstance(eta, (float, np.ndarray))):
            check_array("theta", theta)
            check_array("theta_bar", theta_bar)
            check_argument("eta", Rate, eta)
        own_rates = isinstance(eta, np.ndarray)
        if theta.ndim != 1 or theta_bar.shape != theta.shape or (own_rates and np.shape(eta) != theta.shape):
            raise ValueError(
                f"theta has shape {theta.shape}, theta_bar {theta_bar.shape} and eta {np.shape(eta)}, expected vectors "
                "as long, or a number for eta"
            )
        for name in self.vectors:
            vector = getattr(self, name)
            if vector.size != theta.size or vector.dtype != theta.dtype:
                if self.steps:
                    raise ValueError(
                        f"theta is {theta.dtype} of shape {theta.shape}, but {name} is {vector.dtype} of {vector.shape}"
                    )
                setattr(self, name, np.zeros_like(theta))
        self.steps += 1
        if self.steps % STEPS_BETWEEN_SWEEPS == 0:
            for array in (theta, *(getattr(self, name) for name in self.vectors)):
                flush(array)

    def state(self) -> dict[str, Array]:
        """The arrays that the next step depends on: the vectors by name, and the number of steps."""
        found = {name: getattr(self, name).copy() for name in self.vectors if self.steps}
        return {"steps": np.array(self.steps), **found}

    def load_state(self, state: Mapping[str, Array], theta: Array) -> None:
        """Go on from a state. Raises ValueError, naming the array, when it is not one of this optimizer and theta."""
        steps = state.get("steps", np.array(-1))
        if steps.shape != () or steps.dtype.kind != "i" or steps < 0:
            raise ValueError("'steps' is not a whole number >= 0")
        wanted = {"steps", *(self.vectors if steps else ())}
        if state.keys() != wanted:
            raise ValueError(f"missing or unknown array {min(state.keys() ^ wanted)!r}")
        for name in wanted - {"steps"}:
            array = state[name]
            if array.shape != theta.shape or array.dtype != theta.dtype:
                raise ValueError(
                    f"array {name!r} is {array.dtype} of shape {array.shape}, expected {theta.dtype} of {theta.shape}"
                )
            if not np.isfinite(array).all():
                raise ValueError(f"array {name!r} holds values that are not finite")
            setattr(self, name, array.copy())
        self.steps = int(steps)


class SGD(Base):
    """Stochastic gradient descent, plain or with momentum mu.

        v     <- mu v + theta_bar
        theta <- theta - eta v                      (Polyak 1964)
        theta <- theta - eta (theta_bar + mu v)     with nesterov=True (Nesterov 1983; Sutskever et al. 2013, eq. 3-4)

    eta is the learning rate, v starts at 0. The velocity is in units of the bar, so a change of eta acts at once; with
    constant eta this is Sutskever's form, whose velocity is -eta v. Nesterov's form is written in terms of the point
    where the gradient was taken, as in Bengio, Boulanger-Lewandowski and Pascanu 2013, eq. 7.

    Raises ValueError unless eta > 0, 0 <= mu < 1, and mu > 0 where nesterov is on.
    """

    def __init__(self, learning_rate: Positive = 0.1, momentum: Fraction = 0.0, nesterov: bool = False) -> None:
        check_arguments(SGD.__init__, locals())
        super().__init__()
        if nesterov and momentum == 0:
            raise ValueError("nesterov=True needs a momentum above 0")
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.nesterov = nesterov
        self.vectors = ("velocity",) if momentum else ()
        self.velocity: Array = np.empty(0)

    def step(self, theta: Array, theta_bar: Array, eta: Rate) -> None:
        self.begin(theta, theta_bar, eta)
        for part in blocks(theta.size):
            g = theta_bar[part]
            if self.momentum:
                v = self.velocity[part]
                v *= self.momentum
                v += g  # v <- mu v + theta_bar
                g = g + self.momentum * v if self.nesterov else v
            theta[part] -= of_part(eta, part) * g  # theta <- theta - eta v


class Adam(Base):
    """Adam (Kingma and Ba 2015, algorithm 1).

        m <- beta1 m + (1 - beta1) theta_bar          m_hat = m / (1 - beta1^t)
        s <- beta2 s + (1 - beta2) theta_bar^2        s_hat = s / (1 - beta2^t)
        theta <- theta - eta m_hat / (sqrt(s_hat) + epsilon)

    t counts steps from 1. The constants of m_hat and s_hat are moved to eta and epsilon (the paper's remark at the end
    of its section 2). Decoupled weight decay (AdamW) is an argument of `mlp.train`, for every optimizer.

    Raises ValueError unless eta > 0, 0 <= beta1 < 1, 0 <= beta2 < 1 and epsilon > 0.
    """

    vectors = ("first", "second")

    def __init__(
        self,
        learning_rate: Positive = 1e-3,
        beta1: Fraction = 0.9,
        beta2: Fraction = 0.999,
        epsilon: Positive = 1e-8,
    ) -> None:
        check_arguments(Adam.__init__, locals())
        super().__init__()
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.first: Array = np.empty(0)
        self.second: Array = np.empty(0)

    def step(self, theta: Array, theta_bar: Array, eta: Rate) -> None:
        self.begin(theta, theta_bar, eta)
        root = math.sqrt(1 - self.beta2**self.steps)
        rate, epsilon = eta * root / (1 - self.beta1**self.steps), self.epsilon * root
        for part in blocks(theta.size):
            g, m, s = theta_bar[part], self.first[part], self.second[part]
            m *= self.beta1
            m += (1 - self.beta1) * g  # m <- beta1 m + (1 - beta1) theta_bar
            s *= self.beta2
            s += (1 - self.beta2) * (g * g)  # s <- beta2 s + (1 - beta2) theta_bar^2
            # theta <- theta - eta m_hat / (sqrt(s_hat) + epsilon)
            theta[part] -= of_part(rate, part) * (m / (np.sqrt(s) + epsilon))


OPTIMIZERS: dict[str, Any] = {"sgd": SGD, "adam": Adam}


def blocks(size: int) -> list[slice]:
    """Slices of at most BLOCK elements that cover a vector."""
    return [slice(start, start + BLOCK) for start in range(0, size, BLOCK)]


def of_part(rate: Rate, part: slice) -> Rate:
    return rate[part] if isinstance(rate, np.ndarray) else rate


def rates_of(network: Network, factors: Mapping[str, float]) -> Array | None:
    """The factors of the learning rate as a vector of theta's size; None where there are none.

    A key is the name of a parameter in the network, "W1", or in its layers, "b" for all biases; the former counts more.
    Raises ValueError for a name that no parameter has, and for a factor that is not above 0.
    """
    check_arguments(rates_of, locals())
    if not factors:
        return None
    for name, factor in factors.items():
        check_argument(f"rate_factors[{name!r}]", Positive, factor)
    found, unused = np.ones_like(network.theta), set(factors)
    for name, place in network.places.items():
        own = place.name.rpartition("_")[2]  # of a layer inside another, r1_W
        for key in (own, name):
            if key in factors:
                found[place.part] = factors[key]
                unused.discard(key)
    if unused:
        raise ValueError(
            f"rate_factors: no parameter is called {min(unused, key=str)}: there are {', '.join(network.places)}"
        )
    return found


def flush(array: Array) -> None:
    """Set what is smaller than TINY to 0, block by block.

    The velocity of a dead unit halves again and again, and gets stuck at subnormal numbers, for which many processors
    take a hundred times as long; so do moments, and weights that decay.
    """
    for part in blocks(array.size):
        block = array[part]
        block[np.abs(block) < TINY] = 0


def gradient_norm(theta_bar: Array) -> float:
    """The global norm: the square root of the sum of squares over all bars."""
    if not is_float_array(theta_bar):
        check_array("theta_bar", theta_bar)
    return math.sqrt(float(np.vdot(theta_bar, theta_bar).real))


def clip_gradient(theta_bar: Array, limit: float, norm: float) -> None:
    """Scale theta_bar by limit / norm, in place, where its norm is above the limit.

    Clipping by global norm (Pascanu, Mikolov and Bengio 2013, algorithm 1) keeps the direction of the step.
    """
    if not is_float_array(theta_bar):
        check_array("theta_bar", theta_bar)
    if norm > limit:
        theta_bar *= limit / norm

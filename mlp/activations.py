"""Apply an activation function g to each element of A, and give its slope g'.

The note's element-wise rule is H = g(A)  =>  A_bar = g'(A) * H_bar. Each activation below is that pair and nothing
more. `slope` is handed A and H = g(A) and uses whichever makes the formula short; it returns g'(A), never a product.

All of them keep the dtype they are given, raise no warning at A = +-1000, and accept complex A, so that a complex step
goes through them exactly (except at the very kink of relu and leaky_relu, a = 0). Those that are only piecewise
analytic (relu, leaky_relu, elu, softsign) use the piece that the real part selects.

Pieces are put together by max(a, 0) and min(a, 0), or by (a > 0) as 0 or 1: np.where takes ten times as long, as the
processor cannot guess which side comes next.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from mlp.arguments import check_arguments, float_array, is_float_array
from mlp.types import Array, OneOf

TINY = 1e-19
"""Exponentials below it are taken for 0. It is the root of the smallest normal number in single precision: products of
what is left are normal again, and many processors take a hundred times as long for subnormal numbers."""


@dataclass(frozen=True)
class Activation:
    """An element-wise function and its derivative; make your own and hand it to a `Layer`.

    `value(A)` returns H = g(A); `slope(A, H)` returns g'(A). Both return an array of A's shape and dtype and leave
    their arguments as they are. `scheme` names the initialization that suits the function (see `Layer.initialize`).

    >>> square = Activation("square", value=lambda A: A * A, slope=lambda A, H: 2 * A)
    """

    name: str
    value: Callable[[Array], Array]
    slope: Callable[[Array, Array], Array]
    scheme: str = "glorot_uniform"

    def __post_init__(self) -> None:
        check_arguments(Activation, vars(self))

    def __call__(self, A: Array) -> Array:
        if not is_float_array(A):
            A = float_array(A, "A")
        return self.value(A)


def minus_abs(A: Array) -> Array:
    """-|a| by the sign of the real part: exp of it never overflows, and a complex step survives it."""
    return -np.abs(A) if A.dtype.kind != "c" else np.where(A > 0, -A, A)


def exp_minus_abs(A: Array) -> Array:
    """exp(-|a|), and 0 where that is below TINY."""
    E = np.exp(minus_abs(A))
    E *= E.real > TINY
    return E


def logistic_value(A: Array) -> Array:
    """1 / (1 + exp(-a)), written as exp(a) / (1 + exp(a)) where a <= 0: neither form overflows on its side."""
    E = np.exp(np.minimum(A, 0))
    E *= E.real > TINY
    return E / (1 + exp_minus_abs(A))


def softplus_value(A: Array) -> Array:
    """log(1 + exp(a)) = max(a, 0) + log(1 + exp(-|a|))."""
    return np.maximum(A, 0) + np.log1p(exp_minus_abs(A))


SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772


def selu_value(A: Array) -> Array:
    return SELU_SCALE * np.maximum(A, 0) + SELU_SCALE * SELU_ALPHA * np.expm1(np.minimum(A, 0))


def selu_slope(A: Array, H: Array) -> Array:
    return (A > 0) * A.dtype.type(SELU_SCALE * (1 - SELU_ALPHA)) + (np.minimum(H, 0) + SELU_SCALE * SELU_ALPHA)


def softsign_slope(A: Array, H: Array) -> Array:
    R = 1 / (1 - minus_abs(A))
    return R * R


def silu_slope(A: Array, H: Array) -> Array:
    S = logistic_value(A)
    return S + H * (1 - S)


def exp_up_to_20(A: Array) -> Array:
    """exp(a), or exp(20) for larger a, and 0 where that is below TINY."""
    E = np.exp(np.minimum(A, 20))
    E *= E.real > TINY
    return E


def mish_value(A: Array) -> Array:
    """a t, with t = n / (n + 2), n = e (e + 2) and e = exp(a); t is 1 in double precision from a = 20 on."""
    E = exp_up_to_20(A)
    N = E * (E + 2)
    return A * (N / (N + 2))


def mish_slope(A: Array, H: Array) -> Array:
    """t + a (1 - t^2) logistic(a) = t + 4 a e (e + 1) / (n + 2)^2."""
    E = exp_up_to_20(A)
    N = E * (E + 2)
    return N / (N + 2) + A * (4 * E * (E + 1) / ((N + 2) * (N + 2)))


GELU_SCALE = 2 * math.sqrt(2 / math.pi)
GELU_CUBIC = 0.044715


def gelu_logit(A: Array) -> Array:
    return GELU_SCALE * (A + GELU_CUBIC * A * A * A)


def gelu_slope(A: Array, H: Array) -> Array:
    S = logistic_value(gelu_logit(A))
    return S + H * (1 - S) * (GELU_SCALE * (1 + 3 * GELU_CUBIC * A * A))


# g(a) = a,  g' = 1
identity = Activation("identity", value=lambda A: A, slope=lambda A, H: np.ones_like(A))

# g(a) = 1 / (1 + exp(-a)),  g' = h (1 - h)
logistic = Activation("logistic", value=logistic_value, slope=lambda A, H: H * (1 - H))

# g(a) = tanh(a),  g' = 1 - h^2
tanh = Activation("tanh", value=np.tanh, slope=lambda A, H: 1 - H * H)

# g(a) = max(a, 0),  g' = 1 where a > 0, else 0 (at the kink a = 0 we take the left slope)
relu = Activation(
    "relu",
    value=lambda A: A.clip(0, np.inf),  # two to four times as fast as np.maximum(A, 0) on wide layers
    slope=lambda A, H: (A > 0).astype(A.dtype),
    scheme="he_normal",
)

# g(a) = a where a > 0, else 0.01 a  (Maas, Hannun and Ng 2013)
leaky_relu = Activation(
    "leaky_relu",
    value=lambda A: np.maximum(A, 0) + 0.01 * np.minimum(A, 0),
    slope=lambda A, H: (A > 0) * A.dtype.type(0.99) + A.dtype.type(0.01),
    scheme="he_normal",
)

# g(a) = a where a > 0, else exp(a) - 1,  g' = 1 or h + 1  (Clevert, Unterthiner and Hochreiter 2016, alpha = 1)
elu = Activation(
    "elu",
    value=lambda A: np.maximum(A, 0) + np.expm1(np.minimum(A, 0)),
    slope=lambda A, H: np.minimum(H, 0) + 1,
    scheme="he_normal",
)

# g(a) = s a where a > 0, else s alpha (exp(a) - 1),  g' = s or h + s alpha
# Klambauer et al. 2017: with these s and alpha, mean 0 and variance 1 pass through (theirs: 1.0507 and 1.6733).
selu = Activation("selu", value=selu_value, slope=selu_slope, scheme="lecun_normal")

# g(a) = log(1 + exp(a)),  g' = 1 / (1 + exp(-a)) = 1 - exp(-h)  (Dugas et al. 2001)
softplus = Activation("softplus", value=softplus_value, slope=lambda A, H: -np.expm1(-H), scheme="he_normal")

# g(a) = a / (1 + |a|),  g' = 1 / (1 + |a|)^2  (Bergstra et al. 2009)
softsign = Activation("softsign", value=lambda A: A / (1 - minus_abs(A)), slope=softsign_slope)

# g(a) = a s,  s = logistic(a),  g' = s + h (1 - s)  (Elfwing, Uchibe and Doya 2018)
silu = Activation("silu", value=lambda A: A * logistic_value(A), slope=silu_slope, scheme="he_normal")

# g(a) = a t,  t = tanh(log(1 + exp(a))),  g' = t + a (1 - t^2) logistic(a)  (Misra 2020)
mish = Activation("mish", value=mish_value, slope=mish_slope, scheme="he_normal")

# g(a) = a s,  s = logistic(v),  v = 2 sqrt(2/pi) (a + 0.044715 a^3),  g' = s + h (1 - s) dv/da
# The tanh form of Hendrycks and Gimpel 2016 (1/2 (1 + tanh(v/2)) is logistic(v)): analytic, and needs no erf.
gelu = Activation("gelu", value=lambda A: A * logistic_value(gelu_logit(A)), slope=gelu_slope, scheme="he_normal")

ACTIVATIONS: dict[str, Activation] = {
    g.name: g
    for g in (
        identity,
        logistic,
        tanh,
        relu,
        leaky_relu,
        elu,
        selu,
        softplus,
        softsign,
        silu,
        mish,
        gelu,
    )
}

ActivationName = Annotated[str, OneOf(ACTIVATIONS)]

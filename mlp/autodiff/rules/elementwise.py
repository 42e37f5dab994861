"""Element-wise functions, and arithmetic that broadcasts.

C = g(A)  =>  C_dot = g'(A) * A_dot,  A_bar = g'(A) * C_bar (note, "element-wise function"). Every g keeps the dtype of
its input. `absolute`, `relu`, `maximum` and `minimum` have a kink, and say what they do there. They use the piece that
the real part selects, so that a complex step follows them too; all other functions are analytic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlp.autodiff.operation import Array, Operation


def elementwise(name: str, value: Callable[..., Any], slope: Callable[..., Any], formula: str) -> Operation:
    """C = g(A) from g(A, **options) and its slope g'(A, C, **options), which uses A or C, whichever makes it short."""
    return Operation(
        name,
        value,
        forward=lambda dots, C, A, **options: slope(A, C, **options) * dots[0],
        reverse=lambda C_bar, C, A, **options: (slope(A, C, **options) * C_bar,),
        source=f"note, element-wise function: C = {formula}",
    )


def unbroadcast(C_bar: Any, A: Any) -> Array:
    """Sum C_bar, in a new array, over the axes along which broadcasting repeated A.

    What was used several times sums the bars of its uses (note, footnote 6): in C = A + b 1^T, b_bar = C_bar 1.
    """
    new = C_bar.ndim - A.ndim  # axes that broadcasting put in front
    repeated = (i for i in range(new, C_bar.ndim) if A.shape[i - new] == 1)
    return C_bar.sum(axis=(*range(new), *repeated), keepdims=True).reshape(A.shape)


def arithmetic(name: str, value: Callable[..., Any], slopes: Callable[..., tuple[Any, Any]], formula: str) -> Operation:
    """C = g(A, B) with broadcasting, from slopes(A, B, C) = (dC/dA, dC/dB), element by element."""

    def forward(dots: Any, C: Any, A: Any, B: Any) -> Any:
        A_dot, B_dot = dots
        A_slope, B_slope = slopes(A, B, C)
        return A_slope * A_dot + B_slope * B_dot

    def reverse(C_bar: Any, C: Any, A: Any, B: Any) -> tuple[Any, ...]:
        A_slope, B_slope = slopes(A, B, C)
        return unbroadcast(A_slope * C_bar, A), unbroadcast(B_slope * C_bar, B)

    return Operation(name, value, forward, reverse, f"note, element-wise function of two parents: C = {formula}")


def absolute(A: Any) -> Any:
    """|a| by the sign of the real part: a complex step survives it."""
    return np.where(A.real < 0, -A, A)


def logistic(A: Any) -> Any:
    """1 / (1 + exp(-a)), written as exp(a) / (1 + exp(a)) where a <= 0: neither form overflows on its side."""
    E = np.exp(-absolute(A))
    return np.where(A.real > 0, A.dtype.type(1), E) / (1 + E)


def softplus(A: Any) -> Any:
    """log(1 + exp(a)) = max(a, 0) + log(1 + exp(-|a|))."""
    return relu(A) + np.log1p(np.exp(-absolute(A)))


def relu(A: Any) -> Any:
    return np.where(A.real > 0, A, A.dtype.type(0))


def power_slope(A: Any, C: Any, exponent: float) -> Any:
    return np.zeros_like(A) if exponent == 0 else exponent * A ** (exponent - 1)


def positive_power(A: Any, B: Any) -> Any:
    if (A.real <= 0).any():
        raise ValueError("positive_power: exp(B log A) needs every element of A to be positive")
    return A**B


def larger(A: Any, B: Any) -> Any:
    """1 where A is larger, 0 where B is, and 1/2 where they are equal: at the kink each gets half of C_bar."""
    return np.heaviside(A.real - B.real, 0.5)


OPERATIONS = (
    arithmetic("add", np.add, lambda A, B, C: (1, 1), "A + B"),
    arithmetic("subtract", np.subtract, lambda A, B, C: (1, -1), "A - B"),
    arithmetic("multiply", np.multiply, lambda A, B, C: (B, A), "A B"),
    arithmetic("divide", np.divide, lambda A, B, C: (1 / B, -C / B), "A / B"),
    arithmetic(
        "positive_power", positive_power, lambda A, B, C: (C * B / A, C * np.log(A)), "A^B = exp(B log A), A > 0"
    ),
    arithmetic(
        "maximum",
        lambda A, B: np.where(A.real >= B.real, A, B),
        lambda A, B, C: (larger(A, B), larger(B, A)),
        "max(A, B), slopes 1 and 0, and 1/2 each where A = B",
    ),
    arithmetic(
        "minimum",
        lambda A, B: np.where(A.real <= B.real, A, B),
        lambda A, B, C: (larger(B, A), larger(A, B)),
        "min(A, B), slopes 1 and 0, and 1/2 each where A = B",
    ),
    elementwise("negative", np.negative, lambda A, C: -1, "-A, slope -1"),
    elementwise("power", lambda A, exponent: A**exponent, power_slope, "A^p for a number p, slope p A^(p-1)"),
    elementwise("square", np.square, lambda A, C: 2 * A, "A^2, slope 2 A"),
    elementwise("sqrt", np.sqrt, lambda A, C: 0.5 / C, "sqrt(A), slope 1 / (2 C)"),
    elementwise("reciprocal", np.reciprocal, lambda A, C: -C * C, "1 / A, slope -C^2"),
    elementwise("exp", np.exp, lambda A, C: C, "exp(A), slope C"),
    elementwise("expm1", np.expm1, lambda A, C: C + 1, "exp(A) - 1, slope C + 1"),
    elementwise("log", np.log, lambda A, C: 1 / A, "log(A), slope 1 / A"),
    elementwise("log1p", np.log1p, lambda A, C: 1 / (1 + A), "log(1 + A), slope 1 / (1 + A)"),
    elementwise("sin", np.sin, lambda A, C: np.cos(A), "sin(A), slope cos(A)"),
    elementwise("cos", np.cos, lambda A, C: -np.sin(A), "cos(A), slope -sin(A)"),
    elementwise("tan", np.tan, lambda A, C: 1 + C * C, "tan(A), slope 1 + C^2"),
    elementwise("arcsin", np.arcsin, lambda A, C: 1 / np.sqrt(1 - A * A), "arcsin(A), slope 1 / sqrt(1 - A^2)"),
    elementwise("arccos", np.arccos, lambda A, C: -1 / np.sqrt(1 - A * A), "arccos(A), slope -1 / sqrt(1 - A^2)"),
    elementwise("arctan", np.arctan, lambda A, C: 1 / (1 + A * A), "arctan(A), slope 1 / (1 + A^2)"),
    elementwise("sinh", np.sinh, lambda A, C: np.cosh(A), "sinh(A), slope cosh(A)"),
    elementwise("cosh", np.cosh, lambda A, C: np.sinh(A), "cosh(A), slope sinh(A)"),
    elementwise("tanh", np.tanh, lambda A, C: 1 - C * C, "tanh(A), slope 1 - C^2"),
    elementwise("logistic", logistic, lambda A, C: C * (1 - C), "1 / (1 + exp(-A)), slope C (1 - C)"),
    elementwise("softplus", softplus, lambda A, C: logistic(A), "log(1 + exp(A)), slope 1 / (1 + exp(-A))"),
    elementwise(
        "relu", relu, lambda A, C: np.heaviside(A.real, 0), "max(A, 0), slope 1 where A > 0, else 0 (also at 0)"
    ),
    elementwise("absolute", absolute, lambda A, C: np.sign(A.real), "|A|, slope -1 or 1, and 0 at 0"),
)

"""A differentiable operation: a value, and the two rules that carry derivatives across it.

The forward rule of C = f(A, B) turns A_dot and B_dot into C_dot, the reverse rule turns C_bar into A_bar and B_bar. One
identity tests every rule: <C_bar, C_dot> = <A_bar, A_dot> + <B_bar, B_dot>, where <X, Y> is the sum of X * Y.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Dots = tuple[Any, ...]
"""The dots, or the bars, of an operation's inputs."""


@dataclass(frozen=True)
class Operation:
    """C = value(A, B, ..., **options), with both rules and their source.

    - `value(*inputs, **options)` returns C and leaves its inputs as they are;
    - `forward(dots, C, *inputs, **options)` returns C_dot, of C's shape, from the tuple of input dots;
    - `reverse(C_bar, C, *inputs, **options)` returns the tuple of input bars, each of its input's shape. They never
      share memory with C_bar, so that the caller may add to them in place;
    - `source` says where the rules are written down.

    An operation with several results has a tuple for C, and for C_dot and C_bar too.
    """

    name: str
    value: Callable[..., Any]
    forward: Callable[..., Any]
    reverse: Callable[..., Dots]
    source: str


def inner(X: Any, Y: Any) -> Any:
    """<X, Y> = sum of X * Y over all elements, and over all members of a tuple."""
    if isinstance(X, tuple):
        return sum(inner(x, y) for x, y in zip(X, Y, strict=True))
    return np.sum(np.asarray(X) * np.asarray(Y))


RESULTS = {"value": "value", "forward": "dot", "reverse": "bar"}


def apply(operation: Operation, rule: str, /, *arguments: Any, **options: Any) -> Any:
    """One of an operation's three functions, `rule`; ArithmeticError when its result is not finite."""
    with np.errstate(all="ignore"):
        result = getattr(operation, rule)(*arguments, **options)
    if not is_finite(result):
        raise ArithmeticError(
            f"{operation.name}: the {RESULTS[rule]} is not finite (log 0, a division by 0, an overflow, "
            "or a place where the function or its derivative does not exist?)"
        )
    return result


def is_finite(value: Any) -> bool:
    return all(map(is_finite, value)) if isinstance(value, tuple) else bool(np.isfinite(value).all())

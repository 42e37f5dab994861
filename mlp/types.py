"""Name the kinds of values that are passed around, and the ranges of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Examples(Protocol):
    """N examples at rest, one a row: an array, or what gives rows as an array when they are asked for.

    `X[rows]` takes a slice or an array of row numbers.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def ndim(self) -> int: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Array: ...


Data = tuple[Examples, Examples] | tuple[Examples, Examples, Array]
"""(X, Y) or (X, Y, w) of as many rows: N x D inputs, N x K targets and N weights of the rows, 1 where there is no w."""

Batch = tuple[Array, Array, Array | None]
"""(X, Y, w) or (F, Y, w) of a minibatch: D x B, K x B and B, one example a column; w is None where all weigh 1."""

Metrics = Mapping[str, Callable[[Array, Array], float]]
"""By name, functions of predictions P and targets Y, both K x N."""


@dataclass(frozen=True)
class Range:
    """The numbers that an argument may be, as metadata of its annotation: `Annotated[float, Range(above=0)]`."""

    above: float | None = None
    least: float | None = None
    below: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        bounds = ((">", self.above), (">=", self.least), ("<", self.below), ("<=", self.most))
        return " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)

    def check(self, name: str, value: Any) -> None:
        """Raises ValueError when the value is not a finite number of this range."""
        good = (
            math.isfinite(value)
            and (self.above is None or value > self.above)
            and (self.least is None or value >= self.least)
            and (self.below is None or value < self.below)
            and (self.most is None or value <= self.most)
        )
        if not good:
            raise ValueError(f"{name} must be a number {self}, got {value}")


@dataclass(frozen=True, eq=False)  # so it has a hash, which `Name | None` needs, though a dict has none
class OneOf:
    """The names that an argument may be, as metadata of its annotation: `Annotated[str, OneOf(ACTIVATIONS)]`."""

    choices: Iterable[str]

    def check(self, name: str, value: Any) -> None:
        """Raises ValueError for any other value."""
        if value not in self.choices:
            raise ValueError(f"{name} must be one of {', '.join(self.choices)}, got {value!r}")


Positive = Annotated[float, Range(above=0)]
NonNegative = Annotated[float, Range(least=0)]
Fraction = Annotated[float, Range(least=0, below=1)]
Count = Annotated[int, Range(least=1, most=10**9)]


def check_ranges(function: Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Check values, by name, against the `Range` or `OneOf` in the annotations of a function or class.

    None is let be. Raises ValueError with the name.
    """
    for name, annotation in get_type_hints(function, include_extras=True).items():
        for kind in (annotation, *get_args(annotation)):  # also of `Positive | None`
            for each in getattr(kind, "__metadata__", ()):
                if isinstance(each, (Range, OneOf)) and values.get(name) is not None:
                    each.check(name, values[name])


def unpack(data: Data) -> tuple[Examples, Examples, Array | None]:
    """X, Y and w, which is None for (X, Y)."""
    X, Y, *w = data
    return X, Y, w[0] if w else None


def check_data(name: str, data: Data | None) -> None:
    """Raises ValueError unless X and Y, if there are data, are matrices of as many rows, and at least one.

    The weights, if there are any, have to be as many, finite, 0 or more and not all 0.
    """
    if data is None:
        return
    X, Y, w = unpack(data)
    if X.ndim != 2 or Y.ndim != 2 or len(X) != len(Y) or len(X) == 0:
        raise ValueError(
            f"{name}: X has shape {X.shape} and Y has shape {Y.shape}, expected (N, D) and (N, K) "
            "with at least one row: data has one example a row"
        )
    if w is not None and w.shape != (len(X),):
        raise ValueError(f"{name}: w has shape {w.shape}, expected ({len(X)},): one weight a row")
    if w is not None and not (w.min() >= 0 and 0 < w.max() < math.inf):  # nan is neither
        raise ValueError(
            f"{name}: the weights w are from {w.min():g} to {w.max():g}, expected finite numbers of 0 or more, "
            "not all 0"
        )

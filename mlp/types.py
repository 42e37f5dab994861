"""Name the kinds of values that are passed around, and the ranges of numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np

Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]


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


@dataclass(frozen=True, eq=False)  # so it has a hash, which `Name | None` needs, though a dict has none
class OneOf:
    """The names that an argument may be, as metadata of its annotation: `Annotated[str, OneOf(ACTIVATIONS)]`."""

    choices: Iterable[str]


Positive = Annotated[float, Range(above=0)]
NonNegative = Annotated[float, Range(least=0)]
Fraction = Annotated[float, Range(least=0, below=1)]
Count = Annotated[int, Range(least=1, most=10**9)]


def unpack(data: Data) -> tuple[Examples, Examples, Array | None]:
    """X, Y and w, which is None for (X, Y)."""
    X, Y, *w = data
    return X, Y, w[0] if w else None

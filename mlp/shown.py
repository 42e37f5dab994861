"""Show arrays by name as a table: their shape, their range, and a small picture of how their numbers are spread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from mlp.markup import Markup, html_table
from mlp.text import aligned
from mlp.types import Array

T = TypeVar("T")
HEADING = ("name", "shape", "dtype", "least", "most", "zeros", "spread")
BLOCKS = "▁▂▃▄▅▆▇█"
BINS = 10


def array_row(name: str, value: Any) -> tuple[str, ...]:
    """The row of an array; of anything else its type."""
    if not isinstance(value, np.ndarray):
        return (name, "none" if value is None else type(value).__name__, "", "", "", "", "")
    shape, numbers = " x ".join(map(str, value.shape)) or "1", value.real.ravel()
    seen = numbers[np.isfinite(numbers)]
    if not seen.size:
        return (name, shape, str(value.dtype), "", "", "", "no finite number" if numbers.size else "empty")
    odd = "" if seen.size == numbers.size else f" {numbers.size - seen.size} not finite"
    ends = (f"{seen.min():.3g}", f"{seen.max():.3g}", f"{np.mean(seen == 0):.0%}")
    return (name, shape, str(value.dtype), *ends, histogram(seen) + odd)


def histogram(numbers: Array) -> str:
    """The counts in BINS equal parts of the range, from the least number to the most, as blocks of that height."""
    low, high = float(numbers.min()), float(numbers.max())
    if low == high or not np.isfinite(high - low):
        return ""
    counts, _ = np.histogram(numbers.astype(np.float64), BINS, (low, high))
    heights = np.rint(counts / counts.max() * (len(BLOCKS) - 1)).astype(int)
    return "".join(BLOCKS[height] if count else " " for count, height in zip(counts, heights, strict=True))


def array_table(named: Mapping[str, Any]) -> str:
    """The table in a terminal."""
    return aligned([HEADING, *(array_row(name, value) for name, value in named.items())], left=3)


def array_html(named: Mapping[str, Any], caption: str = "") -> Markup:
    """The table in a notebook."""
    return html_table([HEADING, *(array_row(name, value) for name, value in named.items())], caption=caption)


def shown(kind: type[T]) -> type[T]:
    """Show the fields of a NamedTuple as a table of arrays, in a terminal and in a notebook."""
    own: Any = kind
    own.__repr__ = lambda self: f"{kind.__name__}\n{array_table(self._asdict())}"
    own._repr_html_ = lambda self: array_html(self._asdict(), kind.__name__)
    return kind


def fields(value: Any) -> dict[str, Any]:
    """What a layer's values or bars have, by name."""
    return dict(value._asdict()) if hasattr(value, "_asdict") else dict(vars(value))


def by_layer(values: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """The arrays of all layers under the note's names: W_bar of layer 2 is "W2_bar", its H_in "H1", that of 1 "X"."""
    for number, value in enumerate(values, 1):
        below = f"H{number - 1}" if number > 1 else "X"
        for name, array in fields(value).items():
            kind, bar = name.removesuffix("_bar"), "_bar" if name.endswith("_bar") else ""
            if kind != "H_in":
                yield f"{kind}{number}{bar}", array
            elif bar or number == 1:
                yield f"{below}{bar}", array


class ByLayer(list[Any]):
    """The values, or the bars, of every layer, lowest first, which are shown as one table."""

    def __repr__(self) -> str:
        return array_table(dict(by_layer(self)))

    def _repr_html_(self) -> Markup:
        return array_html(dict(by_layer(self)))

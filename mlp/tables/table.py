"""Hold the rows of a table, which may be made when they are asked for, and choose its columns by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from mlp.errors import DataError
from mlp.text import listed, quoted
from mlp.types import Array, Examples

PIECE = 2**18  # numbers that are worked on at a time in a pass over a table: 2 MB in double precision
SMALL = 2**20  # numbers: up to here rows are made at once and kept, 4 MB in single precision
MISSING = frozenset({"", "?", "na", "n/a", "nan", "null"})
MAX_LABEL = 200  # characters; an array of text has room for its longest label in every row


@dataclass(frozen=True)
class Table:
    """N examples: X is N x D numbers, perhaps as `Rows`; Y is N x K, text for labels or numbers, and K may be 0."""

    source: str
    inputs: tuple[str, ...]
    X: Examples
    targets: tuple[str, ...]
    Y: Array

    def __len__(self) -> int:
        return len(self.X)

    def rows(self, numbers: Array) -> Table:
        """The table of the rows with these numbers."""
        return replace(self, X=choose_rows(self.X, numbers), Y=self.Y[numbers])


class Rows:
    """N x D examples that are made when they are asked for.

    `X[rows]` is `cut(rows)`, an array, for a slice or an array of row numbers. What `cut` makes of a row depends on
    that row alone, so it is the same, to the last bit, as in the whole table made at once.
    """

    ndim = 2

    def __init__(self, shape: tuple[int, int], dtype: DTypeLike, cut: Callable[[Any], Array]) -> None:
        self.shape, self.dtype, self.cut = shape, np.dtype(dtype), cut

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Array:
        return self.cut(rows)


def examples(shape: tuple[int, int], dtype: DTypeLike, cut: Callable[[Any], Array]) -> Examples:
    """The rows that `cut` makes: a small table as an array, a large one as `Rows`, of which there is no second copy."""
    rows = Rows(shape, dtype, cut)
    return rows[:] if shape[0] * shape[1] <= SMALL else rows


def choose_rows(X: Examples, numbers: Array) -> Examples:
    """The rows of X with these numbers."""
    return examples((len(numbers), X.shape[1]), X.dtype, lambda rows: X[numbers[rows]])


def choose_columns(X: Array, numbers: list[int]) -> Examples:
    """The columns of X with these numbers; neighbours are a view of X."""
    first, last = numbers[0], numbers[-1]
    if numbers == list(range(first, last + 1)):
        return X[:, first : last + 1]
    return examples((len(X), len(numbers)), X.dtype, lambda rows: X[rows][:, numbers])


def slices(X: Examples) -> Iterator[slice]:
    """Slices that cover all rows in order, of about PIECE numbers; they depend on the shape of X and nothing else."""
    rows = max(1, PIECE // max(1, X.shape[1]))
    for start in range(0, len(X), rows):
        yield slice(start, min(start + rows, len(X)))


def choose_names(
    source: str, names: Sequence[str], inputs: Sequence[str] | None, targets: Sequence[str], *, numbered: bool
) -> tuple[list[int], list[int]]:
    """Positions of the input and the target columns; `inputs=None` means all that are not targets.

    Where columns have only numbers for names and there are as many as `inputs`, they are the inputs, in order.
    """
    if numbered and inputs is not None and not targets and len(names) == len(inputs):
        return list(range(len(names))), []
    counts = Counter(names)
    for kind, wanted in (("target", targets), ("input", inputs or ())):
        if absent := [name for name in wanted if name not in counts]:
            raise DataError(f"{source}: no column {listed(absent)} (the {kind}); the columns are {listed(names)}")
        if twice := [name for name in wanted if counts[name] > 1]:
            raise DataError(f"{source}: {counts[twice[0]]} columns are named {quoted(twice[0])} (the {kind})")
    if inputs is None:
        others = counts.keys() - set(targets)
        inputs = [name for name in counts if name in others]
        if "" in inputs:
            raise DataError(
                f"{source}: column {list(names).index('') + 1} has no name; name it, or list the columns to use in "
                "data.inputs"
            )
        if twice := [name for name in inputs if counts[name] > 1]:
            raise DataError(f"{source}: two columns have one name: {listed(twice)}")
    if not inputs:
        raise DataError(f"{source}: no input columns: the only columns are {listed(names)}")
    position = {name: column for column, name in enumerate(names)}
    return [position[name] for name in inputs], [position[name] for name in targets]


def is_missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def too_long(where: str, label: str) -> DataError:
    return DataError(
        f"{where}: a label of {len(label):,} characters, {quoted(label)}; expected a class, in at most {MAX_LABEL} "
        "characters"
    )

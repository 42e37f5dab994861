"""Hold the rows of a table, which may be made when they are asked for, and choose its columns by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike

from mlp.errors import DataError
from mlp.text import listed, quoted
from mlp.types import Array, Examples

PIECE = 2**18  # numbers that are worked on at a time in a pass over a table: 2 MB in double precision
SMALL = 2**20  # numbers: up to here rows are made at once and kept, 4 MB in single precision
MAX_LABEL = 200  # characters; an array of text has room for its longest label in every row


Kind = Literal["number", "boolean", "date", "category"]
"""The kinds of columns: the first three become numbers."""


@dataclass(frozen=True)
class Texts:
    """A column of N texts: its `levels`, sorted by code point, and their `codes`, counted from 0; -1 is missing."""

    levels: tuple[str, ...]
    codes: Array

    @classmethod
    def of(cls, written: Sequence[str | None]) -> Texts:
        """The column of these texts; None is missing."""
        levels = sorted({text for text in written if text is not None})
        index: dict[str | None, int] = {text: code for code, text in enumerate(levels)}
        index[None] = -1
        return cls(tuple(levels), np.array([index[text] for text in written], np.int32))

    def __len__(self) -> int:
        return len(self.codes)

    def rows(self, numbers: Any) -> Texts:
        """The texts of the rows with these numbers; levels that none of them has stay."""
        return Texts(self.levels, self.codes[numbers])

    def written(self) -> Array:
        """The texts (N of object), None where one is missing."""
        return np.array([*self.levels, None], dtype=object)[self.codes]


@dataclass(frozen=True)
class Table:
    """N examples as they are written.

    `kinds` has the kind of each input column, in the order of the table. X (N x the number of those that become
    numbers, perhaps as `Rows`) has nan where a cell is missing; dates are days since 1970-01-01. `texts` has the
    categories. Y is N x K, text for labels or numbers, and K may be 0; no target is missing. `others` has columns that
    were asked for besides, and `notes` are sentences for the person.
    """

    source: str
    kinds: dict[str, str]
    X: Examples
    texts: dict[str, Texts]
    targets: tuple[str, ...]
    Y: Array
    others: dict[str, Array | Texts] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self.kinds)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The names of the columns of X."""
        return tuple(name for name in self.kinds if name not in self.texts)

    def __len__(self) -> int:
        return len(self.X)

    def rows(self, numbers: Array) -> Table:
        """The table of the rows with these numbers."""
        return replace(
            self,
            X=choose_rows(self.X, numbers),
            texts={name: column.rows(numbers) for name, column in self.texts.items()},
            Y=self.Y[numbers],
            others={
                name: column.rows(numbers) if isinstance(column, Texts) else column[numbers]
                for name, column in self.others.items()
            },
        )


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
    source: str,
    names: Sequence[str],
    inputs: Sequence[str] | None,
    targets: Sequence[str],
    left_out: Collection[str] = (),
    *,
    numbered: bool,
) -> tuple[list[int], list[int]]:
    """Positions of the input and the target columns; `inputs=None` means all that are not targets and not `left_out`.

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
        others = counts.keys() - set(targets) - set(left_out)
        inputs = [name for name in counts if name in others]
        if "" in inputs:
            raise DataError(
                f"{source}: column {list(names).index('') + 1} has no name; name it, or leave it out: "
                'data.exclude: [""]'
            )
        if twice := [name for name in inputs if counts[name] > 1]:
            raise DataError(
                f"{source}: two columns have one name: {listed(twice)}; rename one, or leave both out by data.exclude"
            )
    if not inputs:
        raise DataError(f"{source}: no input columns: the only columns are {listed(names)}")
    position = {name: column for column, name in enumerate(names)}
    return [position[name] for name in inputs], [position[name] for name in targets]


def too_long(where: str, label: str) -> DataError:
    return DataError(
        f"{where}: a label of {len(label):,} characters, {quoted(label)}; expected a class, in at most {MAX_LABEL} "
        "characters"
    )

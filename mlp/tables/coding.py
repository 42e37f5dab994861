"""Turn the input columns of a table into numbers for the network and back, as the training rows say.

The coded columns are, in this order: the numbers, a 0/1 column "is missing" for each number that has gaps in the
training rows, and the columns of each category (see `Category`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np

from mlp.errors import DataError
from mlp.tables.category import MISSING, Category, check_levels
from mlp.tables.columns import Measured, Scaler, check_finite
from mlp.tables.table import Table, examples, slices
from mlp.tables.target import check_names
from mlp.text import few, quoted
from mlp.types import Array, Examples

Missing = Literal["refuse", "fill", "median", "mean"]
Clip = Literal["smooth"]
ARRAYS = ("mean", "std", "fill", "low", "high")  # of the numbers, D each
CLIPPED = 3.0  # the largest size of a number that is clipped


@dataclass(frozen=True)
class ColumnOptions:
    """The options of one column where it is not as all others; None is as all others."""

    missing: Missing | None = None
    min_count: int = 1


@dataclass(frozen=True)
class Coding:
    """The coding of input columns: what a model keeps of its training rows to read others.

    `kinds` has all columns in the order of the table, and `categories` those of text. The other D are numbers: each is
    standardized by `scaler` and, with `clip`, becomes z / sqrt(1 + (z/3)^2), which is below 3 in size. Where mean is 0
    and std is 1 it stays as it is, as a column of 0 and 1 does. A missing number is taken as `fill`; where `gaps`, a
    column says so. `low` and `high` are the range of the training rows.
    """

    kinds: dict[str, str]
    scaler: Scaler
    fill: Array
    low: Array
    high: Array
    gaps: Array
    categories: dict[str, Category]
    clip: Clip | None = None

    @classmethod
    def fit(
        cls,
        table: Table,
        *,
        standardize: bool = True,
        clip: Clip | None = None,
        missing: Missing = "refuse",
        options: Mapping[str, ColumnOptions] | None = None,
    ) -> Coding:
        """The coding for these training rows.

        "fill" and "median" take a missing number as the median of the others, "mean" as their mean. Raises DataError
        for a column without any value, or whose texts are mostly distinct.
        """
        options = options or {}
        names, X = table.numbers, table.X
        found = Measured.of(X, names)
        fill, zero_or_one = found.mean.copy(), zeros_and_ones(X)
        for j in np.flatnonzero(found.missing).tolist():
            if (options.get(names[j], ColumnOptions()).missing or missing) != "mean":
                fill[j] = np.nanmedian(np.concatenate([X[rows][:, j] for rows in slices(X)]))
        as_it_is = zero_or_one if standardize else np.ones(len(names), bool)
        scaler = Scaler(np.where(as_it_is, 0.0, found.mean), np.where(as_it_is, 1.0, found.std))
        categories = {
            name: Category.fit(name, column, options.get(name, ColumnOptions()).min_count)
            for name, column in table.texts.items()
        }
        coding = cls(table.kinds, scaler, fill, found.low, found.high, found.missing > 0, categories, clip)
        if coding.size == 0:
            raise DataError("no input column has two different values in the training rows")
        return coding

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the columns, in the order of the table."""
        return tuple(self.kinds)

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(name for name in self.kinds if name not in self.categories)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the coded columns."""
        missing = [f"{name} is missing" for name, gaps in zip(self.numbers, self.gaps, strict=True) if gaps]
        texts = [each for name, category in self.categories.items() for each in category.names(name)]
        return (*self.numbers, *missing, *texts)

    @cached_property
    def size(self) -> int:
        """The number of coded columns, which is that of the inputs of the network."""
        return len(self.fill) + int(self.gaps.sum()) + sum(category.size for category in self.categories.values())

    def encode(self, table: Table) -> Examples:
        """The rows of the table as the network sees them (N x `size`).

        The rows of a large table are coded when they are asked for. What a row becomes depends on that row alone.
        """
        X, codes = table.X, self.codes(table)
        plain = not self.gaps.any() and not codes

        def cut(rows: Any) -> Array:
            numbers = X[rows]
            Z = self.encode_numbers(numbers)
            if plain:
                return Z
            missing = np.isnan(numbers[:, self.gaps])
            texts = [self.categories[name].encode(found[rows]) for name, found in codes.items()]
            return np.concatenate([Z, missing, *texts], axis=1, dtype=np.float32)

        coded = examples((len(table), self.size), np.float32, cut)
        for rows in slices(coded):
            check_finite(coded[rows], partial(present, X, rows), self.numbers)
        return coded

    def codes(self, table: Table) -> dict[str, Array]:
        """The code of each row (N) in each category."""
        return {name: category.code(table.texts[name]) for name, category in self.categories.items()}

    def encode_numbers(self, X: Array) -> Array:
        """z of each number, or of what a missing one is taken as, clipped if there is a clip."""
        missing = np.isnan(X) if X.dtype.kind == "f" else np.zeros((), bool)
        Z = self.scaler.transform(np.where(missing, self.fill, X) if missing.any() else X)
        if self.clip:
            clipped = Z / np.hypot(1, Z / np.float32(CLIPPED))
            Z = np.where(self.scaled, clipped, Z)
        return Z

    @property
    def scaled(self) -> Array:
        """The numbers that are standardized."""
        return (self.scaler.mean != 0) | (self.scaler.std != 1)

    def decode(self, Z: Array) -> tuple[Array, dict[str, Array]]:
        """The numbers, nan where one is missing, and the codes of each category: the inverse of `encode`."""
        D, missing = len(self.fill), int(self.gaps.sum())
        z = Z[:, :D].astype(np.float64)
        if self.clip:
            z = np.where(self.scaled, z / np.sqrt(np.maximum(1 - (z / CLIPPED) ** 2, 1e-15)), z)
        X = self.scaler.inverse(z)
        X[:, self.gaps] = np.where(Z[:, D : D + missing] == 1, np.nan, X[:, self.gaps])
        codes, start = {}, D + missing
        for name, category in self.categories.items():
            codes[name] = category.decode(Z[:, start : start + category.size])
            start += category.size
        return X, codes

    def stretch(self, X: Array) -> Array:
        """The factor by which `decode` makes a small error of a clipped number larger: dz/dc, N x D.

        With c = z / sqrt(1 + (z/3)^2) it is (1 + (z/3)^2)^(3/2).
        """
        if not self.clip:
            return np.ones_like(X)
        z = (X - self.scaler.mean) / self.scaler.std
        return np.where(self.scaled & ~np.isnan(z), (1 + (z / CLIPPED) ** 2) ** 1.5, 1.0)

    def news(self, table: Table) -> Iterator[str]:
        """Sentences on what rows hold that the training rows did not: gaps and texts."""
        missing = np.zeros(len(self.fill), np.int64)
        for rows in slices(table.X):
            missing += np.isnan(table.X[rows]).sum(axis=0)
        for j in np.flatnonzero((missing > 0) & ~self.gaps).tolist():
            yield (
                f"column {quoted(self.numbers[j])}: {missing[j]} rows have no value, though all training rows have "
                f"one; taken as {self.fill[j]:.4g}"
            )
        for name, codes in self.codes(table).items():
            yield from self.categories[name].news(name, table.texts[name], codes)

    def far_off(self, X: Examples) -> Iterator[str]:
        """A sentence on rows with a number further outside the training range than that is wide, if there are any."""
        far, far_rows = np.zeros(len(self.fill), np.int64), 0
        span = self.high - self.low
        for rows in slices(X):
            outside = (X[rows] > self.high + span) | (X[rows] < self.low - span)
            far += outside.sum(axis=0)
            far_rows += int(outside.any(axis=1).sum())
        if far_rows:
            items = [
                f"{quoted(self.numbers[j])} outside {self.low[j]:.4g} to {self.high[j]:.4g} in {far[j]}"
                for j in np.flatnonzero(far).tolist()
            ]
            yield f"{far_rows} of {len(X)} rows are far outside the range of the training rows: {few(items)}"

    def header(self) -> dict[str, Any]:
        """All of it but its arrays, for a model file."""
        gaps = dict(zip(self.numbers, self.gaps.tolist(), strict=True))
        columns = [
            {
                "name": name,
                "kind": kind,
                **(self.categories[name].header() if name in self.categories else {"gaps": gaps[name]}),
            }
            for name, kind in self.kinds.items()
        ]
        return {"columns": columns, "clip": self.clip}

    def arrays(self) -> dict[str, Array]:
        """Its arrays, for a model file: none where there are no numbers."""
        values = (self.scaler.mean, self.scaler.std, self.fill, self.low, self.high)
        return {f"input_{name}": value for name, value in zip(ARRAYS, values, strict=True) if value.size}

    @classmethod
    def from_header(cls, arrays: Mapping[str, Array], columns: Sequence[dict[str, Any]], clip: Clip | None) -> Coding:
        """The coding of `arrays()` and `header()`, which may be a stranger's but have the right types.

        Raises ValueError, naming the key, for what makes no coding, KeyError for an array that is missing.
        """
        check_names("inputs.columns", [column["name"] for column in columns])
        kinds = {column["name"]: column["kind"] for column in columns}
        texts = {name for name, kind in kinds.items() if kind == "category"}
        categories = {
            column["name"]: Category(
                check_levels(f"inputs.columns.{number}.levels", column["levels"]), column["gaps"], column["rare"]
            )
            for number, column in enumerate(columns)
            if column["name"] in texts
        }
        gaps = np.array([column["gaps"] for column in columns if column["name"] not in texts], bool)
        mean, std, fill, low, high = (arrays[f"input_{name}"] if gaps.size else np.zeros(0) for name in ARRAYS)
        if wrong := [name for name in arrays if name.startswith("input_") and arrays[name].shape != gaps.shape]:
            raise ValueError(
                f"inputs: {gaps.size} columns of numbers, but {wrong[0]} of shape {arrays[wrong[0]].shape}"
            )
        return cls(kinds, Scaler(mean, std), fill, low, high, gaps, categories, clip)


def present(X: Examples, rows: slice) -> Array:
    """Some rows of X, with 0 where a number is missing."""
    return np.where(np.isnan(X[rows]), 0, X[rows])


def zeros_and_ones(X: Examples) -> Array:
    """The columns of X that hold both 0 and 1, and no other number."""
    found = np.zeros((3, X.shape[1]), bool)
    for rows in slices(X):
        piece = X[rows]
        zero, one = piece == 0, piece == 1
        found |= [zero.any(axis=0), one.any(axis=0), ~(zero | one | (piece != piece)).all(axis=0)]
    return found[0] & found[1] & ~found[2]


def gaps_by_column(tables: Sequence[Table]) -> dict[str, int]:
    """The number of missing cells of each input column, for those that have such cells."""
    counts: dict[str, int] = {}
    for table in tables:
        X = np.zeros(len(table.numbers), np.int64)
        for rows in slices(table.X):
            X += np.isnan(table.X[rows]).sum(axis=0)
        found = dict(zip(table.numbers, X.tolist(), strict=True))
        found |= {name: int((column.codes == MISSING).sum()) for name, column in table.texts.items()}
        for name in table.inputs:
            counts[name] = counts.get(name, 0) + found[name]
    return {name: count for name, count in counts.items() if count}

"""Turn a column of text into numbers for the network and back: one-hot, or one column of -1 and +1 for two levels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from mlp.errors import DataError
from mlp.tables.table import Texts
from mlp.text import listed, quoted
from mlp.types import Array

MISSING, UNSEEN = -1, -2  # codes
MOSTLY = 0.5  # share of distinct texts from which a column is taken for an identifier of the rows
FEW_ROWS = 20  # up to here all texts may be distinct by chance


@dataclass(frozen=True)
class Category:
    """The coding of a column of text, with what its training rows held.

    `levels` are the texts that have a code, sorted. Where `rare`, all other texts share one more code, the last.
    Where `gaps`, a 0/1 column says that the text is missing. Of two codes one column is -1 or +1, of more each has its
    0/1 column, and one alone has none. A text without a code, or missing, is 0 in all columns of the codes.
    """

    levels: tuple[str, ...]
    gaps: bool = False
    rare: bool = False

    @classmethod
    def fit(cls, name: str, column: Texts, min_count: int = 1) -> Category:
        """The levels that at least `min_count` of the training rows have; the others, if any, are rare.

        Raises DataError for a column without any text, and for one whose texts are mostly distinct.
        """
        counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.levels))
        present, distinct = int(counts.sum()), int((counts > 0).sum())
        ignore = f"data.columns: {{{name}: ignore}} leaves it out"
        if not present:
            raise DataError(f"column {quoted(name)} has no value in the {len(column)} training rows; {ignore}")
        kept = np.flatnonzero(counts >= max(min_count, 1))
        if min_count == 1 and mostly_distinct(distinct, present):
            raise DataError(
                f"column {quoted(name)} has {distinct:,} distinct texts in {present:,} training rows, so that it looks "
                f"like a name of the rows; {ignore}, {{{name}: {{min_count: 20}}}} puts rare ones together"
            )
        if not kept.size:
            raise DataError(f"column {quoted(name)}: no text is in {min_count} training rows (min_count); {ignore}")
        levels = tuple(column.levels[code] for code in kept.tolist())
        return cls(levels, gaps=present < len(column), rare=len(kept) < distinct)

    @property
    def codes(self) -> int:
        """The number of codes."""
        return len(self.levels) + self.rare

    @property
    def size(self) -> int:
        """The number of coded columns."""
        return {1: 0, 2: 1}.get(self.codes, self.codes) + self.gaps

    def code(self, column: Texts) -> Array:
        """The code of each row (N): MISSING, UNSEEN, or 0 to `codes` - 1."""
        own = {text: code for code, text in enumerate(self.levels)}
        other = len(self.levels) if self.rare else UNSEEN
        table = np.array([*(own.get(text, other) for text in column.levels), MISSING], np.int32)
        return table[column.codes]

    def encode(self, codes: Array) -> Array:
        """The coded columns (N x `size`) of these codes."""
        Z = np.zeros((len(codes), self.size), np.float32)
        if self.codes == 2:
            Z[:, 0] = np.where(codes >= 0, 2 * codes - 1, 0)
        elif self.codes > 2:
            (rows,) = np.nonzero(codes >= 0)
            Z[rows, codes[rows]] = 1
        if self.gaps:
            Z[:, -1] = codes == MISSING
        return Z

    def decode(self, Z: Array) -> Array:
        """The codes of coded columns: the inverse of `encode`; where there is one code, unseen texts have it too."""
        K = self.size - self.gaps
        if self.codes == 2:
            codes = np.where(Z[:, 0] == 0, UNSEEN, (Z[:, 0] > 0).astype(np.int32))
        else:
            codes = np.where(Z[:, :K].any(axis=1), Z[:, :K].argmax(axis=1), UNSEEN) if K else np.zeros(len(Z), np.int32)
        return np.where(Z[:, -1] == 1, MISSING, codes) if self.gaps else codes

    def names(self, name: str) -> list[str]:
        """The names of the coded columns of the column with this name."""
        texts = [*self.levels, *(["(rare)"] if self.rare else [])]
        kept = {1: [], 2: texts[1:]}.get(self.codes, texts)
        return [f"{name}={text}" for text in [*kept, *(["(missing)"] if self.gaps else [])]]

    def news(self, name: str, column: Texts, codes: Array) -> Iterator[str]:
        """Sentences on what rows hold that the training rows did not."""
        if (unseen := codes == UNSEEN).any():
            texts = [column.levels[code] for code in np.unique(column.codes[unseen]).tolist()]
            yield (
                f"column {quoted(name)}: {int(unseen.sum())} rows have a text that no training row has "
                f"({listed(texts)}), taken as none of the levels"
            )
        if not self.gaps and (missing := codes == MISSING).any():
            yield (
                f"column {quoted(name)}: {int(missing.sum())} rows have no text, though all training rows have one; "
                "taken as none of the levels"
            )

    def header(self) -> dict[str, Any]:
        return {"levels": list(self.levels), "gaps": self.gaps, "rare": self.rare}


def mostly_distinct(distinct: int, present: int, part: float = 1.0) -> bool:
    """Tell whether so many distinct texts among the cells that are present are names of the rows, not levels.

    Where only a `part` of the rows is for training, fewer are enough: most of them may be in it.
    """
    return present > FEW_ROWS and distinct > MOSTLY * part * present


def check_levels(key: str, levels: Sequence[str]) -> tuple[str, ...]:
    """The levels, if they are sorted and different; or else a ValueError."""
    if not levels or any(a >= b for a, b in pairwise(levels)):
        raise ValueError(f"{key}: expected different texts in their order, and at least one")
    return tuple(levels)

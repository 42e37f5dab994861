"""Describe the form of a file, where it cannot be seen: the keys that a config and a new table have for it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import product

MISSING = ("", "?", "na", "n/a", "nan", "null")
"""The texts that stand for a missing cell unless a config lists others; in any case of letters."""


@dataclass(frozen=True)
class Reading:
    """The form that a table is written in; None is recognized.

    `delimiter` is one character, where " " is any run of blanks; `decimal` is "." or ","; `skip_lines` is the number of
    lines before the header, or before the first row. `missing_values` are exactly the texts that stand for a missing
    cell (None: blank and the usual words), and `query` is one SELECT over the file as the table `data`, which sees the
    columns of text that are named in `as_written` as texts, whatever they look like, and
    those in `unknown` as NULL where the file has no such column. Rows without a target are left out where
    `missing_target` is "drop".
    """

    delimiter: str | None = None
    decimal: str = "."
    header: bool | None = None
    encoding: str | None = None
    skip_lines: int = 0
    missing_values: tuple[str, ...] | None = None
    query: str | None = None
    missing_target: str = "refuse"
    as_written: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def is_missing(self, cell: str) -> bool:
        """Tell whether a cell, without blanks around it, has no value."""
        return cell.lower() in MISSING if self.missing_values is None else cell in self.missing_values

    def spellings(self) -> list[str]:
        """The texts for which `is_missing` is true."""
        if self.missing_values is not None:
            return list(self.missing_values)
        return ["".join(letters) for word in MISSING for letters in product(*({c, c.upper()} for c in word))]


KEYS = tuple(field.name for field in fields(Reading) if field.name not in ("as_written", "unknown"))
"""The keys that say how a new table is written; the others follow from what its columns are to the model."""

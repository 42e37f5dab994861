"""Write names, values and tables as text: in one line, not too long, with nothing that a terminal would obey."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

LONGEST = 450  # characters of a message
TAIL = 150  # of these, kept from the end of a longer one, where the hint is
SHOWN = 5  # names that a message lists before it says how many more there are


def one_line(text: str) -> str:
    """The text as one line of at most LONGEST characters that a terminal shows and does not obey.

    Names and values come from files: line ends, escape codes, marks that turn the direction of writing and halves of
    surrogate pairs are written as Python escapes, and what is too long is cut in the middle.
    """
    return cut(visible(cut(text)))


def visible(text: str) -> str:
    """The text with Python escapes for everything that is not to be seen."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - TAIL - 5]} ... {text[-TAIL:]}"


def quoted(text: str) -> str:
    """A name or a cell as a message shows it."""
    return repr(text) if len(text) <= 40 else repr(text[:37] + "...")


def few(items: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    shown = ", ".join(items[:SHOWN])
    return shown if len(items) <= SHOWN else f"{shown} and {len(items) - SHOWN} more"


def listed(names: Sequence[Any]) -> str:
    """The first few in quotes, and how many more there are."""
    return few([quoted(str(name)) for name in names])


def shown(value: Any) -> str:
    """A value of a config as a message shows it: short, in YAML's words, never a whole structure."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return f"a mapping of {len(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return brief(value)


def brief(value: Any) -> str:
    """A value as Python writes it, in at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Aligned columns: the first `left` to the left, the others to the right."""
    rows = [[visible(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def closest(word: str, choices: Iterable[str]) -> list[str]:
    """The choice that a word was perhaps meant for, in a list that is empty where none is close."""
    return difflib.get_close_matches(word.lower(), choices, n=1, cutoff=0.6)

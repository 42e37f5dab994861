"""The table that every reader returns, the error that every reader raises, and the choice of columns by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlp.activations import Array

SHOWN = 5  # how many names a message lists before it says how many more there are


class DataError(ValueError):
    """A table that cannot be used, and why."""


@dataclass(frozen=True)
class Table:
    """N examples: X is N x D numbers; Y is N x K, text for labels and numbers otherwise (K may be 0)."""

    source: str
    inputs: tuple[str, ...]
    X: Array
    targets: tuple[str, ...]
    Y: Array

    def __len__(self) -> int:
        return len(self.X)


def choose_columns(
    source: str, names: Sequence[str], inputs: Sequence[str] | None, targets: Sequence[str]
) -> tuple[list[int], list[int]]:
    """Positions of the input and the target columns."""
    for kind, wanted in (("target", targets), ("input", inputs or ())):
        for name in wanted:
            if names.count(name) != 1:
                found = "no column" if name not in names else f"{names.count(name)} columns"
                raise DataError(f"{source}: {found} named {name!r} (the {kind}); the columns are {listed(names)}")
    if inputs is None:
        inputs = [name for name in names if name not in targets]
        if "" in inputs:
            raise DataError(
                f"{source}: column {list(names).index('') + 1} has no name; name it, or list the columns to use in "
                "data.inputs"
            )
        twice = [name for name, count in Counter(inputs).items() if count > 1]
        if twice:
            raise DataError(f"{source}: two columns have one name: {listed(twice)}")
    if not inputs:
        raise DataError(f"{source}: no input columns: the only columns are {listed(names)}")
    return [list(names).index(name) for name in inputs], [list(names).index(name) for name in targets]


def listed(names: Sequence[Any]) -> str:
    """The first few, in quotes, and how many more there are."""
    shown = ", ".join(repr(str(name)) for name in list(names)[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"

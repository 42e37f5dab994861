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
    source: str,
    names: Sequence[str],
    inputs: Sequence[str] | None,
    targets: Sequence[str],
    *,
    numbered: bool = False,
) -> tuple[list[int], list[int]]:
    """Positions of the input and the target columns; `inputs=None` means all that are not targets.

    Where columns have only numbers for names and there are as many as `inputs`, they are the inputs, in order.
    """
    if numbered and inputs is not None and not targets and len(names) == len(inputs):
        return list(range(len(names))), []
    for kind, wanted in (("target", targets), ("input", inputs or ())):
        absent = [name for name in wanted if name not in names]
        if absent:
            raise DataError(f"{source}: no column {listed(absent)} (the {kind}); the columns are {listed(names)}")
        twice = [name for name in wanted if names.count(name) > 1]
        if twice:
            raise DataError(f"{source}: {names.count(twice[0])} columns are named {twice[0]!r} (the {kind})")
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

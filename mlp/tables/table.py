"""The table that every reader returns, and the choice of its columns by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlp.errors import DataError
from mlp.tables.rows import choose_rows
from mlp.text import listed, quoted
from mlp.types import Array, Examples


@dataclass(frozen=True)
class Table:
    """N examples: X is N x D numbers, perhaps read when asked for; Y is N x K, text for labels, else numbers.

    K may be 0.
    """

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


def choose_names(
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
    counts = Counter(names)
    for kind, wanted in (("target", targets), ("input", inputs or ())):
        absent = [name for name in wanted if name not in counts]
        if absent:
            raise DataError(f"{source}: no column {listed(absent)} (the {kind}); the columns are {listed(names)}")
        twice = [name for name in wanted if counts[name] > 1]
        if twice:
            raise DataError(f"{source}: {counts[twice[0]]} columns are named {quoted(twice[0])} (the {kind})")
    if inputs is None:
        chosen = set(targets)
        inputs = [name for name in names if name not in chosen]
        if "" in inputs:
            raise DataError(
                f"{source}: column {list(names).index('') + 1} has no name; name it, or list the columns to use in "
                "data.inputs"
            )
        twice = [name for name in counts if counts[name] > 1]
        if twice:
            raise DataError(f"{source}: two columns have one name: {listed(twice)}")
    if not inputs:
        raise DataError(f"{source}: no input columns: the only columns are {listed(names)}")
    position = {name: column for column, name in enumerate(names)}
    return [position[name] for name in inputs], [position[name] for name in targets]

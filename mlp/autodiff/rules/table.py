"""The table of all operations: functions and operators record from it, and one test checks every entry.

An operation of your own needs no entry: `record(Operation(...), *nodes)`.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlp.autodiff.operation import Operation
from mlp.autodiff.rules import (
    arrays,
    cholesky,
    decompositions,
    elementwise,
    exponential,
    linear_algebra,
    singular_values,
)


def table(operations: Iterable[Operation]) -> dict[str, Operation]:
    """The operations by name; ValueError when two have the same."""
    by_name: dict[str, Operation] = {}
    for operation in operations:
        if operation.name in by_name:
            raise ValueError(f"two operations are called {operation.name!r}")
        by_name[operation.name] = operation
    return by_name


OPERATIONS = table(
    (
        *elementwise.OPERATIONS,
        *arrays.OPERATIONS,
        *linear_algebra.OPERATIONS,
        *exponential.OPERATIONS,
        *decompositions.OPERATIONS,
        *singular_values.OPERATIONS,
        *cholesky.OPERATIONS,
    )
)

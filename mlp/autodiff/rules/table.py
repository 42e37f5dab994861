"""The table of all operations: functions and operators record from it, and one test checks every entry.

An operation of your own needs no entry: `record(Operation(...), *nodes)`.
"""

from mlp.autodiff.rules import (
    arrays,
    cholesky,
    decompositions,
    elementwise,
    exponential,
    linear_algebra,
    singular_values,
)

FAMILIES = (elementwise, arrays, linear_algebra, exponential, decompositions, singular_values, cholesky)
OPERATIONS = {operation.name: operation for family in FAMILIES for operation in family.OPERATIONS}

"""The table of all operations and their rules, a family in each file. Rules know no graph.

An operation of your own needs no entry: `record(Operation(...), *nodes)`.
"""

from mlp.autodiff.rules import arrays, cholesky, decompositions, elementwise, linear_algebra, singular_values

FAMILIES = (elementwise, arrays, linear_algebra, decompositions, singular_values, cholesky)
OPERATIONS = {operation.name: operation for family in FAMILIES for operation in family.OPERATIONS}

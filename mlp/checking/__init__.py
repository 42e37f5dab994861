"""Check a rule, a layer, a loss, an optimizer, a loop or a whole network in numbers, one's own included.

    print(check_layer(layer, X))

Each function works on private copies in float64, leaves what it checks bitwise as it was, and returns a list of
`Result` that is shown as a table. A failure names the array, the worst index and both values, and guesses the mistake.
What is checked runs once before it is looked at: what its forward direction raises is raised.

`check_loop` and `check_weights` are for a loop that is called like `mlp.train`, `check_labels` for the coding of
classes, `check_gradient(f, df, x)` for any function that returns a number. `numerical_gradient(f, x)` computes a
derivative, and `compare(mine, right)` sets arrays side by side. `self_test` plants known mistakes, each of which must
be caught, and checks what the package ships.
"""

from mlp.checking.compare import check_gradient, compare, numerical_gradient
from mlp.checking.labels import check_labels
from mlp.checking.loss import check_loss
from mlp.checking.network import check_layer, check_network
from mlp.checking.operation import check_operation
from mlp.checking.results import FAIL, INCONCLUSIVE, PASS, Result, Results, failures, table
from mlp.checking.selftest import self_test
from mlp.checking.training import check_loop, check_optimizer
from mlp.checking.weights import check_weights

__all__ = [
    "FAIL",
    "INCONCLUSIVE",
    "PASS",
    "Result",
    "Results",
    "check_gradient",
    "check_labels",
    "check_layer",
    "check_loop",
    "check_loss",
    "check_network",
    "check_operation",
    "check_optimizer",
    "check_weights",
    "compare",
    "failures",
    "numerical_gradient",
    "self_test",
    "table",
]

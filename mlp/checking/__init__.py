"""Check a rule, a layer, a loss, an optimizer, a loop or a whole network in numbers, one's own included.

    results = check_layer(layer, X)
    print(table(results))

Each function works on private copies in float64, leaves what it checks bitwise as it was, and returns a list of
`Result`: what was looked at, how, PASS or FAIL or INCONCLUSIVE, the error relative to the norm of the array, and the
reason. A failure names the array, the worst index and both values, and guesses the mistake.

- `check_operation(operation, inputs, options)`: the two rules of an `mlp.autodiff` operation;
- `check_layer(layer, H_in)`, `check_loss(loss, F, Y)`, `check_network(network, loss, X, Y, l2)`;
- `check_loop(loop, network, loss, data)`: a training loop that is called like `mlp.train`;
- `check_optimizer(optimizer, network)`;
- `check_labels(Y, written, labels)`: the coding of classes;
- `self_test()`: plants known mistakes, each of which must be caught, and checks what the package ships.
"""

from mlp.checking.labels import check_labels
from mlp.checking.loss import check_loss
from mlp.checking.network import check_layer, check_network
from mlp.checking.operation import check_operation
from mlp.checking.results import FAIL, INCONCLUSIVE, PASS, Result, failures, table
from mlp.checking.selftest import self_test
from mlp.checking.training import check_loop, check_optimizer

__all__ = [
    "FAIL",
    "INCONCLUSIVE",
    "PASS",
    "Result",
    "check_labels",
    "check_layer",
    "check_loop",
    "check_loss",
    "check_network",
    "check_operation",
    "check_optimizer",
    "failures",
    "self_test",
    "table",
]

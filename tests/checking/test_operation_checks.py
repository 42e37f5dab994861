"""Check differentiation rules: the shipped ones pass, wrong ones are caught."""

import numpy as np
import pytest
import samples_elementwise
import samples_linear_algebra
from checks import only, passed

from mlp.autodiff import OPERATIONS, Operation
from mlp.checking import INCONCLUSIVE, PASS, check_operation, failures, table

SAMPLES = samples_elementwise.SAMPLES | samples_linear_algebra.SAMPLES


@pytest.mark.parametrize("name", OPERATIONS)
def test_shipped_operations_pass(name):
    for make in SAMPLES[name]:
        inputs, options = make(np.random.default_rng(1))
        project = {
            k: lambda V: (V + V.T) / 2
            for k, A in enumerate(inputs)
            if not isinstance(A, tuple) and A.ndim == 2 and A.shape[0] == A.shape[1] and (A == A.T).all()
        }
        results = check_operation(OPERATIONS[name], inputs, options, project=project)
        for result in results:  # an input that has no part in C cannot be judged
            assert result.verdict == PASS or (result.verdict == INCONCLUSIVE and result.error == 0), table(results)
        assert {"complex step", "central differences"} & {result.check for result in results}


def power_rule(**changes):
    rules = {
        "value": lambda A, B: A * A * B,
        "forward": lambda dots, C, A, B: 2 * A * B * dots[0] + A * A * dots[1],
        "reverse": lambda C_bar, C, A, B: (2 * A * B * C_bar, A * A * C_bar),
    }
    return Operation("A^2 B", **(rules | changes), source="test")


def in_place(C_bar, C, A, B):
    C_bar *= 1
    A += 0.0
    A[0, 0] += 1
    return 2 * A * B * C_bar, A * A * C_bar


@pytest.mark.parametrize(
    ("changes", "what", "words"),
    [
        ({"reverse": lambda C_bar, C, A, B: (2 * A * B * C_bar, -A * A * C_bar)}, "B", "the sign"),
        ({"reverse": lambda C_bar, C, A, B: ((2 * A * B * C_bar).sum(), A * A * C_bar)}, "A", "shape"),
        ({"forward": lambda dots, C, A, B: A * B * dots[0] + A * A * dots[1]}, "all together", "by forward"),
        ({"forward": lambda dots, C, A, B: (A * A * dots[1]).sum()}, "C_dot", "shape"),
        ({"forward": lambda dots, C, A, B: A @ dots[0]}, "C_dot", "raised"),
        ({"reverse": lambda C_bar, C, A, B: (C_bar, A * A * C_bar)}, "memory", "shares memory with C_bar"),
        ({"reverse": in_place}, "memory", "in place"),
    ],
    ids=["sign", "reverse shape", "forward", "forward shape", "raises", "shared", "in place"],
)
def test_wrong_rules_are_caught(changes, what, words, rng):
    inputs = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    passed(check_operation(power_rule(), inputs))
    found = only(check_operation(power_rule(**changes), inputs), what)
    assert words in f"{found.check} {found.reason} {found.guess}"


def test_forward_and_reverse_are_held_against_each_other(rng):
    inputs = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    results = check_operation(power_rule(forward=lambda dots, C, A, B: A * A * dots[1]), inputs)
    assert [result.check for result in failures(results)] == ["dot product"]


def test_a_rule_for_symmetric_matrices_alone_is_checked_on_them(rng):
    """C is the first row of S: its bar may stand in the row, or half in the row and half in the column."""
    operation = Operation(
        "first row",
        value=lambda S: S[:, 0].copy(),
        forward=lambda dots, C, S: dots[0][:, 0].copy(),
        reverse=lambda C_bar, C, S: (np.outer(np.eye(len(S))[0], C_bar),),
        source="test",
    )
    S = np.diag(rng.normal(size=3))
    passed(check_operation(operation, [S], project={0: lambda V: (V + V.T) / 2}))
    assert only(check_operation(operation, [S]), "S")


def test_complex_inputs_are_refused():
    with pytest.raises(ValueError, match="A is complex"):
        check_operation(power_rule(), [np.ones(2) * 1j, np.ones(2)])

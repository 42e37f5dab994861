"""Every operation and composition: its rules against its value and each other, on samples that have to cover them."""

import copy
import inspect

import numpy as np
import pytest
import samples_elementwise
import samples_linear_algebra
from by_name import NOT_ANALYTIC, RULES, SAMPLES
from numpy.linalg import norm

import mlp.autodiff
from mlp.autodiff import OPERATIONS, Graph, Operation, inner
from mlp.autodiff.rules import FAMILIES

each_sample = pytest.mark.parametrize(
    ("name", "make"),
    [pytest.param(name, make, id=f"{name}-{k}") for name in SAMPLES for k, make in enumerate(SAMPLES[name])],
)


def mapped(f, *values):
    """f of arrays, or of the members of tuples of them."""
    if isinstance(values[0], tuple):
        return tuple(mapped(f, *members) for members in zip(*values, strict=True))
    return f(*values)


def flat(value):
    """All elements in one vector, so that one norm covers several results."""
    return np.concatenate([np.ravel(member) for member in value]) if isinstance(value, tuple) else np.ravel(value)


def arrays(value):
    return [array for member in value for array in arrays(member)] if isinstance(value, tuple) else [value]


def frozen(value):
    """A copy that cannot be written to: a rule that tries gets a ValueError from NumPy."""

    def freeze(array):
        array = np.array(array)
        array.setflags(write=False)
        return array

    return mapped(freeze, value)


def direction(value, rng):
    """Random dots or bars of a value's shape and precision, symmetric where a matrix is."""

    def draw(array):
        array = np.asarray(array)
        random = rng.normal(size=array.shape)
        if array.ndim == 2 and array.shape[0] == array.shape[1] and (array == array.T).all():
            random = (random + random.T) / 2
        return random.astype(array.dtype)

    return mapped(draw, value)


class Case:
    """A rule on one sample, everything frozen: inputs, dots, C, C_dot, C_bar, bars."""

    def __init__(self, name, make, dtype=np.float64):
        rng = np.random.default_rng(1)
        self.operation = RULES[name]
        inputs, self.options = make(rng)
        self.inputs = frozen(mapped(lambda A: A.astype(dtype), tuple(inputs)))
        self.dots = frozen(direction(self.inputs, rng))
        self.C = self.value(*self.inputs)
        self.C_dot = self.operation.forward(self.dots, self.C, *self.inputs, **self.options)
        self.C_bar = frozen(mapped(lambda c: rng.normal(size=np.shape(c)).astype(dtype), self.C))
        self.bars = self.operation.reverse(self.C_bar, self.C, *self.inputs, **self.options)

    def value(self, *inputs):
        return self.operation.value(*inputs, **self.options)

    def along(self, h):
        """C at the inputs plus h times their dots."""
        return self.value(*mapped(lambda A, A_dot: A + h * A_dot, self.inputs, self.dots))


def test_the_samples_cover_the_table():
    assert not samples_elementwise.SAMPLES.keys() & samples_linear_algebra.SAMPLES.keys()
    assert SAMPLES.keys() == RULES.keys()
    assert all(SAMPLES.values())
    assert SAMPLES.keys() >= NOT_ANALYTIC


@each_sample
def test_dot_product_identity(name, make):
    case = Case(name, make)
    left, right = inner(case.C_bar, case.C_dot), inner(case.bars, case.dots)
    scale = norm(flat(case.C_bar)) * norm(flat(case.C_dot))
    assert scale > 0 or (name, case.options) == ("power", {"exponent": 0})
    assert abs(left - right) <= 1e-12 * scale


@each_sample
def test_forward_rule_against_numerical_derivatives(name, make):
    case = Case(name, make)
    if name in NOT_ANALYTIC:
        h = 1e-3
        values = {steps: flat(case.along(steps * h)) for steps in (-2, -1, 1, 2)}
        wanted = (8 * (values[1] - values[-1]) - (values[2] - values[-2])) / (12 * h)
        tolerance = 1e-7
    else:
        h = 1e-30
        wanted = flat(case.along(1j * h)).imag / h
        tolerance = 1e-12
    assert norm(flat(case.C_dot) - wanted) <= tolerance * norm(wanted)


@each_sample
def test_shapes(name, make):
    case = Case(name, make)
    assert mapped(np.shape, case.C_dot) == mapped(np.shape, case.C)
    assert mapped(np.shape, tuple(case.bars)) == mapped(np.shape, case.inputs)


@each_sample
def test_nothing_is_modified(name, make):
    """The arrays are frozen, so writing to one raises; options are compared, and so are inputs that were not frozen."""
    case = Case(name, make)
    rng = np.random.default_rng(1)
    inputs, options = make(rng)
    kept_inputs, kept_options = copy.deepcopy((inputs, options))
    C = case.operation.value(*inputs, **options)
    kept_C = copy.deepcopy(C)
    case.operation.forward(case.dots, C, *inputs, **options)
    case.operation.reverse(case.C_bar, C, *inputs, **options)
    np.testing.assert_equal((inputs, options, C), (kept_inputs, kept_options, kept_C))


@each_sample
def test_bars_are_nobody_elses_memory(name, make):
    case = Case(name, make)
    bars = arrays(tuple(case.bars))
    others = arrays(case.C_bar) + arrays(case.C) + arrays(case.inputs)
    for k, bar in enumerate(bars):
        assert not any(np.shares_memory(bar, other) for other in others + bars[k + 1 :])
        assert np.ndim(bar) == 0 or bar.flags.writeable


@each_sample
def test_float32_stays_float32(name, make):
    case = Case(name, make, np.float32)
    for result in (case.C, case.C_dot, tuple(case.bars)):
        assert {array.dtype for array in arrays(result)} == {np.dtype(np.float32)}


@each_sample
def test_the_function_of_the_same_name(name, make):
    """It computes on arrays and records on nodes, the same operation with the same value."""
    if name == "part" or name not in OPERATIONS:
        return  # has no function: those with several results return their parts; a composition records several
    function = getattr(mlp.autodiff, name)
    inputs, options = make(np.random.default_rng(1))
    wanted = OPERATIONS[name].value(*inputs, **options)

    def same(found):
        assert mapped(np.shape, found) == mapped(np.shape, wanted)
        np.testing.assert_array_equal(flat(found), flat(wanted))

    same(function(inputs, **options) if name == "concatenate" else function(*inputs, **options))
    graph = Graph()
    nodes = [graph.input(A) for A in inputs]
    result = function(nodes, **options) if name == "concatenate" else function(*nodes, **options)
    same(tuple(node.value for node in result) if isinstance(result, tuple) else result.value)
    assert graph.nodes[len(inputs)].operation is OPERATIONS[name]


def test_every_function_is_public_and_documented():
    public = set(mlp.autodiff.functions.__all__)
    assert public == OPERATIONS.keys() - {"part"} | samples_linear_algebra.COMPOSITIONS.keys()
    for name in public | {"Graph", "Node", "Operation", "draw_graph", "forward_mode", "inner", "jacobian", "record"}:
        assert inspect.getdoc(getattr(mlp.autodiff, name)), name
        assert getattr(mlp.autodiff, name).__name__ == name


def test_every_operation_says_where_its_rules_come_from():
    for name, operation in OPERATIONS.items():
        assert operation.name == name
        assert operation.source.startswith(("note", "Giles 2008", "Murray 2016", "Higham", "Al-Mohy")), name


def test_nothing_enters_the_table_incomplete_or_twice():
    with pytest.raises(TypeError, match=r"reverse.*source"):
        Operation("half", lambda A: A / 2, lambda dots, C, A: dots[0] / 2)
    assert len(OPERATIONS) == sum(len(family.OPERATIONS) for family in FAMILIES)


@pytest.mark.parametrize("value", [-800.0, 0.0, 800.0])
@pytest.mark.parametrize("name", ["logistic", "softplus", "tanh", "relu", "absolute"])
def test_large_arguments_neither_overflow_nor_warn(name, value):
    A = np.array([value])
    C = OPERATIONS[name].value(A)
    (A_bar,) = OPERATIONS[name].reverse(np.ones(1), C, A)
    limits = {  # value and slope
        "logistic": {-800: (0, 0), 0: (0.5, 0.25), 800: (1, 0)},
        "softplus": {-800: (0, 0), 0: (np.log(2), 0.5), 800: (800, 1)},
        "tanh": {-800: (-1, 0), 0: (0, 1), 800: (1, 0)},
        "relu": {-800: (0, 0), 0: (0, 0), 800: (800, 1)},
        "absolute": {-800: (800, -1), 0: (0, 0), 800: (800, 1)},
    }
    np.testing.assert_allclose((C[0], A_bar[0]), limits[name][value], rtol=1e-15, atol=0)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_where_two_are_equal_each_gets_half_of_the_bar(name):
    A = np.array([1.0, 2.0, 3.0])
    B = np.array([2.0, 2.0, 2.0])
    A_bar, B_bar = OPERATIONS[name].reverse(np.array([10.0, 20.0, 30.0]), OPERATIONS[name].value(A, B), A, B)
    wanted = [[0, 10, 30], [10, 10, 0]] if name == "maximum" else [[10, 10, 0], [0, 10, 30]]
    np.testing.assert_array_equal([A_bar, B_bar], wanted)


def test_a_power_of_0_is_constant_even_at_0():
    A = np.array([0.0, 2.0])
    C = OPERATIONS["power"].value(A, exponent=0)
    np.testing.assert_array_equal(C, [1, 1])
    np.testing.assert_array_equal(OPERATIONS["power"].reverse(np.ones(2), C, A, exponent=0), [[0, 0]])


@pytest.mark.parametrize(
    ("name", "inputs", "options", "message"),
    [
        ("matmul", [(3, 4), (3, 4)], {}, r"shapes \(3, 4\) and \(3, 4\) do not make a product"),
        ("matmul", [(2, 3, 4), (4, 5)], {}, "do not make a product"),
        ("matmul", [(), (4, 5)], {}, "do not make a product"),
        ("matmul", [(3, 4), ()], {}, "do not make a product"),
        ("matmul", [(3, 4), (4, 5, 2)], {}, "do not make a product"),
        ("positive_power", [(3,), (3,)], {}, "needs every element of A to be positive"),
        ("mask", [(2, 3)], {"keep": np.ones((2, 3))}, r"expected booleans of shape \(2, 3\), got float64"),
        (
            "mask",
            [(2, 3)],
            {"keep": np.ones(3, bool)},
            r"expected booleans of shape \(2, 3\), got bool of shape \(3,\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(name, inputs, options, message):
    with pytest.raises(ValueError, match=message):
        OPERATIONS[name].value(*(-np.ones(shape) for shape in inputs), **options)

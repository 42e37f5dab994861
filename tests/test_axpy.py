"""Y <- a X + b Y by BLAS: where it is used, what it gives, and when NumPy has to do it."""

import ctypes
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from mlp import SGD, Adam, L2Penalty, Layer, Network, SquaredError, axpy, train
from mlp.axpy import SMALLEST, axpby, computes_right, find_routine, same_bits, suitable_routine
from mlp.axpy import axpy as add
from mlp.divergence import DivergedError

LARGE = (389, 341)  # more elements than SMALLEST, and no multiple of what BLAS takes at once
DTYPES = [np.float32, np.float64]


def arrays(shape, dtype=np.float32, order="C"):
    rng = np.random.default_rng(0)
    return tuple(np.array(rng.normal(size=shape), dtype, order=order) for _ in range(2))


def assert_sum(found, a, X, b, Y):
    """That `found` is a X + b Y: in the precision of BLAS or NumPy, which round the products or the sum alone."""
    X, Y = np.asarray(X, np.longdouble), np.asarray(Y, np.longdouble)
    bound = 2 * np.finfo(found.dtype).eps * (abs(a * X) + abs(b * Y))
    assert (abs(found - (a * X + b * Y)) <= bound).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 2), (1, SMALLEST - 1), (SMALLEST, 1), LARGE])
@pytest.mark.parametrize(("a", "b"), [(1, 0.9), (-0.25, 0.999), (0.3, -1.7), (1, 1)])
def test_sums(dtype, shape, a, b):
    assert np.prod(LARGE) > SMALLEST
    X, Y = arrays(shape, dtype)
    before, both, one = X.copy(), Y.copy(), Y.copy()
    axpby(a, X, b, both)
    assert_sum(both, a, X, b, Y)
    add(a, X, one)
    assert_sum(one, a, X, 1, Y)
    assert np.array_equal(X, before)
    assert both.dtype == one.dtype == dtype


def reversed_rows(array):
    return array[::-1]


def big_endian(array):
    return array.astype(array.dtype.newbyteorder())


def unaligned(array):
    bytes_ = np.zeros(array.nbytes + 1, np.uint8)
    view = bytes_[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


@pytest.mark.parametrize("change", [reversed_rows, np.asfortranarray, big_endian, unaligned, np.ma.array])
def test_arrays_that_are_left_to_numpy(change):
    X, Y = arrays(LARGE)
    for x, y in ((change(X), Y.copy()), (X, change(Y.copy())), (change(X), change(Y.copy()))):
        assert suitable_routine("axpby", x, y) is None
        wanted = np.array(0.5 * x - 2.0 * y)
        axpby(0.5, x, -2.0, y)
        np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-5)


def test_complex_and_mixed_precisions_are_numpys():
    X, Y = arrays(LARGE)
    for x, y in ((X.astype(complex), Y.astype(complex)), (X, Y.astype(np.float64)), (X.astype(np.float16),) * 2):
        assert suitable_routine("axpy", x, y) is None
        found = y.copy()
        add(0.5, x, found)
        np.testing.assert_array_equal(found, y + 0.5 * x)


def test_a_large_array_that_is_read_only_stays_as_it_is():
    X, Y = arrays(LARGE)
    before = Y.copy()
    Y.flags.writeable = False
    for change in (lambda: add(1.0, X, Y), lambda: axpby(1.0, X, 2.0, Y)):
        with pytest.raises(ValueError, match="read-only"):
            change()
    assert np.array_equal(Y, before)
    read_only = arrays(LARGE)[1]
    read_only.flags.writeable = False
    assert suitable_routine("axpy", read_only, X) is find_routine("axpy", "f")  # to read from it is all right


def test_other_shapes_are_broadcast_or_refused_as_numpy_does():
    X, Y = arrays(LARGE)
    row, found = X[:1], Y.copy()
    add(2.0, row, found)
    np.testing.assert_array_equal(found, Y + 2 * row)
    with pytest.raises(ValueError, match="broadcast"):
        add(2.0, X[:, :-1], Y)
    with pytest.raises(ValueError, match="broadcast"):
        axpby(1, X, 0.5, Y.T.copy())


@pytest.mark.parametrize("name", ["axpy", "axpby"])
@pytest.mark.parametrize("char", "fd")
def test_the_blas_of_numpys_wheels_is_found(name, char):
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    if not (sys.platform == "linux" and built.startswith("scipy-openblas")):
        pytest.skip(f"NumPy was built with {built} on {sys.platform}")
    assert find_routine(name, char) is not None
    X, Y = arrays(LARGE, char)
    assert suitable_routine(name, X, Y) is find_routine(name, char)


@pytest.mark.parametrize("char", "FDeg")
def test_blas_has_no_routine_for_other_dtypes(char):
    assert find_routine("axpy", char) is None


def test_within_same_bits_all_is_numpys():
    X, Y = arrays(LARGE)
    found = Y.copy()
    with same_bits():
        assert suitable_routine("axpy", X, Y) is None
        axpby(0.3, X, 0.9, found)
    np.testing.assert_array_equal(found, np.float32(0.9) * Y + np.float32(0.3) * X)
    assert suitable_routine("axpy", X, Y) is find_routine("axpy", "f")


class Library:
    """In place of a BLAS library: these functions, and no others."""

    def __init__(self, **functions):
        vars(self).update(functions)


@pytest.fixture
def fresh():
    find_routine.cache_clear()
    yield
    find_routine.cache_clear()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("how", ["no routine", "no library", "no module", "wrong"])
def test_without_a_blas_that_computes_right_numpy_does_it(how, monkeypatch):
    def refuse(*_):
        raise ImportError if how == "no module" else OSError

    if how == "no module":
        monkeypatch.setattr("importlib.import_module", refuse)
    else:
        wrong = ctypes.CFUNCTYPE(None)(lambda: None)  # does nothing
        library = Library(cblas_saxpby=wrong, cblas_saxpy=wrong) if how == "wrong" else Library()
        monkeypatch.setattr(ctypes, "CDLL", refuse if how == "no library" else lambda path: library)
    assert find_routine("axpy", "f") is None
    assert find_routine("axpby", "f") is None
    X, Y = arrays(LARGE)
    one, both = Y.copy(), Y.copy()
    add(0.3, X, one)
    axpby(0.3, X, 0.9, both)
    scaled = np.float32(0.9) * Y
    np.testing.assert_array_equal(one, Y + np.float32(0.3) * X)
    np.testing.assert_array_equal(both, scaled + np.float32(0.3) * X)


@pytest.mark.parametrize("name", ["axpy", "axpby"])
def test_a_routine_that_leaves_out_elements_is_wrong(name):
    right = find_routine(name, "f")
    if right is None:
        pytest.skip("NumPy's BLAS is out of reach")
    assert computes_right(name, right, "f")
    assert not computes_right(name, lambda n, *rest: right(n - 1, *rest), "f")


def a_wide_layer(dtype=np.float32, activation="identity"):
    return Network([Layer.initialize(LARGE[1], LARGE[0], activation, rng=np.random.default_rng(3), dtype=dtype)])


def some_bars(step, dtype):
    rng = np.random.default_rng(step)
    W_bar, b_bar = rng.normal(size=LARGE), rng.normal(size=(LARGE[0], 1))
    return [SimpleNamespace(W_bar=W_bar.astype(dtype), b_bar=b_bar.astype(dtype))]


OPTIMIZERS = {
    "sgd": lambda: SGD(0.1),
    "momentum": lambda: SGD(0.1, momentum=0.9),
    "nesterov": lambda: SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: Adam(0.01),
    "adamw": lambda: Adam(0.01, weight_decay=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_steps_of_a_wide_layer_are_those_of_numpy(name, dtype, monkeypatch):
    def after_steps():
        network, optimizer = a_wide_layer(dtype), OPTIMIZERS[name]()
        for step in range(4):
            bars = some_bars(step, dtype)
            L2Penalty(0.01).add_to(network, bars)
            optimizer.step(network, bars)
        return {**network.parameters(), **optimizer.state()}

    by_blas = after_steps()
    monkeypatch.setattr(axpy, "suitable_routine", lambda *_: None)
    by_numpy = after_steps()
    assert by_blas.keys() == by_numpy.keys()
    for key, array in by_numpy.items():
        np.testing.assert_allclose(by_blas[key], array, rtol=0, atol=64 * np.finfo(dtype).eps)


class OneRank:
    rank, size, stop = 0, 1, False

    def sum(self, array):
        """Its own numbers are the sum."""


@pytest.mark.parametrize("ranks", [None, OneRank()], ids=["alone", "ranks"])
def test_blas_is_at_work_except_where_processes_must_step_alike(ranks, monkeypatch):
    asked = []
    monkeypatch.setattr(axpy, "find_routine", lambda *_: asked.append(1))
    rng = np.random.default_rng(0)
    X, Y = (rng.normal(size=(2, size)).astype(np.float32) for size in reversed(LARGE))
    optimizer = SGD(1e-3, momentum=0.9)
    next(train(a_wide_layer(), SquaredError(), optimizer, (X, Y), rng=rng, epochs=1, l2=0.1, ranks=ranks))
    assert len(asked) == (3 if ranks is None else 0)  # penalty, velocity and weights


def test_adam_steps_a_parameter_that_is_a_single_number():
    class Shift:
        parameters = penalized = ("s",)
        s = np.array(1.0, np.float32)

    Adam(0.1).step(Network([Shift()]), [SimpleNamespace(s_bar=np.array(0.5, np.float32))])
    assert Shift.s == pytest.approx(0.9)


def diverge_on(x, y, optimizer):
    """A layer of zeros, and one example: W_bar is -x y in one place, and b_bar, which is too small for BLAS, -y."""
    network = a_wide_layer()
    network.layers[0].W[...] = 0
    X, Y = np.zeros((1, LARGE[1]), np.float32), np.zeros((1, LARGE[0]), np.float32)
    X[0, 0], Y[0, 0] = x, y
    with pytest.raises(DivergedError) as error:
        list(train(network, SquaredError(), optimizer, (X, Y), rng=np.random.default_rng(0), epochs=3))
    assert not error.value.parameters_finite
    return str(error.value)


@pytest.mark.parametrize(("x", "y", "learning_rate"), [(1e9, 1e9, 1e25), (1e10, 1.0, 1e30), (1e18, 1.0, 1e21)])
def test_a_weight_that_blas_makes_infinite_is_noticed_at_its_step(x, y, learning_rate):
    message = diverge_on(x, y, SGD(learning_rate))
    assert message == "epoch 1, minibatch 1 of 1: the step made W1 not finite; first in layer 1"


def test_a_sum_of_squares_that_blas_makes_infinite_is_noticed_at_its_step():
    """A root of the largest number is the largest norm that is finite, and the sum is of two of its squares."""
    message = diverge_on(1e10, 1.5e9, Adam(1e-30))
    assert message == (
        "epoch 2, minibatch 1 of 1: the step made the optimizer's state not finite; first in its second_sum.W1"
    )


def test_a_velocity_that_makes_a_weight_infinite_is_noticed_in_its_epoch():
    """Of a relu unit that is off, so that neither cost nor gradient tells."""
    network, optimizer = a_wide_layer(activation="relu"), SGD(1.0, momentum=0.9)
    layer = network.layers[0]
    layer.W[...] = 0
    layer.W[0, 0] = -2e38
    optimizer.velocity = {name: np.zeros_like(W) for name, W in network.parameters().items()}
    optimizer.velocity["W1"][0, 0] = 2e38
    X, Y = np.zeros((3, LARGE[1]), np.float32), np.zeros((3, LARGE[0]), np.float32)
    X[:, 0] = 0.5
    with pytest.raises(DivergedError, match="minibatch 3 of 3: the step made W1 not finite; first in layer 1"):
        list(train(network, SquaredError(), optimizer, (X, Y), rng=np.random.default_rng(0), epochs=1, batch_size=1))

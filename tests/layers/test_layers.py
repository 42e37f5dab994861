"""Layer: what it refuses, what it leaves alone, and the statistics of its initialization."""

import numpy as np
import pytest

from mlp import ACTIVATIONS, Activation, Layer
from mlp.initialization import SCHEMES

W = np.arange(6.0).reshape(3, 2)
b = np.zeros((3, 1))


@pytest.mark.parametrize(
    ("W", "b", "words"),
    [
        (W, np.zeros(3), ["(3,)", "(3, 2)", "(3, 1)", "columns are examples", "b[:, None]"]),
        (W, np.zeros((1, 3)), ["(1, 3)", "(3, 2)", "(3, 1)", "columns are examples"]),
        (W, np.zeros((2, 1)), ["(2, 1)", "(3, 2)", "(3, 1)", "columns are examples"]),
        (W[0], b, ["(2,)", "(K_out, K_in)"]),
        (np.zeros((0, 2)), np.zeros((0, 1)), ["(0, 2)"]),
        (np.array([["a"]]), np.zeros((1, 1)), ["W must hold numbers"]),
        (W, np.array([[None]] * 3), ["b must hold numbers"]),
    ],
)
def test_wrong_parameters_are_refused_with_both_shapes(W, b, words):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the words are checked below
        Layer(W, b, "tanh")
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("shape", [(3, 5), (2,), (5, 2), (2, 5, 1)])
def test_input_of_a_wrong_shape_is_refused_with_both_shapes(shape):
    with pytest.raises(ValueError, match="columns are examples") as error:
        Layer(W, b, "tanh").forward(np.zeros(shape))
    assert str(shape) in str(error.value)
    assert "(3, 2)" in str(error.value)
    assert ("transpose" in str(error.value)) == (shape == (5, 2))


def test_a_bar_of_a_wrong_shape_is_refused():
    layer = Layer(W, b, "tanh")
    values = layer.forward(np.zeros((2, 4)))
    for shape in [(4, 3), (3, 1), (1, 4), (3,)]:
        with pytest.raises(ValueError, match="columns are examples"):
            layer.backward(values, np.zeros(shape))


def test_unknown_activation_lists_the_known_ones():
    with pytest.raises(ValueError, match="activation must be one of identity, logistic, tanh"):
        Layer(W, b, "rleu")


def test_nothing_is_hidden_and_nothing_is_changed():
    rng = np.random.default_rng(0)
    layer = Layer(rng.normal(size=(3, 2)), rng.normal(size=(3, 1)), "relu")
    attributes = dict(vars(layer))
    first, second = rng.normal(size=(2, 4)), rng.normal(size=(2, 5))
    H_bar = rng.normal(size=(3, 4))
    kept = [array.copy() for array in (layer.W, layer.b, first, H_bar)]
    values = layer.forward(first)
    stored = [array.copy() for array in values]
    layer.forward(second)  # two forwards in flight
    once, twice = layer.backward(values, H_bar), layer.backward(values, H_bar)
    for one, two in zip(once, twice, strict=True):
        assert np.array_equal(one, two)
    for array, before in zip((layer.W, layer.b, first, H_bar), kept, strict=True):
        assert np.array_equal(array, before)
    for array, before in zip(values, stored, strict=True):
        assert np.array_equal(array, before)
    assert vars(layer) == attributes


def test_the_arrays_that_were_passed_in_are_copied():
    mine = W.copy()
    layer = Layer(mine, b, "tanh")
    layer.W += 1
    assert np.array_equal(mine, W)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_floats_keep_their_dtype(dtype):
    layer = Layer(W.astype(dtype), b.astype(dtype), "tanh")
    values = layer.forward(np.ones((2, 4), dtype))
    bars = layer.backward(values, np.ones((3, 4), dtype))
    for array in (*values, *bars):
        assert array.dtype == dtype


def test_whole_numbers_become_floats():
    assert Layer([[1, 2]], [[0]], "identity").W.dtype == np.float64


def test_the_input_bar_is_left_out_on_request():
    layer = Layer(W, b, "tanh")
    values = layer.forward(np.ones((2, 4)))
    assert layer.backward(values, np.ones((3, 4)), input_bar=False).H_in_bar is None


VARIANCES = {
    "glorot_uniform": 2 / 500,
    "glorot_normal": 2 / 500,
    "he_uniform": 2 / 300,
    "he_normal": 2 / 300,
    "lecun_uniform": 1 / 300,
    "lecun_normal": 1 / 300,
    "zeros": 0,
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes_have_their_variance_and_range(scheme):
    layer = Layer.initialize(300, 200, "tanh", rng=np.random.default_rng(0), scheme=scheme, dtype=np.float64)
    assert layer.W.shape == (200, 300)
    assert np.array_equal(layer.b, np.zeros((200, 1)))
    variance = VARIANCES[scheme]
    np.testing.assert_allclose(layer.W.var(), variance, rtol=0.02)  # 60,000 draws: 1 % is two deviations
    np.testing.assert_allclose(layer.W.mean(), 0, atol=4 * np.sqrt(variance / 60_000))
    if scheme.endswith("uniform"):
        assert 0.999 < np.abs(layer.W).max() / np.sqrt(3 * variance) <= 1
    elif variance:
        assert np.abs(layer.W).max() > 3.5 * np.sqrt(variance)


def test_explicit_scales():
    rng = np.random.default_rng(0)
    uniform = Layer.initialize(300, 200, "tanh", rng=rng, scheme={"uniform": 0.5}).W
    assert 0.499 < np.abs(uniform).max() <= 0.5
    normal = Layer.initialize(300, 200, "tanh", rng=rng, scheme={"normal": 0.5}).W
    np.testing.assert_allclose(normal.std(), 0.5, rtol=0.02)


@pytest.mark.parametrize(
    "scheme", ["he", {"uniform": 0}, {"normal": -1}, {"normal": np.inf}, {"uniform": 1, "x": 2}, {}]
)
def test_bad_schemes_are_refused(scheme):
    with pytest.raises((TypeError, ValueError), match=r"scheme: unknown|scheme must be|must be a number > 0"):
        Layer.initialize(3, 2, "tanh", rng=np.random.default_rng(0), scheme=scheme)


def test_layers_of_no_size_are_refused():
    with pytest.raises(ValueError, match="n_in must be a whole number >= 1"):
        Layer.initialize(0, 2, "tanh", rng=np.random.default_rng(0))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_default_scheme_follows_the_activation(name):
    relatives_of_relu = {"relu", "leaky_relu", "elu", "softplus", "silu", "mish", "gelu"}
    expected = "he_normal" if name in relatives_of_relu else "glorot_uniform"
    expected = "lecun_normal" if name == "selu" else expected
    default = Layer.initialize(5, 4, name, rng=np.random.default_rng(3))
    named = Layer.initialize(5, 4, name, rng=np.random.default_rng(3), scheme=expected)
    assert np.array_equal(default.W, named.W)


def test_one_seed_is_one_network_in_every_precision():
    single, double = (Layer.initialize(5, 4, "relu", rng=np.random.default_rng(0), dtype=d) for d in ("f4", "f8"))
    assert single.W.dtype == np.float32
    assert np.array_equal(single.W, double.W.astype(np.float32))


def test_an_activation_of_ones_own_is_used_forward_and_backward():
    square = Activation("square", value=lambda A: A * A, slope=lambda A, H: 2 * A)
    layer = Layer(W, b, square)
    values = layer.forward([[1.0], [3.0]])
    assert np.array_equal(values.H, [[9], [121], [361]])  # A = (3, 11, 19)
    bars = layer.backward(values, np.array([[1.0], [0.0], [2.0]]))
    assert np.array_equal(bars.A_bar, [[6], [0], [76]])
    assert np.array_equal(bars.W_bar, [[6, 18], [0, 0], [76, 228]])

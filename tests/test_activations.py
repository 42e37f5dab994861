"""Activations: known values, extreme arguments, dtypes. Their slopes as derivatives are in test_gradients.py."""

import numpy as np
import pytest

from mlp import ACTIVATIONS, Activation

# g(1) and g'(1), g(-2) and g'(-2), in 20-digit arithmetic
KNOWN = {
    "identity": (1, 1, -2, 1),
    "logistic": (0.73105857863000487926, 0.19661193324148185, 0.11920292202211755594, 0.10499358540350651735),
    "tanh": (0.76159415595576488812, 0.41997434161402606940, -0.96402758007581688395, 0.070650824853164429),
    "relu": (1, 1, 0, 0),
    "leaky_relu": (1, 1, -0.02, 0.01),
    "elu": (1, 1, -0.86466471676338730811, 0.13533528323661269189),
    "selu": (1.0507009873554805, 1.0507009873554805, -1.520166468595695035137, 0.2379328722516818248026),
    "softplus": (1.3132616875182228, 0.73105857863000487926, 0.12692801104297249644, 0.11920292202211755594),
    "softsign": (0.5, 0.25, -2 / 3, 1 / 9),
    "silu": (0.73105857863000487926, 0.92767051187148673, -0.23840584404423511188, -0.090784248784895478757),
    "mish": (0.8650983882673103461162, 1.0490362200997921590863, -0.252501482695708863635, -0.108355092420393942833),
    "gelu": (0.84119199060827670478, 1.0829640838457825551, -0.045402305912224981219, -0.086099256623618381565),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_known_values(name):
    g = ACTIVATIONS[name]
    A = np.array([[1.0, -2.0]])
    H = g(A)
    (h1, h2), (s1, s2) = H[0], g.slope(A, H)[0]
    np.testing.assert_allclose((h1, s1, h2, s2), KNOWN[name], rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_extreme_arguments_are_finite_without_warnings_and_keep_the_dtype(name, dtype):
    g = ACTIVATIONS[name]
    A = np.array([[-1000, -100, -1, -1e-6, 0, 1e-6, 1, 100, 1000]]).astype(dtype)
    before = A.copy()
    H = g(A)
    S = g.slope(A, H)
    for array in (H, S):
        assert array.shape == A.shape
        assert array.dtype == dtype
        assert np.isfinite(array).all()
    assert np.array_equal(A, before)


@pytest.mark.parametrize("name", ["logistic", "softplus", "silu", "mish", "gelu"])
def test_left_tails_keep_their_relative_precision(name):
    a = -30.0
    wanted = {
        "logistic": 9.3576229688392989538e-14,
        "softplus": 9.3576229688397367741e-14,
        "silu": -2.8072868906517896862e-12,
        "mish": -2.8072868906519210338e-12,
        "gelu": 0.0,
    }[name]
    (found,) = ACTIVATIONS[name](np.array([[a]]))[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-14)


def test_an_activation_of_ones_own_is_two_functions():
    square = Activation("square", value=lambda A: A * A, slope=lambda A, H: 2 * A)
    A = np.array([[3.0]])
    assert square(A) == 9
    assert square.slope(A, square(A)) == 6

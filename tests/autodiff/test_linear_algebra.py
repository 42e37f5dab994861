"""Values of the operations of linear algebra, and the inputs that they refuse.

`test_operations` checks that the forward and reverse rules belong together and to the value, for all operations.
"""

import numpy as np
import pytest
from by_name import close, forward, value
from samples_linear_algebra import SAMPLES, symmetric

from mlp.autodiff import OPERATIONS


def power_series(A):
    """exp(A), term after term, for a norm so small that 60 of them are plenty."""
    term = C = np.eye(len(A))
    for n in range(1, 60):
        term = term @ A / n
        C = C + term
    return C


PLAIN = {
    "inverse": lambda A: np.linalg.solve(A, np.eye(len(A))),
    "solve": lambda A, B: np.linalg.inv(A) @ B,
    "determinant": lambda A: np.prod(np.linalg.eigvals(A)).real,
    "log_abs_determinant": lambda A: np.log(np.abs(np.linalg.eigvals(A))).sum(),
    "matrix_exponential": lambda A: np.linalg.matrix_power(power_series(A / 64), 64),
    "cholesky": np.linalg.cholesky,
}


@pytest.mark.parametrize("name", PLAIN)
def test_values_by_another_road(name):
    for number, sample in enumerate(SAMPLES[name]):
        inputs, options = sample(np.random.default_rng(number))
        close(value(name, *inputs, **options), PLAIN[name](*inputs, **options), 1e-11)


def test_exponentials_known_in_closed_form():
    close(value("matrix_exponential", np.array([[0.0, 1], [0, 0]])), [[1, 1], [0, 1]], 1e-15)
    close(value("matrix_exponential", np.zeros((3, 3))), np.eye(3), 0)
    angle = 40.0  # needs squarings
    turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    close(value("matrix_exponential", angle * np.array([[0.0, -1], [1, 0]])), turn)
    S = symmetric(5, shift=3.5)(np.random.default_rng(1))
    w, V = np.linalg.eigh(S)
    close(value("matrix_exponential", S), V * np.exp(w) @ V.T)


@pytest.mark.parametrize("size", [0.0, 1e-200, 1e200])
def test_the_exponential_rules_are_linear_whatever_the_size_of_the_dot(size):
    A, E = np.random.default_rng(2).normal(size=(2, 3, 3))
    E = -np.abs(E)
    E[0, 1] = 0  # the largest
    unit = forward("matrix_exponential", (E,), A)
    assert np.abs(unit).min() > 0
    np.testing.assert_allclose(forward("matrix_exponential", (size * E,), A), size * unit, rtol=1e-12)


SINGULAR = {
    "exactly": np.array([[1.0, 2, 0], [2, 4, 0], [0, 0, 1]]),
    "by rounding": np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]]),
    "nearly": np.diag([1.0, 1.0, 1e-16]),
    "zero": np.zeros((3, 3)),
}
B = np.arange(6.0).reshape(3, 2)
INVERTING = {
    "inverse": lambda A: (A,),
    "solve": lambda A: (A, B),
    "determinant": lambda A: (A,),
    "log_abs_determinant": lambda A: (A,),
    "solve_transposed": lambda A: (A, B),
    "solve_right": lambda A: (B.T, A),
    "trace_inverse": lambda A: (A,),
    "inverse_quadratic_form": lambda A: (B, A),
}


@pytest.mark.parametrize("A", SINGULAR.values(), ids=SINGULAR)
@pytest.mark.parametrize("name", INVERTING)
def test_singular_matrices_are_refused(name, A):
    operation = name if name in OPERATIONS else "(solve|inverse)"
    with pytest.raises(ValueError, match=f"^{operation}: the matrix is singular") as error:
        value(name, *INVERTING[name](A))
    assert type(error.value) is ValueError  # not its subclass LinAlgError


def test_a_triangle_may_be_singular_where_the_matrix_is_not():
    with pytest.raises(ValueError, match=r"^solve: the matrix is singular"):
        value("solve_triangular", np.array([[1.0, 5, 5], [1, 0, 5], [1, 1, 1]]), B)


@pytest.mark.parametrize("name", INVERTING)
def test_an_ill_conditioned_matrix_is_not_singular(name):
    A = np.diag([1.0, 1.0, 1e-14])  # N eps is 7e-16
    assert np.isfinite(value(name, *INVERTING[name](A))).all()


SQUARE_ONLY = ["inverse", "determinant", "log_abs_determinant", "trace", "matrix_exponential"]
SQUARE_ONLY += ["eigh", "eig", "cholesky"]


@pytest.mark.parametrize(
    "A", [np.ones((2, 3)), np.ones(3), np.ones((2, 2, 2)), np.ones((0, 0))], ids=lambda A: str(A.shape)
)
@pytest.mark.parametrize("name", SQUARE_ONLY)
def test_what_is_not_square_is_refused(name, A):
    with pytest.raises(ValueError, match=f"^{name}: expected a (square )?matrix, got shape"):
        value(name, A)


@pytest.mark.parametrize("shape", [(2, 3), (3, 3, 3)])
def test_shapes_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match=r"^solve: shapes .* do not fit in A\^-1 B"):
        value("solve", np.eye(3), np.ones(shape))


def test_log_abs_determinant_where_the_determinant_overflows():
    A = 1e3 * np.eye(200)
    A[0, 0] = -1e3
    np.testing.assert_allclose(value("log_abs_determinant", A), 600 * np.log(10), rtol=1e-14)

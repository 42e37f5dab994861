"""Functions that combine operations: their values and bars against the closed formulas of Giles and of the note.

`test_operations` checks that their dots and bars belong together and to the value.
"""

import numpy as np
import pytest
from by_name import close, equal, reverse, value
from samples_linear_algebra import COMPOSITIONS

import mlp.autodiff as ad
from mlp.autodiff import Graph

inv = np.linalg.inv

VALUES = {
    "tril": np.tril,
    "triu": np.triu,
    "mean": np.mean,
    "vec": lambda A: A.reshape((-1, 1), order="F"),
    "transposed_product": lambda A, B: np.einsum("ki,kj->ij", A, B),
    "bilinear_form": lambda X, A, Y: np.tensordot(np.tensordot(X, A, (0, 0)), Y, (-1, 0)),
    "quadratic_form": lambda B, A: np.tensordot(np.tensordot(B, A, (0, 0)), B, (-1, 0)),
    "inverse_quadratic_form": lambda B, A: np.tensordot(np.tensordot(B, inv(A), (0, 0)), B, (-1, 0)),
    "solve_transposed": lambda A, B: inv(A).T @ B,
    "solve_right": lambda B, A: B @ inv(A),
    "solve_triangular": lambda L, B: inv(np.where(np.tri(len(L)) > 0, L, 0)) @ B,
    "trace_product": lambda A, B: np.trace(A.T @ B),
    "trace_matrix_product": lambda A, B: np.trace(A @ B),
    "trace_quadratic_form": lambda B, A: np.trace(B.T @ A @ B),
    "trace_inverse": lambda A: (1 / np.linalg.eigvals(A)).sum().real,
    "squared_frobenius_norm": lambda A: np.linalg.norm(A) ** 2,
    "frobenius_norm": np.linalg.norm,
    "matrix_polynomial": lambda A, coefficients: sum(
        a * np.linalg.matrix_power(A, n) for n, a in enumerate(coefficients)
    ),
    "eigenvalues": lambda A: np.sort(np.linalg.eigvals(A).real),
    "eigenvalues_symmetric": np.linalg.eigvalsh,
    "singular_values": lambda A: np.linalg.svd(A)[1],
    "spectral_norm": lambda A: np.linalg.norm(A, 2),
    "nuclear_norm": lambda A: np.linalg.norm(A, "nuc"),
}


def columns(*arrays):
    """Vectors as the columns that they stand for."""
    return [array.reshape(len(array), -1) for array in arrays]


def bilinear_form(C_bar, X, A, Y):
    """X_bar = A Y C_bar^T, A_bar = X C_bar Y^T, Y_bar = A^T X C_bar (note, Check your understanding)."""
    x, y = columns(X, Y)
    C_bar = np.reshape(C_bar, (x.shape[1], y.shape[1]))
    return A @ y @ C_bar.T, x @ C_bar @ y.T, A.T @ x @ C_bar


def quadratic_form(C_bar, B, A):
    """B_bar = A B C_bar^T + A^T B C_bar, A_bar = B C_bar B^T (Giles 2008, sec. 2.3.2)."""
    left, A_bar, right = bilinear_form(C_bar, B, A, B)
    return left + right, A_bar


def inverse_quadratic_form(C_bar, B, A):
    """X = A^-1 B, Y = A^-T B: B_bar = X C_bar^T + Y C_bar, A_bar = -Y C_bar X^T (Giles 2008, sec. 2.3.3)."""
    (b,) = columns(B)
    X, Y, C_bar = inv(A) @ b, inv(A).T @ b, np.reshape(C_bar, (b.shape[1], b.shape[1]))
    return X @ C_bar.T + Y @ C_bar, -Y @ C_bar @ X.T


def solve_transposed(C_bar, A, B):
    """B_bar = A^-1 C_bar, A_bar = -C B_bar^T (Giles 2008, sec. 2.3.1, for A^T)."""
    b, C_bar = columns(B, C_bar)
    return -inv(A).T @ b @ C_bar.T @ inv(A).T, inv(A) @ C_bar


def solve_triangular(C_bar, L, B):
    """B_bar = L^-T C_bar, L_bar = -tril(B_bar C^T) (Giles 2008, sec. 2.3.1, for the elements that are read)."""
    L, (b, C_bar) = np.tril(L), columns(B, C_bar)
    B_bar = inv(L).T @ C_bar
    return -np.tril(B_bar @ (inv(L) @ b).T), B_bar


def matrix_polynomial(C_bar, A, coefficients):
    """A_bar = sum over n of a_n times the sum over k < n of (A^T)^k C_bar (A^T)^(n-1-k) (Giles 2008, sec. 2.3.4)."""
    power = np.linalg.matrix_power
    terms = [a * power(A.T, k) @ C_bar @ power(A.T, n - 1 - k) for n, a in enumerate(coefficients) for k in range(n)]
    return (sum(terms),)


def spectral_norm(c_bar, A):
    """A_bar = c_bar u v^T of the largest singular value's vectors (Giles 2008, sec. 5.2)."""
    return singular_values(c_bar * np.eye(min(A.shape))[0], A)


def nuclear_norm(c_bar, A):
    """A_bar = c_bar U V^T (Giles 2008, sec. 3.2, with every s_bar = c_bar)."""
    return singular_values(c_bar * np.ones(min(A.shape)), A)


def eigenvalues(d_bar, A):
    """A_bar = U^-T diag(d_bar) U^T (Giles 2008, sec. 3.1)."""
    d, U = np.linalg.eig(A)
    U = U.real[:, np.argsort(d.real)]
    return (inv(U).T * d_bar @ U.T,)


def eigenvalues_symmetric(w_bar, S):
    """S_bar = V diag(w_bar) V^T (Giles 2008, sec. 3.1)."""
    V = np.linalg.eigh(S)[1]
    return (V * w_bar @ V.T,)


def singular_values(s_bar, A):
    """A_bar = U diag(s_bar) V^T (Giles 2008, sec. 3.2)."""
    U, _, Vt = np.linalg.svd(A, full_matrices=False)
    return (U * s_bar @ Vt,)


def mean(C_bar, A, axis=None, keepdims=False):
    """A_bar = C_bar 1^T / n, n the number of elements in a mean."""
    C_bar = np.reshape(C_bar, np.mean(A, axis, keepdims=True).shape)
    return (np.ones(A.shape) * C_bar * C_bar.size / A.size,)


BARS = {
    "tril": lambda C_bar, A, k=0: (np.tril(C_bar, k),),  # note, masking
    "triu": lambda C_bar, A, k=0: (np.triu(C_bar, k),),
    "mean": mean,
    "vec": lambda C_bar, A: (C_bar.reshape(A.shape, order="F"),),
    "transposed_product": lambda C_bar, A, B: (B @ C_bar.T, A @ C_bar),  # note, Check your understanding
    "bilinear_form": bilinear_form,
    "quadratic_form": quadratic_form,
    "inverse_quadratic_form": inverse_quadratic_form,
    "solve_transposed": solve_transposed,
    "solve_right": lambda C_bar, B, A: (C_bar @ inv(A).T, -(inv(A).T @ B.T) @ (C_bar @ inv(A).T)),  # Giles 2.3.1
    "solve_triangular": solve_triangular,
    "trace_product": lambda c_bar, A, B: (c_bar * B, c_bar * A),  # this and all traces: Giles 2008, sec. 2.1 and 2.2
    "trace_matrix_product": lambda c_bar, A, B: (c_bar * B.T, c_bar * A.T),
    "trace_quadratic_form": lambda c_bar, B, A: (c_bar * (A + A.T) @ B, c_bar * B @ B.T),
    "trace_inverse": lambda c_bar, A: (-c_bar * (inv(A) @ inv(A)).T,),
    "squared_frobenius_norm": lambda c_bar, A: (2 * c_bar * A,),
    "frobenius_norm": lambda c_bar, A: (c_bar * A / np.linalg.norm(A),),  # Giles 2008, sec. 5.1
    "matrix_polynomial": matrix_polynomial,
    "eigenvalues": eigenvalues,
    "eigenvalues_symmetric": eigenvalues_symmetric,
    "singular_values": singular_values,
    "spectral_norm": spectral_norm,
    "nuclear_norm": nuclear_norm,
}

each_sample = pytest.mark.parametrize(
    ("name", "make"),
    [pytest.param(name, make, id=f"{name}-{k}") for name in COMPOSITIONS for k, make in enumerate(COMPOSITIONS[name])],
)


def test_every_composition_has_its_formulas():
    assert VALUES.keys() == BARS.keys() == COMPOSITIONS.keys()


@each_sample
def test_values_by_another_road(name, make):
    inputs, options = make(np.random.default_rng(1))
    wanted = VALUES[name](*inputs, **options)
    close(value(name, *inputs, **options), wanted, 1e-11)
    on_nodes = getattr(ad, name)(*map(Graph().input, inputs), **options)
    assert on_nodes.shape == np.shape(value(name, *inputs, **options))
    close(on_nodes.value, wanted, 1e-11)


@each_sample
def test_bars_by_closed_formulas(name, make):
    rng = np.random.default_rng(1)
    inputs, options = make(rng)
    C_bar = rng.normal(size=np.shape(value(name, *inputs, **options)))
    bars = reverse(name, C_bar, *inputs, **options)
    for found, wanted, A in zip(bars, BARS[name](C_bar, *inputs, **options), inputs, strict=True):
        assert np.shape(found) == A.shape
        close(found, np.reshape(wanted, A.shape), 1e-11)


def bars_of(C, C_bar, *nodes):
    bars = ad.reverse_mode(C, C_bar)
    return [bars[node] for node in nodes]


@pytest.mark.parametrize("shape", [(3,), (3, 1)], ids=["vectors", "columns"])
def test_quadratic_forms_in_integers(shape):
    """c = x^T A y, and x^T A x, where x is one node that is used twice."""
    graph = Graph()
    x, y = graph.input(np.reshape([1, -2, 3], shape)), graph.input(np.reshape([2, 0, -1], shape))
    A, c_bar = graph.input([[1, 2, 0], [3, -1, 4], [2, 5, -3]]), np.ones(shape[1:] * 2)
    c = ad.bilinear_form(x, A, y)
    assert c.value == 19
    x_bar, A_bar, y_bar = bars_of(c, c_bar, x, A, y)
    equal([x_bar.ravel(), A_bar, y_bar.ravel()], [2, 2, 7], [[2, 0, -1], [-4, 0, 2], [6, 0, -3]], [1, 19, -17])
    c = ad.quadratic_form(x, A)
    assert c.value == -88
    x_bar, A_bar = bars_of(c, c_bar, x, A)
    equal([x_bar.ravel(), A_bar], [-2, 36, -34], [[1, -2, 3], [-2, 4, -6], [3, -6, 9]])


def test_a_constant_polynomial_has_no_slope():
    rng = np.random.default_rng(0)
    A = Graph().input(rng.normal(size=(3, 3)))
    C = ad.matrix_polynomial(A, (2.0,))
    equal([C.value, *bars_of(C, rng.normal(size=(3, 3)), A)], 2 * np.eye(3), np.zeros((3, 3)))
    with pytest.raises(ValueError, match="at least one coefficient"):
        ad.matrix_polynomial(A, ())
    with pytest.raises(ValueError, match=r"^matrix_polynomial: expected a square matrix, got shape \(2, 3\)"):
        ad.matrix_polynomial(np.ones((2, 3)), (1.0,))


def test_the_frobenius_norm_at_its_ends():
    with pytest.raises(ValueError, match=r"^frobenius_norm: the matrix is 0"):
        ad.frobenius_norm(np.zeros((2, 3)))
    for size in (1e-200, 1e200):  # squares would vanish or overflow
        A = Graph().input(size * np.array([[-3.0, 0], [0, -4]]))
        c = ad.frobenius_norm(A)
        np.testing.assert_allclose(c.value, 5 * size, rtol=1e-15)
        (A_bar,) = bars_of(c, 1.0, A)
        close(A_bar, [[-0.6, 0], [0, -0.8]], 1e-15)


def test_norms_made_of_singular_values():
    def norm_and_bar(norm, A, c_bar):
        node = Graph().input(A)
        c = norm(node)
        return c.value, *bars_of(c, c_bar, node)

    c, A_bar = norm_and_bar(ad.nuclear_norm, 2 * np.eye(3), 0.5)
    assert c == 6
    close(A_bar, 0.5 * np.eye(3))  # equal singular values do no harm
    c, A_bar = norm_and_bar(ad.spectral_norm, np.array([[3.0, 0], [0, 5], [0, 0]]), 2.0)
    assert c == 5
    close(A_bar, [[0, 0], [0, 2], [0, 0]])
    c, A_bar = norm_and_bar(ad.spectral_norm, np.diag([3.0, 1, 1]), 1.0)  # nor do they below the largest
    assert c == 3
    close(A_bar, np.diag([1, 0, 0]))
    flat = np.array([[1.0, 2], [2, 4], [3, 6]])  # a singular value of 0 does not harm the largest
    c, A_bar = norm_and_bar(ad.spectral_norm, flat, 1.0)
    close(c, np.sqrt(70))
    close(A_bar, flat / np.sqrt(70))
    with pytest.raises(ValueError, match="singular value 1 is 0"):
        norm_and_bar(ad.nuclear_norm, flat, 1.0)
    for A in (np.eye(2), np.zeros((2, 3))):
        with pytest.raises(ValueError, match=r"singular values 0 and 1 are equal|singular value 0 is 0"):
            norm_and_bar(ad.spectral_norm, A, 1.0)


@pytest.mark.parametrize("kind", ["arrays", "nodes"])
@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("solve_transposed", [(3, 3), (2,)]),
        ("solve_right", [(3, 2), (3, 3)]),
        ("solve_triangular", [(3, 3), (2, 2)]),
        ("transposed_product", [(3, 2), (2, 3)]),
        ("bilinear_form", [(3,), (2, 3), (3,)]),
        ("quadratic_form", [(2, 3), (3, 3)]),
        ("inverse_quadratic_form", [(2,), (3, 3)]),
        ("trace_product", [(2, 3), (3, 2)]),
        ("trace_product", [(2, 3), (1, 3)]),
        ("trace_matrix_product", [(2, 3), (2, 3)]),
        ("trace_quadratic_form", [(2, 3), (3, 3)]),
        ("trace_quadratic_form", [(3, 2), (1, 3)]),
        ("trace_inverse", [(2, 3)]),
        ("tril", [(3,)]),
        ("triu", [(2, 3, 3)]),
    ],
)
def test_shapes_that_do_not_fit_are_refused(name, shapes, kind):
    arrays = [np.ones(shape) + (np.eye(*shape) if len(shape) == 2 else 0) for shape in shapes]
    graph = Graph()
    with pytest.raises(ValueError, match=r"shape|mismatch"):
        getattr(ad, name)(*(map(graph.input, arrays) if kind == "nodes" else arrays))

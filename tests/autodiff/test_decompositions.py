"""Eigenvalues, singular values and their vectors: values, signs, the symmetric S_bar, and missing derivatives.

`test_operations` checks that the forward and reverse rules belong together and to the value, for all operations.
"""

import numpy as np
import pytest
from by_name import close, forward, reverse, value
from samples_linear_algebra import rectangular, symmetric

from mlp.autodiff.operation import inner


def test_eigh_reassembles_in_ascending_order():
    S = symmetric(5, shift=3.5)(np.random.default_rng(4))
    w, V = value("eigh", S)
    assert (np.diff(w) > 0).all()
    assert w[0] < 0 < w[-1]
    close(V * w @ V.T, S)
    close(V.T @ V, np.eye(5))


def test_signs_of_eigenvectors_do_not_depend_on_rounding():
    half = np.sqrt(0.5)
    for noise in (-1e-15, 0, 1e-15):  # the components of both eigenvectors tie, (1, -1) and (1, 1)
        close(value("eigh", np.array([[2.0 + noise, 1], [1, 2]]))[1], [[half, half], [-half, half]])
        close(value("eig", np.array([[2.0, 1], [1, 2 + noise]]))[1], [[half, half], [-half, half]])
        U, _, V = value("svd", np.array([[2.0 + noise, 1], [1, 2]]))
        close(U, [[half, half], [half, -half]])
        close(V, [[half, half], [half, -half]])


def w_reverse(w_bar, S):
    """S_bar where V has no bar."""
    return reverse("eigh", (np.array(w_bar), np.zeros(S.shape)), S)[0]


def s_reverse(s_bar, A):
    """A_bar where U and V have no bar."""
    U, _, V = value("svd", A)
    return reverse("svd", (np.zeros(U.shape), np.array(s_bar), np.zeros(V.shape)), A)[0]


def test_the_bar_of_a_symmetric_matrix_is_symmetric_and_counts_every_element():
    """S = [[a, b], [b, d]]: the larger eigenvalue moves by 2 S_bar_12 with b, which is in S twice."""
    a, b, d = 2.0, 1.0, 3.0
    S, root = np.array([[a, b], [b, d]]), np.sqrt((a - d) ** 2 + 4 * b * b)
    by_a, by_b, by_d = (1 + (a - d) / root) / 2, 2 * b / root, (1 - (a - d) / root) / 2
    wanted = [[by_a, by_b / 2], [by_b / 2, by_d]]
    close(w_reverse([0.0, 1], S), wanted)


def test_of_a_dot_that_is_not_symmetric_the_symmetric_part_counts():
    rng = np.random.default_rng(6)
    S, (S_dot, V_bar), w_bar = symmetric(4)(rng), rng.normal(size=(2, 4, 4)), rng.normal(size=4)
    for C_bar in ((w_bar, V_bar), (w_bar, 0 * V_bar)):
        (S_bar,) = reverse("eigh", C_bar, S)
        close(S_bar, S_bar.T, 1e-15)
        close(inner(S_bar, S_dot), inner(C_bar, forward("eigh", (S_dot,), S)))
        close(inner(S_bar, S_dot), inner(C_bar, forward("eigh", ((S_dot + S_dot.T) / 2,), S)))


@pytest.mark.parametrize("name", ["eigh", "cholesky"])
def test_what_is_not_symmetric_is_refused(name):
    S = symmetric(4)(np.random.default_rng(7))
    S[2, 1] += 1e-6
    with pytest.raises(ValueError, match=rf"^{name}: the matrix is not symmetric, S\[1,2\] is .* and S\[2,1\]"):
        value(name, S)
    close(value("eigh", np.array([[-2.0, -1], [-1, -2]]))[0], [-3, -1])  # without a positive element


@pytest.mark.parametrize("name", ["eigh", "eig", "svd"])
def test_what_is_not_real_is_refused(name):
    with pytest.raises(ValueError, match=f"^{name}: expected a real matrix"):
        value(name, np.diag([1.0, 2]) + 0j)


def turned(*values, seed=8):
    """A symmetric matrix with these eigenvalues, which rounding has gone over."""
    Q = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))[0]
    S = Q * np.array(values) @ Q.T
    return (S + S.T) / 2


@pytest.mark.parametrize("S", [turned(1.0, 2, 2, 4), np.diag([1.0, 2, 2, 4])], ids=["turned", "diagonal"])
def test_repeated_eigenvalues_have_no_eigenvectors_to_differentiate(S):
    equal = r"1 and 2 are equal .*\((2|1.9999).* and (2|1.9999)"
    with pytest.raises(ValueError, match=rf"^eig: .*({equal}|2 \+- )"):
        value("eig", S)
    with pytest.raises(ValueError, match=f"^eigh: .*{equal}"):
        reverse("eigh", (np.ones(4), np.eye(4)), S)
    with pytest.raises(ValueError, match=f"^eigh: .*{equal}"):
        forward("eigh", (S,), S)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_double_eigenvalue_is_found_whatever_rounding_did_to_it(sign):
    for seed in range(50):
        S = sign * turned(2.0, 2, 1, seed=seed)
        with pytest.raises(ValueError, match="are equal to working precision"):
            forward("eigh", (S,), S)


def test_a_single_eigenvalue_may_be_asked_for_where_it_is_simple():
    S = turned(1.0, 2, 2, 4)
    w = value("eigh", S)[0]
    close(w, [1, 2, 2, 4])
    V = np.linalg.eigh(S)[1]
    close(w_reverse([0.0, 0, 0, 1], S), np.outer(V[:, 3], V[:, 3]))
    close(w_reverse(2 * w, S), 2 * S)  # of sum w^2 = tr S^2
    close(w_reverse(-w, S), -S)
    for w_bar in ([0.0, 1, 0, 0], [0.0, 1, 1.0001, 0]):
        with pytest.raises(ValueError, match="eigenvalues 1 and 2 are equal"):
            w_reverse(w_bar, S)


def test_eig_solves_its_equation_with_vectors_of_length_1():
    A = np.array([[1.0, 2, 0], [0, 3, 1], [0, 0, -2]])
    d, U = value("eig", A)
    close(d, [-2, 1, 3])
    close(A @ U, U * d)
    close((U * U).sum(axis=0), np.ones(3))


def test_eigenvalues_that_are_not_real_are_refused():
    with pytest.raises(ValueError, match=r"^eig: the eigenvalues 0 \+- 1i are complex"):
        value("eig", np.array([[0.0, -1], [1, 0]]))


@pytest.mark.parametrize("seed", range(10))
def test_a_defective_matrix_is_refused_even_if_rounding_parts_its_eigenvalues(seed):
    X = np.random.default_rng(seed).normal(size=(3, 3))
    jordan = np.array([[1.0, 1, 0], [0, 1, 0], [0, 0, 3]])
    with pytest.raises(ValueError, match=r"^eig: .*(are equal|are complex)"):
        value("eig", X @ jordan @ np.linalg.inv(X))


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (3, 3)])
def test_svd_reassembles(shape):
    A = rectangular(*shape)(np.random.default_rng(9))
    U, s, V = value("svd", A)
    assert (U.shape, s.shape, V.shape) == ((shape[0], 3), (3,), (shape[1], 3))
    assert (np.diff(s) < 0).all()
    close(U * s @ V.T, A)
    close(U.T @ U, np.eye(3))
    close(V.T @ V, np.eye(3))


def test_repeated_and_zero_singular_values():
    twice = np.array([[0.0, 2, 0, 0], [-2, 0, 0, 0], [0, 0, 1, 0]])  # singular values 2, 2, 1
    flat = np.array([[1.0, 2], [2, 4], [3, 6]])
    for A, message in ((twice, r"singular values 0 and 1 are equal .*\(2 and 2\)"), (flat, "singular value 1 is 0 to")):
        U, s, V = value("svd", A)
        for U_bar, V_bar in ((np.ones(U.shape), np.zeros(V.shape)), (np.zeros(U.shape), np.ones(V.shape))):
            with pytest.raises(ValueError, match=f"^svd: {message}"):
                reverse("svd", (U_bar, np.zeros(s.shape), V_bar), A)
        with pytest.raises(ValueError, match=f"^svd: {message}"):
            forward("svd", (A,), A)
        with pytest.raises(ValueError, match=f"^svd: {message}"):
            s_reverse(np.arange(1.0, 1 + len(s)), A)

    s = value("svd", twice)[1]
    close(s, [2, 2, 1])
    close(s_reverse(2 * s, twice), 2 * twice)  # of sum s^2 = |A|_F^2
    close(value("svd", flat)[1], [np.sqrt(70), 0])
    close(s_reverse([2.0, 0], flat), 2 * flat / np.sqrt(70))  # the 0 has no part in this

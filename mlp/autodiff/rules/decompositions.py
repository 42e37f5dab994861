"""Eigenvalues and eigenvectors, of symmetric matrices and of those with distinct real eigenvalues.

A derivative needs a function, so order, length and sign are fixed. Eigenvalues ascend. Eigenvectors have length 1, and
their first component of at least 0.4 times the largest one is positive. (The largest itself often ties with another,
as in (1, -1), and rounding would choose the sign.) Complex matrices are refused: LAPACK conjugates, and a complex step
would lose the derivative.

Eigenvectors of a repeated eigenvalue are no function of the matrix: the rules divide by a difference of eigenvalues.
Two that agree to 10 N eps times the largest one are refused, with a ValueError that names them.
"""

from __future__ import annotations

import numpy as np

from mlp.autodiff.operation import Array, Dots, Operation
from mlp.autodiff.rules.preconditions import distinct, is_real, is_square, precision, symmetric

Pair = tuple[Array, Array]


def signs(V: Array) -> Array:
    """+1 or -1 for each column of V: the sign of its first component of at least 0.4 times the largest magnitude."""
    magnitudes = np.abs(V)
    first = np.argmax(magnitudes >= 0.4 * magnitudes.max(axis=0), axis=0)
    return np.where(V[first, np.arange(V.shape[1])] < 0, -1, 1).astype(V.dtype)


def reciprocal_differences(w: Array) -> Array:
    """F_ij = 1/(w_j - w_i), F_ii = 0."""
    differences = w - w[:, np.newaxis]
    np.fill_diagonal(differences, np.inf)
    return 1 / differences


def repeated_line(w: Array, A: Array) -> float:
    """Eigenvalues or singular values w of A that are closer than this are equal to working precision."""
    return float(10 * precision(A) * np.abs(w).max())


def eigh(S: Array) -> Pair:
    """(w, V) of symmetric S = V diag(w) V^T, V^T V = I; S and V N x N, w (N,), one eigenvector a column of V.

    With F_ij = 1/(w_j - w_i) and F_ii = 0 (Giles 2008, sec. 3.1, U^-1 = V^T):
    w_dot = diag(V^T S_dot V), V_dot = V (F o V^T S_dot V), and S_bar is the symmetric part of
    V (diag(w_bar) + F o V^T V_bar) V^T. Symmetric: <S_bar, S_dot> over ALL i, j is the change of the output.

    Raises ValueError for S that is not symmetric. The value is given for repeated eigenvalues too. The forward rule
    refuses them. The reverse rule does so where V has a bar, or where their w_bar differ by more than 1e-6 of the
    largest: each eigenvalue has a kink where it meets another, but a function that treats them alike, such as the sum
    of f(w_i), has none."""
    is_real("eigh", S)
    w, V = np.linalg.eigh(symmetric("eigh", S))
    return w, V * signs(V)


def eigh_forward(dots: Dots, C: Pair, S: Array) -> Pair:
    (S_dot,), (w, V) = dots, C
    distinct("eigh", "eigenvalues", w, repeated_line(w, S))
    P = V.T @ ((S_dot + S_dot.T) / 2) @ V
    return np.diag(P).copy(), V @ (reciprocal_differences(w) * P)


def eigh_reverse(C_bar: Pair, C: Pair, S: Array) -> Dots:
    (w_bar, V_bar), (w, V) = C_bar, C
    if not V_bar.any():
        distinct("eigh", "eigenvalues", w, repeated_line(w, S), w_bar)
        return (V * w_bar @ V.T,)
    distinct("eigh", "eigenvalues", w, repeated_line(w, S))
    S_bar = V @ (np.diag(w_bar) + reciprocal_differences(w) * (V.T @ V_bar)) @ V.T
    return ((S_bar + S_bar.T) / 2,)


def eig(A: Array) -> Pair:
    """(d, U) of A = U diag(d) U^-1 for real A, N x N, whose eigenvalues are real and distinct; d (N,) ascending.

    With F_ij = 1/(d_j - d_i) and F_ii = 0, Giles 2008, sec. 3.1 has d_dot = diag(U^-1 A_dot U) and U_dot = U (F o
    U^-1 A_dot U), which leaves the length of the columns u free. To keep them at 1, the change along u is taken out
    (Boeddeker et al. 2017, arXiv 1701.00392, eq. 4.77): u_dot -= u (u^T u_dot), so u_bar -= u (u^T u_bar) before
    A_bar = U^-T (diag(d_bar) + F o U^T U_bar) U^T.

    Raises ValueError for complex eigenvalues, and for two that are closer than 10 N eps |A| |U| |U^-1|: how far
    rounding may move them (theorem of Bauer and Fike)."""
    is_square("eig", A)
    is_real("eig", A)
    d, U = np.linalg.eig(A)  # complex from NumPy 2.5 on; before that, only where an eigenvalue is
    if d.imag.any():
        one = d[np.argmax(d.imag)]
        raise ValueError(
            f"eig: the eigenvalues {one.real:.6g} +- {one.imag:.6g}i are complex (or a double one, and rounding)"
        )
    order = np.argsort(d.real)
    d, U = d.real[order], U.real[:, order]
    distinct("eig", "eigenvalues", d, 10 * precision(A) * np.linalg.norm(A, 2) * np.linalg.cond(U))
    return d, U * signs(U)


def eig_forward(dots: Dots, C: Pair, A: Array) -> Pair:
    (A_dot,), (d, U) = dots, C
    Q = np.linalg.solve(U, A_dot @ U)
    U_dot = U @ (reciprocal_differences(d) * Q)
    return np.diag(Q).copy(), U_dot - U * np.sum(U * U_dot, axis=0)


def eig_reverse(C_bar: Pair, C: Pair, A: Array) -> Dots:
    (d_bar, U_bar), (d, U) = C_bar, C
    U_bar = U_bar - U * np.sum(U * U_bar, axis=0)
    return (np.linalg.solve(U.T, (np.diag(d_bar) + reciprocal_differences(d) * (U.T @ U_bar)) @ U.T),)


OPERATIONS = (
    Operation("eigh", eigh, eigh_forward, eigh_reverse, "Giles 2008, sec. 3.1, for symmetric S"),
    Operation("eig", eig, eig_forward, eig_reverse, "Giles 2008, sec. 3.1; Boeddeker et al. 2017, eq. 4.77"),
)

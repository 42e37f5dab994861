"""Eigenvalues and eigenvectors, of symmetric matrices and of those with distinct real eigenvalues.

A derivative needs a function, so order, length and sign are fixed. Eigenvalues ascend. Eigenvectors have length 1, and
their first component of at least 0.4 times the largest one is positive. (The largest itself often ties with another,
as in (1, -1), and rounding would choose the sign.) Eigenvectors of a repeated eigenvalue are no function of the matrix:
the rule divides by a difference of eigenvalues. They are refused, with a ValueError that names the two eigenvalues,
when these agree to 10 N eps times the largest one.

S_bar of a symmetric matrix is in the symmetric convention: S_bar = S_bar^T, and <S_bar, S_dot> over ALL i, j is the
change of the output. The operations see (S + S^T)/2 alone. S that is not symmetric is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp.autodiff.operation import Array, Dots, Operation
from mlp.autodiff.rules.preconditions import distinct, is_square, precision, symmetric

SWEEPS = 12  # of Jacobi's method: more than its quadratic convergence needs


def signs(V: Array) -> Array:
    """+1 or -1 for each column of V: the sign of its first component of at least 0.4 times the largest magnitude."""
    magnitudes = np.abs(V.real)
    first = np.argmax(magnitudes >= 0.4 * magnitudes.max(axis=0), axis=0)
    return np.where(V.real[first, np.arange(V.shape[1])] < 0, -1, 1).astype(V.real.dtype)


def reciprocal_differences(w: Array) -> Array:
    """F_ij = 1/(w_j - w_i), F_ii = 0."""
    differences = w - w[:, np.newaxis]
    np.fill_diagonal(differences, 1)
    F = 1 / differences
    np.fill_diagonal(F, 0)
    return F


def jacobi(S: Array) -> tuple[Array, Array]:
    """w, V with S = V diag(w) V^T and V^T V = I for complex symmetric S = S^T close to a real one, as a complex step
    needs them. LAPACK has them for Hermitian S only, where conjugation loses the derivative.

    Jacobi's method (Golub and Van Loan, sec. 8.5): rotations J = [[c, s], [-s, c]], c^2 + s^2 = 1, that make
    S_pq = 0 one pair after another."""
    S, V = S.copy(), np.eye(len(S), dtype=S.dtype)
    for _ in range(SWEEPS):
        for p, q in zip(*np.triu_indices(len(S), 1), strict=True):
            if S[p, q] == 0:
                continue
            gap = S[q, q] - S[p, p]
            t = 2 * S[p, q] / (gap + np.copysign(1, gap.real) * np.sqrt(gap * gap + 4 * S[p, q] * S[p, q]))
            c = 1 / np.sqrt(1 + t * t)
            J = np.array([[c, t * c], [-t * c, c]])
            S[:, [p, q]] = S[:, [p, q]] @ J
            S[[p, q]] = J.T @ S[[p, q]]
            V[:, [p, q]] = V[:, [p, q]] @ J
    order = np.argsort(np.diag(S).real)
    return np.diag(S)[order], V[:, order]


def symmetric_eigen(name: str, S: Array) -> tuple[Array, Array]:
    """w ascending and V of (S + S^T)/2, also with repeated eigenvalues."""
    S = symmetric(name, S)
    w, V = jacobi(S) if np.iscomplexobj(S) else np.linalg.eigh(S)
    return w, V * signs(V)


def repeated_line(w: Array, A: Array) -> Any:
    """Eigenvalues or singular values w of A that are closer than this are equal to working precision."""
    return 10 * precision(A) * np.abs(w).max()


def eigh(S: Array) -> tuple[Array, Array]:
    """(w, V) of symmetric S = V diag(w) V^T, V^T V = I; S and V N x N, w (N,), one eigenvector a column of V.

    With F_ij = 1/(w_j - w_i) and F_ii = 0 (Giles 2008, sec. 3.1, U^-1 = V^T):
    w_dot = diag(V^T S_dot V), V_dot = V (F o V^T S_dot V), and S_bar is the symmetric part of
    V (diag(w_bar) + F o V^T V_bar) V^T. Order, signs and what is refused: see the module."""
    w, V = symmetric_eigen("eigh", S)
    distinct("eigh", "eigenvalues", w.real, repeated_line(w, S))
    return w, V


def eigh_forward(dots: Dots, C: tuple[Array, Array], S: Array) -> tuple[Array, Array]:
    (S_dot,), (w, V) = dots, C
    P = V.T @ ((S_dot + S_dot.T) / 2) @ V
    return np.diag(P).copy(), V @ (reciprocal_differences(w) * P)


def eigh_reverse(C_bar: tuple[Array, Array], C: tuple[Array, Array], S: Array) -> Dots:
    (w_bar, V_bar), (w, V) = C_bar, C
    S_bar = V @ (np.diag(w_bar) + reciprocal_differences(w) * (V.T @ V_bar)) @ V.T
    return ((S_bar + S_bar.T) / 2,)


def eigenvalues_symmetric(S: Array) -> Array:
    """w (N,), the ascending eigenvalues of symmetric S. w_dot = diag(V^T S_dot V), S_bar = V diag(w_bar) V^T (Giles
    2008, sec. 3.1).

    Each eigenvalue has a kink where it meets another. A function that treats them alike, such as the sum of f(w_i), has
    none, and S_bar is right there whichever eigenvectors V has. So the value is given for repeated eigenvalues too. The
    forward rule refuses them; the reverse rule does only where their w_bar differ by more than 1e-6 of the largest."""
    return symmetric_eigen("eigenvalues_symmetric", S)[0]


def eigenvalues_symmetric_forward(dots: Dots, w: Array, S: Array) -> Array:
    (S_dot,) = dots
    distinct("eigenvalues_symmetric", "eigenvalues", w, repeated_line(w, S))
    _, V = symmetric_eigen("eigenvalues_symmetric", S)
    return np.sum(V * (S_dot @ V), axis=0)  # v^T S_dot v sees the symmetric part alone


def eigenvalues_symmetric_reverse(w_bar: Array, w: Array, S: Array) -> Dots:
    distinct("eigenvalues_symmetric", "eigenvalues", w, repeated_line(w, S), w_bar)
    _, V = symmetric_eigen("eigenvalues_symmetric", S)
    return (V * w_bar @ V.T,)


def eig(A: Array) -> tuple[Array, Array]:
    """(d, U) of A = U diag(d) U^-1 for real A, N x N, whose eigenvalues are real and distinct; d (N,) ascending.

    With F_ij = 1/(d_j - d_i) and F_ii = 0, Giles 2008, sec. 3.1 has d_dot = diag(U^-1 A_dot U) and U_dot = U (F o
    U^-1 A_dot U), which leaves the length of the columns u free. To keep them at 1, the change along u is taken out
    (Boeddeker et al. 2017, arXiv 1701.00392, eq. 4.77): u_dot -= u (u^T u_dot), so u_bar -= u (u^T u_bar) before
    A_bar = U^-T (diag(d_bar) + F o U^T U_bar) U^T.

    Raises ValueError for complex eigenvalues, complex A, and two eigenvalues closer than 10 N eps |A| |U| |U^-1|: how
    far rounding may move them (theorem of Bauer and Fike)."""
    is_square("eig", A)
    if np.iscomplexobj(A):
        raise ValueError("eig: expected a real matrix")
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


def eig_forward(dots: Dots, C: tuple[Array, Array], A: Array) -> tuple[Array, Array]:
    (A_dot,), (d, U) = dots, C
    Q = np.linalg.solve(U, A_dot @ U)
    U_dot = U @ (reciprocal_differences(d) * Q)
    return np.diag(Q).copy(), U_dot - U * np.sum(U * U_dot, axis=0)


def eig_reverse(C_bar: tuple[Array, Array], C: tuple[Array, Array], A: Array) -> Dots:
    (d_bar, U_bar), (d, U) = C_bar, C
    U_bar = U_bar - U * np.sum(U * U_bar, axis=0)
    return (np.linalg.solve(U.T, (np.diag(d_bar) + reciprocal_differences(d) * (U.T @ U_bar)) @ U.T),)


OPERATIONS = (
    Operation("eigh", eigh, eigh_forward, eigh_reverse, "Giles 2008, sec. 3.1, for symmetric S"),
    Operation(
        "eigenvalues_symmetric",
        eigenvalues_symmetric,
        eigenvalues_symmetric_forward,
        eigenvalues_symmetric_reverse,
        "Giles 2008, sec. 3.1, for symmetric S",
    ),
    Operation("eig", eig, eig_forward, eig_reverse, "Giles 2008, sec. 3.1; Boeddeker et al. 2017, eq. 4.77"),
)

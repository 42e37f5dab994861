"""Singular values and vectors of a real M x N matrix.

A = U diag(s) V^T with K = min(M, N): U M x K, s (K,) in descending order, V N x K, U^T U = V^T V = I. Each pair of
columns u, v has the sign that `decompositions` gives to u. Singular values have a kink where they meet or reach 0, and
singular vectors are no function of A there. Each function says what it refuses, with a ValueError that names the
singular values. Equal, and zero, are meant to 10 max(M, N) eps times the largest singular value.

Complex A is refused, so there is no complex step: LAPACK conjugates.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp.autodiff.operation import Array, Dots, Operation
from mlp.autodiff.rules.decompositions import reciprocal_differences, repeated_line, signs
from mlp.autodiff.rules.preconditions import distinct, is_matrix

USV = tuple[Array, Array, Array]


def thin_svd(name: str, A: Array) -> USV:
    is_matrix(name, A)
    if np.iscomplexobj(A):
        raise ValueError(f"{name}: expected a real matrix")
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    return U * signs(U), s, Vt.T * signs(U)


def differentiable(name: str, s: Array, A: Array, bars: Any = None) -> None:
    """Refuses singular values of 0, and equal ones; with their bars, only those that have a bar, or different ones."""
    line = repeated_line(s, A)
    zero = s <= line
    if bars is not None:
        zero &= bars != 0
    for i in np.flatnonzero(zero)[:1]:
        raise ValueError(
            f"{name}: singular value {i} is 0 to working precision ({s[i]:.3g}), where it has no derivative"
        )
    distinct(name, "singular values", s, line, bars)


def svd(A: Array) -> USV:
    """(U, s, V) of A = U diag(s) V^T: V, not its transpose. Refuses repeated and zero singular values.

    With P = U^T A_dot V, S = diag(s), F_ij = 1/(s_j^2 - s_i^2), F_ii = 0 (Giles 2008, sec. 3.2, and Townsend 2016,
    "Differentiating the singular value decomposition", for the vectors):

        s_dot = diag(P)
        U_dot = U (F o (P S + S P^T)) + (I - U U^T) A_dot V S^-1
        V_dot = V (F o (S P + P^T S)) + (I - V V^T) A_dot^T U S^-1
        A_bar = U (diag(s_bar) + (F o (U^T U_bar - U_bar^T U)) S + S (F o (V^T V_bar - V_bar^T V))) V^T
                + (I - U U^T) U_bar S^-1 V^T + U S^-1 V_bar^T (I - V V^T)
    """
    U, s, V = thin_svd("svd", A)
    differentiable("svd", s, A)
    return U, s, V


def outside(U: Array, X: Array) -> Array:
    """(I - U U^T) X."""
    return X - U @ (U.T @ X)


def svd_forward(dots: Dots, C: USV, A: Array) -> USV:
    (A_dot,), (U, s, V) = dots, C
    F, P = reciprocal_differences(s * s), U.T @ A_dot @ V
    U_dot = U @ (F * (P * s + (P * s).T)) + outside(U, A_dot @ V) / s
    V_dot = V @ (F * (P.T * s + (P.T * s).T)) + outside(V, A_dot.T @ U) / s
    return U_dot, np.diag(P).copy(), V_dot


def svd_reverse(C_bar: USV, C: USV, A: Array) -> Dots:
    (U_bar, s_bar, V_bar), (U, s, V) = C_bar, C
    F, u, v = reciprocal_differences(s * s), U.T @ U_bar, V.T @ V_bar
    inner = np.diag(s_bar) + (F * (u - u.T)) * s + s[:, np.newaxis] * (F * (v - v.T))
    return (U @ inner @ V.T + (outside(U, U_bar) / s) @ V.T + U @ (outside(V, V_bar) / s).T,)


def singular_values(A: Array) -> Array:
    """s (K,), descending. s_dot = diag(U^T A_dot V), A_bar = U diag(s_bar) V^T (Giles 2008, sec. 3.2).

    The value is given for every A. The forward rule refuses a singular value of 0, whose change is an absolute value,
    and equal ones. The reverse rule refuses a 0 only where its s_bar is not 0, and equal ones only where their s_bar
    differ by more than 1e-6 of the largest s_bar (see `eigenvalues_symmetric`)."""
    return thin_svd("singular_values", A)[1]


def singular_values_forward(dots: Dots, s: Array, A: Array) -> Array:
    (A_dot,) = dots
    differentiable("singular_values", s, A)
    U, _, V = thin_svd("singular_values", A)
    return np.sum(U * (A_dot @ V), axis=0)


def singular_values_reverse(s_bar: Array, s: Array, A: Array) -> Dots:
    differentiable("singular_values", s, A, s_bar)
    U, _, V = thin_svd("singular_values", A)
    return (U * s_bar @ V.T,)


OPERATIONS = (
    Operation("svd", svd, svd_forward, svd_reverse, "Giles 2008, sec. 3.2; Townsend 2016"),
    Operation(
        "singular_values", singular_values, singular_values_forward, singular_values_reverse, "Giles 2008, sec. 3.2"
    ),
)

"""Singular values and vectors of a real M x N matrix.

A = U diag(s) V^T with K = min(M, N): U M x K, s (K,) in descending order, V N x K, U^T U = V^T V = I. Each pair of
columns u, v has the sign that `decompositions` gives to u. Singular values have a kink where they meet or reach 0, and
singular vectors are no function of A there. Equal, and zero, are meant to 10 max(M, N) eps times the largest one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp.autodiff.operation import Array, Dots, Operation
from mlp.autodiff.rules.decompositions import reciprocal_differences, repeated_line, signs
from mlp.autodiff.rules.preconditions import distinct, is_matrix, is_real

USV = tuple[Array, Array, Array]


def svd(A: Array) -> USV:
    """(U, s, V) of A = U diag(s) V^T: V, not its transpose.

    With P = U^T A_dot V, S = diag(s), F_ij = 1/(s_j^2 - s_i^2), F_ii = 0 (Giles 2008, sec. 3.2, and Townsend 2016,
    "Differentiating the singular value decomposition", for the vectors):

        s_dot = diag(P)
        U_dot = U (F o (P S + S P^T)) + (I - U U^T) A_dot V S^-1
        V_dot = V (F o (S P + P^T S)) + (I - V V^T) A_dot^T U S^-1
        A_bar = U (diag(s_bar) + (F o (U^T U_bar - U_bar^T U)) S + S (F o (V^T V_bar - V_bar^T V))) V^T
                + (I - U U^T) U_bar S^-1 V^T + U S^-1 V_bar^T (I - V V^T)

    The value is given for every real A. The forward rule refuses equal singular values, and one of 0. So does the
    reverse rule where U or V has a bar. Where s alone has one, it refuses a 0 only with an s_bar that is not 0, and
    equal ones only with s_bar that differ by more than 1e-6 of the largest (see `eigh`). ValueError names them."""
    is_matrix("svd", A)
    is_real("svd", A)
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    return U * signs(U), s, Vt.T * signs(U)


def differentiable(s: Array, A: Array, bars: Any = None) -> None:
    """Refuse singular values of 0, and equal ones; with their bars, only those that have a bar, or different ones."""
    line = repeated_line(s, A)
    zero = s <= line
    if bars is not None:
        zero &= bars != 0
    for i in np.flatnonzero(zero)[:1]:
        raise ValueError(f"svd: singular value {i} is 0 to working precision ({s[i]:.3g}), where it has no derivative")
    distinct("svd", "singular values", s, line, bars)


def outside(U: Array, X: Array) -> Array:
    """(I - U U^T) X."""
    return X - U @ (U.T @ X)


def svd_forward(dots: Dots, C: USV, A: Array) -> USV:
    (A_dot,), (U, s, V) = dots, C
    differentiable(s, A)
    F, P = reciprocal_differences(s * s), U.T @ A_dot @ V
    U_dot = U @ (F * (P * s + (P * s).T)) + outside(U, A_dot @ V) / s
    V_dot = V @ (F * (P.T * s + (P.T * s).T)) + outside(V, A_dot.T @ U) / s
    return U_dot, np.diag(P).copy(), V_dot


def svd_reverse(C_bar: USV, C: USV, A: Array) -> Dots:
    (U_bar, s_bar, V_bar), (U, s, V) = C_bar, C
    if not U_bar.any() and not V_bar.any():
        differentiable(s, A, s_bar)
        return (U * s_bar @ V.T,)
    differentiable(s, A)
    F, u, v = reciprocal_differences(s * s), U.T @ U_bar, V.T @ V_bar
    inner = np.diag(s_bar) + (F * (u - u.T)) * s + s[:, np.newaxis] * (F * (v - v.T))
    return (U @ inner @ V.T + (outside(U, U_bar) / s) @ V.T + U @ (outside(V, V_bar) / s).T,)


OPERATIONS = (Operation("svd", svd, svd_forward, svd_reverse, "Giles 2008, sec. 3.2; Townsend 2016"),)

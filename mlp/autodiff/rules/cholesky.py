"""The Cholesky decomposition S = L L^T and its derivatives, by Murray (2016), "Differentiation of the Cholesky
decomposition", arXiv 1602.07527.

Of the N^2 elements of S, N(N+1)/2 are free, so "the derivative with respect to S" needs a convention:

- symmetric: S_bar = S_bar^T, and <S_bar, S_dot> over ALL i, j is <L_bar, L_dot>. The operation `cholesky` returns this
  one, because then each S_ij is an input like any other: bars of S add up, and pass on to what S was computed from.
- lower triangle: only S_ij with i >= j count, and each stands for S_ji as well: the sum over i >= j alone is
  <L_bar, L_dot>. Murray's algorithms, the two `reverse_...` functions below, compute this one.

S_bar(symmetric) = (S_bar + S_bar^T)/2 of the lower one. (Undivided, it is twice that: an easy mistake.)
"""

from __future__ import annotations

import numpy as np

from mlp.autodiff.operation import Array, Dots, Operation
from mlp.autodiff.rules.preconditions import invertible, symmetric

BLOCK_SIZE = 48  # within a tenth of the fastest of 8 to 256 for N = 128 to 1024, by scripts/cholesky.py


def half_lower(X: Array) -> Array:
    """Phi(X): the lower triangle, with its diagonal halved."""
    return np.tril(X) - np.diag(np.diag(X)) / 2


def factor(S: Array) -> Array:
    """L of S = L L^T, column by column (LAPACK's DPOTF2), without conjugation: for the complex S of a complex step."""
    L = np.zeros_like(S)
    for j in range(len(S)):
        L[j, j] = np.sqrt(S[j, j] - L[j, :j] @ L[j, :j])
        L[j + 1 :, j] = (S[j + 1 :, j] - L[j + 1 :, :j] @ L[j, :j]) / L[j, j]
    return L


def reverse_unblocked(L: Array, L_bar: Array) -> Array:
    """S_bar (lower) by LAPACK's DPOTF2 in reverse, row by row from the last (Smith 1995; Murray, unblocked)."""
    S_bar = np.tril(L_bar)
    for j in range(len(L) - 1, -1, -1):
        r, d, B, c = L[j, :j], L[j, j], L[j + 1 :, :j], L[j + 1 :, j]
        r_bar, B_bar, c_bar = S_bar[j, :j], S_bar[j + 1 :, :j], S_bar[j + 1 :, j]  # views of S_bar
        d_bar = (S_bar[j, j] - c_bar @ c / d) / d
        c_bar /= d
        r_bar -= d_bar * r + c_bar @ B
        B_bar -= np.outer(c_bar, r)
        S_bar[j, j] = d_bar / 2
    return S_bar


def reverse_blocked(L: Array, L_bar: Array, block_size: int = BLOCK_SIZE) -> Array:
    """S_bar (lower) by LAPACK's DPOTRF in reverse, in blocks of rows from the last (Murray, blocked): matrix products,
    and `reverse_unblocked` for the diagonal blocks alone. Raises ValueError for a block size below 1."""
    if block_size < 1:
        raise ValueError(f"reverse_blocked: the block size must be at least 1, got {block_size}")
    S_bar = np.tril(L_bar)
    for k in range(len(L), 0, -block_size):
        j = max(0, k - block_size)
        R, D, B, C = L[j:k, :j], L[j:k, j:k], L[k:, :j], L[k:, j:k]
        R_bar, D_bar, B_bar, C_bar = S_bar[j:k, :j], S_bar[j:k, j:k], S_bar[k:, :j], S_bar[k:, j:k]  # views of S_bar
        C_bar[:] = C_bar @ np.linalg.inv(D)  # D is small, and a product is faster than many right-hand sides
        B_bar -= C_bar @ R
        D_bar[:] = reverse_unblocked(D, D_bar - C_bar.T @ C)  # which reads the lower triangle
        R_bar -= C_bar.T @ B + (D_bar + D_bar.T) @ R
    return S_bar


def cholesky(S: Array) -> Array:
    """L of S = L L^T, lower triangular with a positive diagonal, for symmetric positive definite S; both N x N.

    L_dot = L Phi(L^-1 S_dot L^-T), Phi(X) = tril(X) with the diagonal halved; S_bar is in the symmetric convention (see
    the module). Raises ValueError for S that is not symmetric, singular (see `preconditions`) or not positive
    definite."""
    S = symmetric("cholesky", S)
    invertible("cholesky", S)
    try:
        L = np.linalg.cholesky(S.real)
    except np.linalg.LinAlgError:
        smallest = np.linalg.eigvalsh(S.real)[0]
        raise ValueError(
            f"cholesky: the matrix is not positive definite (its smallest eigenvalue is {smallest:.6g})"
        ) from None
    return factor(S) if np.iscomplexobj(S) else L


def cholesky_forward(dots: Dots, L: Array, S: Array) -> Array:
    (S_dot,) = dots
    X = np.linalg.solve(L, (S_dot + S_dot.T) / 2)
    return L @ half_lower(np.linalg.solve(L, X.T))


def cholesky_reverse(L_bar: Array, L: Array, S: Array) -> Dots:
    S_bar = reverse_blocked(L, L_bar)
    return ((S_bar + S_bar.T) / 2,)


OPERATIONS = (Operation("cholesky", cholesky, cholesky_forward, cholesky_reverse, "Murray 2016, arXiv 1602.07527"),)

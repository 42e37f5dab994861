"""Check the properties without which a rule has no value or no derivative; ValueError otherwise.

Rounding blurs every such property. With eps the machine precision of the matrix's type and N its larger side,

- a matrix is singular when its reciprocal condition number 1/(|A|_1 |A^-1|_1) is below N eps: there the bound on the
  relative error of a solve, N eps over that number, reaches 1;
- two eigenvalues or singular values are equal when they differ by no more than 10 N eps times the largest one, more
  than rounding leaves between the two of a double one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp.autodiff.operation import Array


def precision(A: Array) -> float:
    """N eps."""
    return max(A.shape) * float(np.finfo(A.dtype).eps)


def is_matrix(name: str, A: Any) -> None:
    if len(A.shape) != 2 or 0 in A.shape:
        raise ValueError(f"{name}: expected a matrix, got shape {A.shape}")


def is_square(name: str, A: Any) -> None:
    is_matrix(name, A)
    if A.shape[0] != A.shape[1]:
        raise ValueError(f"{name}: expected a square matrix, got shape {A.shape}")


def is_real(name: str, A: Any) -> None:
    if np.iscomplexobj(A):
        raise ValueError(f"{name}: expected a real matrix")


def symmetric(name: str, S: Array) -> Array:
    """(S + S^T)/2, exactly symmetric; refuse S that differs from S^T by more than sqrt(eps) max |S_ij|."""
    is_square(name, S)
    i, j = np.unravel_index(np.argmax(np.abs(S - S.T)), S.shape)
    if np.abs(S[i, j] - S[j, i]) > np.sqrt(np.finfo(S.dtype).eps) * np.abs(S).max():
        raise ValueError(
            f"{name}: the matrix is not symmetric, S[{i},{j}] is {S[i, j]:.6g} and S[{j},{i}] {S[j, i]:.6g}"
        )
    return (S + S.T) / 2


def invertible(name: str, A: Array) -> Array:
    """A^-1; refuse A that is singular (see the module)."""
    is_square(name, A)
    try:
        A_inverse = np.linalg.inv(A)
    except np.linalg.LinAlgError:
        raise ValueError(f"{name}: the matrix is singular") from None
    reciprocal = 1 / np.linalg.norm(A, 1) / np.linalg.norm(A_inverse, 1)
    if not reciprocal >= precision(A):  # "not", so that nan is refused too
        raise ValueError(
            f"{name}: the matrix is singular to working precision (reciprocal condition number {reciprocal:.1e})"
        )
    return A_inverse


def distinct(name: str, kind: str, values: Array, line: Any, bars: Any = None) -> None:
    """Refuse sorted values with two neighbours within the line; with their bars, only where those differ too (1e-6)."""
    close = np.abs(np.diff(values)) <= line
    if bars is not None:
        close &= np.abs(np.diff(bars)) > 1e-6 * np.abs(bars).max()
    for i in np.flatnonzero(close)[:1]:
        raise ValueError(
            f"{name}: {kind} {i} and {i + 1} are equal to working precision ({values[i]:.15g} and "
            f"{values[i + 1]:.15g}), where the derivative does not exist"
        )

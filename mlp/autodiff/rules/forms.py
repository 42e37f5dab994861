"""Bilinear and quadratic forms: combinations of products that deserve a rule of their own.

Arguments stand in the order of the formula: `bilinear_form(x, A, y)` is x^T A y. In the forms, a matrix may also be a
vector of shape (N,), and vectors on both sides give a scalar. Shapes that do not fit are refused with a ValueError.
All values are analytic in complex input: nothing is conjugated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp.autodiff.operation import Array, Operation
from mlp.autodiff.preconditions import fit, has_rows, invertible, is_matrix, is_square
from mlp.autodiff.rules.linear_algebra import Dots, columns

# C = A^T B


def transposed_product(A: Array, B: Array) -> Array:
    """C = A^T B, A N x K, B N x M. C_dot = A_dot^T B + A^T B_dot; A_bar = B C_bar^T, B_bar = A C_bar (note, "Check your
    understanding": the only combination whose sizes fit in general)."""
    fit("transposed_product", "A^T B", A.ndim == B.ndim == 2 and len(A) == len(B), A, B)
    return A.T @ B


def transposed_product_forward(dots: Dots, C: Array, A: Array, B: Array) -> Array:
    A_dot, B_dot = dots
    return A_dot.T @ B + A.T @ B_dot


def transposed_product_reverse(C_bar: Array, C: Array, A: Array, B: Array) -> Dots:
    return B @ C_bar.T, A @ C_bar


# C = X^T A Y


def bilinear_form(X: Array, A: Array, Y: Array) -> Any:
    """C = X^T A Y, X N x K, A N x M, Y M x L, C K x L; for vectors x and y the scalar c = x^T A y.

    C_dot is the product rule's three terms; X_bar = A Y C_bar^T, A_bar = X C_bar Y^T, Y_bar = A^T X C_bar. For vectors:
    x_bar = c_bar A y, A_bar = c_bar x y^T, y_bar = c_bar A^T x (note, "Check your understanding")."""
    is_matrix("bilinear_form", A)
    fit("bilinear_form", "X^T A Y", has_rows(X, A.shape[0]) and has_rows(Y, A.shape[1]), X, A, Y)
    return X.T @ A @ Y


def bilinear_form_forward(dots: Dots, C: Any, X: Array, A: Array, Y: Array) -> Any:
    X_dot, A_dot, Y_dot = dots
    return X_dot.T @ A @ Y + X.T @ A_dot @ Y + X.T @ A @ Y_dot


def bilinear_form_reverse(C_bar: Any, C: Any, X: Array, A: Array, Y: Array) -> Dots:
    x, y = columns(X), columns(Y)
    C_bar = np.reshape(C_bar, (x.shape[1], y.shape[1]))
    return np.reshape(A @ y @ C_bar.T, X.shape), x @ C_bar @ y.T, np.reshape(A.T @ x @ C_bar, Y.shape)


# C = B^T A B


def quadratic_form(B: Array, A: Array) -> Any:
    """C = B^T A B, B N x M, A N x N, C M x M; for a vector x the scalar c = x^T A x.

    C_dot is the product rule's three terms; A_bar = B C_bar B^T, B_bar = A B C_bar^T + A^T B C_bar (Giles 2008, sec.
    2.3.2). For a vector: x_bar = c_bar (A + A^T) x, A_bar = c_bar x x^T (note, "Check your understanding")."""
    is_square("quadratic_form", A)
    fit("quadratic_form", "B^T A B", has_rows(B, len(A)), B, A)
    return B.T @ A @ B


def quadratic_form_forward(dots: Dots, C: Any, B: Array, A: Array) -> Any:
    B_dot, A_dot = dots
    return B_dot.T @ A @ B + B.T @ A_dot @ B + B.T @ A @ B_dot


def quadratic_form_reverse(C_bar: Any, C: Any, B: Array, A: Array) -> Dots:
    b = columns(B)
    C_bar = np.reshape(C_bar, (b.shape[1], b.shape[1]))
    return np.reshape(A @ b @ C_bar.T + A.T @ b @ C_bar, B.shape), b @ C_bar @ b.T


# C = B^T A^-1 B


def inverse_quadratic_form(B: Array, A: Array) -> Array:
    """C = B^T A^-1 B, B N x M, A N x N, C M x M; for a vector b of shape (N,) a scalar.

    With X = A^-1 B and Y = A^-T B: C_dot = B_dot^T X + Y^T B_dot - Y^T A_dot X; A_bar = -Y C_bar X^T,
    B_bar = X C_bar^T + Y C_bar (Giles 2008, sec. 2.3.3)."""
    invertible("inverse_quadratic_form", A)
    fit("inverse_quadratic_form", "B^T A^-1 B", has_rows(B, len(A)), B, A)
    return B.T @ np.linalg.solve(A, B)


def inverse_quadratic_form_forward(dots: Dots, C: Array, B: Array, A: Array) -> Array:
    B_dot, A_dot = dots
    X, Y = np.linalg.solve(A, B), np.linalg.solve(A.T, B)
    return B_dot.T @ X + Y.T @ B_dot - Y.T @ A_dot @ X


def inverse_quadratic_form_reverse(C_bar: Array, C: Array, B: Array, A: Array) -> Dots:
    X, Y = np.linalg.solve(A, columns(B)), np.linalg.solve(A.T, columns(B))
    C_bar = np.reshape(C_bar, (X.shape[1], X.shape[1]))
    return np.reshape(X @ C_bar.T + Y @ C_bar, B.shape), -Y @ C_bar @ X.T


OPERATIONS = (
    Operation(
        "transposed_product",
        transposed_product,
        transposed_product_forward,
        transposed_product_reverse,
        "note, Check your understanding",
    ),
    Operation(
        "bilinear_form", bilinear_form, bilinear_form_forward, bilinear_form_reverse, "note, Check your understanding"
    ),
    Operation(
        "quadratic_form", quadratic_form, quadratic_form_forward, quadratic_form_reverse, "Giles 2008, sec. 2.3.2"
    ),
    Operation(
        "inverse_quadratic_form",
        inverse_quadratic_form,
        inverse_quadratic_form_forward,
        inverse_quadratic_form_reverse,
        "Giles 2008, sec. 2.3.3",
    ),
)

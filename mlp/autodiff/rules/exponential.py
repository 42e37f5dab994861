"""The exponential of a square matrix (not of its elements), by scaling and squaring. It is analytic in complex A."""

from __future__ import annotations

import numpy as np

from mlp.autodiff.operation import Array, Dots, Operation
from mlp.autodiff.rules.preconditions import is_square

PADE_DEGREE = 6


def matrix_exponential(A: Array) -> Array:
    """C = I + A + A^2/2! + ..., N x N, by scaling and squaring: exp(A) = exp(A/2^s)^(2^s).

    s makes |A/2^s|_1 < 1/2, where the Pade approximant of degree 6 is exact to rounding (Golub and Van Loan, Matrix
    Computations, algorithm 9.3.1). The derivative in a direction E is the upper right block of

        exp [[A, E], [0, A]] = [[exp A, L(A, E)], [0, exp A]],      C_dot = L(A, A_dot),      A_bar = L(A^T, C_bar)

    (Giles 2008, sec. 2.3.5; Higham, Functions of Matrices, sec. 3.2)."""
    is_square("matrix_exponential", A)
    squarings = max(0, int(np.frexp(np.linalg.norm(A, 1))[1]) + 1)
    A = A * 0.5**squarings
    identity = np.eye(len(A), dtype=A.dtype)
    term = numerator = denominator = identity
    coefficient = 1.0
    for k in range(1, PADE_DEGREE + 1):
        coefficient *= (PADE_DEGREE - k + 1) / (k * (2 * PADE_DEGREE - k + 1))
        term = A @ term
        numerator = numerator + coefficient * term
        denominator = denominator + (-1) ** k * coefficient * term
    C = np.linalg.solve(denominator, numerator)
    for _ in range(squarings):
        C = C @ C
    return C


def exponential_derivative(A: Array, E: Array) -> Array:
    """L(A, E). It is linear in E, which is scaled to elements of 1 so that its size costs no squarings of A."""
    N, scale = len(A), np.abs(E).max()
    if scale == 0:
        return np.zeros_like(A)
    return scale * matrix_exponential(np.block([[A, E / scale], [np.zeros_like(A), A]]))[:N, N:]


def matrix_exponential_forward(dots: Dots, C: Array, A: Array) -> Array:
    (A_dot,) = dots
    return exponential_derivative(A, A_dot)


def matrix_exponential_reverse(C_bar: Array, C: Array, A: Array) -> Dots:
    return (exponential_derivative(A.T, C_bar),)


OPERATIONS = (
    Operation(
        "matrix_exponential",
        matrix_exponential,
        matrix_exponential_forward,
        matrix_exponential_reverse,
        "Giles 2008, sec. 2.3.5; Higham, Functions of Matrices, sec. 3.2",
    ),
)

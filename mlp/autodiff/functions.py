"""The functions to write expressions with: on nodes they record, on arrays they compute.

Most record one operation of the table. Those at the end are compositions and need no rule of their own: the sweeps
chain the rules of their parts, as the note asks of its reader. The closed formulas of Giles (2008) are their tests.
Arguments stand in the order of the formula: `solve_right(B, A)` is B A^-1.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from numbers import Real
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from mlp.autodiff.graph import Node, record
from mlp.autodiff.rules.preconditions import fit, is_square
from mlp.autodiff.rules.table import OPERATIONS


def of_one(name: str) -> Callable[[Any], Any]:
    """The function of one input, and no options, that records the operation of this name."""
    return described(lambda A, /: record(OPERATIONS[name], A), name)


def of_two(name: str) -> Callable[[Any, Any], Any]:
    """The function of two inputs, and no options, that records the operation of this name."""
    return described(lambda A, B, /: record(OPERATIONS[name], A, B), name)


def described(function: Any, name: str) -> Any:
    """The function, named after its operation, with the signature and the docstring of the operation's value."""
    operation = OPERATIONS[name]
    ours = None
    if isinstance(operation.value, FunctionType):
        ours = operation.value.__doc__
        function.__signature__ = inspect.signature(operation.value)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{ours or name}\n\nRecorded on nodes, computed on arrays. Rules: {operation.source}."
    return function


# Arithmetic: + - * / on nodes. The shapes broadcast as NumPy's do.
add = of_two("add")
subtract = of_two("subtract")
multiply = of_two("multiply")
divide = of_two("divide")
maximum = of_two("maximum")
minimum = of_two("minimum")
positive_power = of_two("positive_power")


def power(A: Any, exponent: float) -> Any:
    """A^p, element by element, for a number p: ** on nodes. ValueError for arrays and nodes: see `positive_power`."""
    if not isinstance(exponent, Real):
        raise ValueError("power: the exponent is a number; positive_power takes arrays and nodes")
    return record(OPERATIONS["power"], A, exponent=float(exponent))


# Element-wise functions.
negative = of_one("negative")
square = of_one("square")
sqrt = of_one("sqrt")
reciprocal = of_one("reciprocal")
exp = of_one("exp")
expm1 = of_one("expm1")
log = of_one("log")
log1p = of_one("log1p")
sin = of_one("sin")
cos = of_one("cos")
tan = of_one("tan")
arcsin = of_one("arcsin")
arccos = of_one("arccos")
arctan = of_one("arctan")
sinh = of_one("sinh")
cosh = of_one("cosh")
tanh = of_one("tanh")
logistic = of_one("logistic")
softplus = of_one("softplus")
relu = of_one("relu")
absolute = of_one("absolute")

# Products, rearranging, picking and summing.
matmul = of_two("matmul")
transpose = of_one("transpose")
trace = of_one("trace")


def reshape(A: Any, shape: int | tuple[int, ...]) -> Any:
    """The elements of A, row by row, in another shape; -1 stands for the length that fits."""
    return record(OPERATIONS["reshape"], A, shape=shape)


def tril(A: Any, k: int = 0) -> Any:
    """The lower triangle of a matrix, up to its k-th diagonal above the main one; zeros elsewhere."""
    return record(OPERATIONS["tril"], A, k=k)


def triu(A: Any, k: int = 0) -> Any:
    """The upper triangle of a matrix, from its k-th diagonal above the main one; zeros elsewhere."""
    return record(OPERATIONS["triu"], A, k=k)


def mask(A: Any, keep: Any) -> Any:
    """A where `keep`, a constant array of booleans of A's shape, is True; zeros elsewhere."""
    return record(OPERATIONS["mask"], A, keep=keep)


def select(A: Any, index: Any) -> Any:
    """A[index], for a constant index: integers, slices, arrays of integers or booleans. `x[index]` on nodes."""
    return record(OPERATIONS["select"], A, index=index)


def sum(A: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """The sum of A along an axis, several, or all of them; `keepdims` leaves them in with length 1."""
    return record(OPERATIONS["sum"], A, axis=axis, keepdims=keepdims)


def mean(A: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """The mean of A along an axis, several, or all of them; `keepdims` leaves them in with length 1."""
    return record(OPERATIONS["mean"], A, axis=axis, keepdims=keepdims)


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
    """The arrays one after the other along an axis."""
    return record(OPERATIONS["concatenate"], *arrays, axis=axis)


# Linear algebra.
inverse = of_one("inverse")
determinant = of_one("determinant")
log_abs_determinant = of_one("log_abs_determinant")
solve = of_two("solve")
matrix_exponential = of_one("matrix_exponential")
eigenvalues_symmetric = of_one("eigenvalues_symmetric")
singular_values = of_one("singular_values")
cholesky = of_one("cholesky")


def eigh(S: Any) -> tuple[Any, ...]:
    """(w, V) of a symmetric S = V diag(w) V^T, with eigenvalues w in ascending order."""
    return parts(record(OPERATIONS["eigh"], S))


def eig(A: Any) -> tuple[Any, ...]:
    """(d, U) of a real A = U diag(d) U^-1 with real and distinct eigenvalues d, in ascending order."""
    return parts(record(OPERATIONS["eig"], A))


def svd(A: Any) -> tuple[Any, ...]:
    """(U, s, V) of A = U diag(s) V^T, with singular values s in descending order; V, not its transpose."""
    return parts(record(OPERATIONS["svd"], A))


def parts(C: Any) -> tuple[Any, ...]:
    """All results of an operation that has several, each a node where the operation was recorded."""
    return tuple(record(OPERATIONS["part"], C, k=k) for k in range(len(C.value))) if isinstance(C, Node) else C


# Compositions, of nodes or arrays.


def vec(A: Any) -> Any:
    """The columns of A under each other, in one column."""
    return reshape(transpose(A), (-1, 1))


def transposed_product(A: Any, B: Any) -> Any:
    """A^T B."""
    return A.T @ B


def bilinear_form(X: Any, A: Any, Y: Any) -> Any:
    """X^T A Y of matrices, or x^T A y of vectors."""
    return X.T @ A @ Y


def quadratic_form(B: Any, A: Any) -> Any:
    """B^T A B of matrices, or b^T A b of a vector."""
    return B.T @ A @ B


def inverse_quadratic_form(B: Any, A: Any) -> Any:
    """B^T A^-1 B of matrices, or b^T A^-1 b of a vector."""
    return B.T @ solve(A, B)


def solve_transposed(A: Any, B: Any) -> Any:
    """A^-T B."""
    return solve(transpose(A), B)


def solve_right(B: Any, A: Any) -> Any:
    """B A^-1."""
    return transpose(solve(transpose(A), transpose(B)))


def solve_triangular(L: Any, B: Any) -> Any:
    """L^-1 B for a lower triangular L; elements above its diagonal are not read."""
    return solve(tril(L), B)


def trace_product(A: Any, B: Any) -> Any:
    """tr(A^T B), the sum of A_ij B_ij: the inner product <A, B>."""
    fit("trace_product", "tr(A^T B)", A.shape == B.shape, A, B)
    return sum(A * B)


def trace_matrix_product(A: Any, B: Any) -> Any:
    """tr(A B), the sum of A_ij B_ji."""
    return trace_product(A, B.T)


def trace_quadratic_form(B: Any, A: Any) -> Any:
    """tr(B^T A B)."""
    return trace_product(B, A @ B)


def trace_inverse(A: Any) -> Any:
    """tr(A^-1)."""
    return trace(inverse(A))


def squared_frobenius_norm(A: Any) -> Any:
    """|A|_F^2 = tr(A^T A), the sum of A_ij^2."""
    return sum(square(A))


def frobenius_norm(A: Any) -> Any:
    """|A|_F. Raises ValueError for A = 0, the tip of a cone, where there is no derivative."""
    largest = np.abs(A.value if isinstance(A, Node) else A).max(initial=0)
    if largest == 0:
        raise ValueError("frobenius_norm: the matrix is 0, where the norm has no derivative")
    return largest * sqrt(squared_frobenius_norm(A / largest))  # the squares neither overflow nor vanish


def spectral_norm(A: Any) -> Any:
    """|A|_2, the largest singular value of a real A; without a derivative where that is there twice, or 0."""
    return singular_values(A)[0]


def nuclear_norm(A: Any) -> Any:
    """|A|_*, the sum of all singular values of a real A; without a derivative where one is 0."""
    return sum(singular_values(A))


def eigenvalues(A: Any) -> Any:
    """d of a real A = U diag(d) U^-1 with real and distinct eigenvalues d, in ascending order."""
    return eig(A)[0]


def matrix_polynomial(A: Any, coefficients: Sequence[float]) -> Any:
    """The sum over n of a_n A^n of a square matrix, with constant coefficients (a_0, a_1, ...), the lowest first.

    It is computed by Horner's rule, C = A C + a_n I from the highest n down. ValueError when there is no coefficient.
    """
    value = A.value if isinstance(A, Node) else A
    is_square("matrix_polynomial", value)
    if len(coefficients) == 0:
        raise ValueError("matrix_polynomial: needs at least one coefficient")
    identity = np.eye(len(value), dtype=value.dtype)
    C = 0 * identity
    for a in reversed(coefficients):
        C = A @ C + float(a) * identity
    return C


HELPERS = (of_one, of_two, described, parts)
if not TYPE_CHECKING:  # mypy reads no list that is computed, and takes every name that is defined here
    __all__ = [
        name
        for name, function in globals().items()
        if isinstance(function, FunctionType) and function.__module__ == __name__ and function not in HELPERS
    ]

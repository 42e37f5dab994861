"""The functions to write expressions with, one for each operation: on nodes they record, on arrays they compute."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from numbers import Real
from types import FunctionType
from typing import Any

from mlp.autodiff.graph import Node, record
from mlp.autodiff.rules.table import OPERATIONS


def of_one(name: str) -> Callable[[Any], Any]:
    """The function of one input, and no options, that records the operation of this name."""
    operation = OPERATIONS[name]

    def function(A: Any, /) -> Any:
        return record(operation, A)

    return described(function, name)


def of_two(name: str) -> Callable[[Any, Any], Any]:
    """The function of two inputs, and no options, that records the operation of this name."""
    operation = OPERATIONS[name]

    def function(A: Any, B: Any, /) -> Any:
        return record(operation, A, B)

    return described(function, name)


def described(function: Any, name: str) -> Any:
    """The function with the name of its operation, and what its value says of itself where that is not NumPy's."""
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
vec = of_one("vec")


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


# Linear algebra. Where two inputs are asked for, they stand in the order of the formula: solve_right(B, A) is B A^-1.
inverse = of_one("inverse")
determinant = of_one("determinant")
log_abs_determinant = of_one("log_abs_determinant")
solve = of_two("solve")
solve_transposed = of_two("solve_transposed")
solve_right = of_two("solve_right")
solve_triangular = of_two("solve_triangular")
transposed_product = of_two("transposed_product")
quadratic_form = of_two("quadratic_form")
inverse_quadratic_form = of_two("inverse_quadratic_form")
trace = of_one("trace")
trace_inverse = of_one("trace_inverse")
trace_product = of_two("trace_product")
trace_matrix_product = of_two("trace_matrix_product")
trace_quadratic_form = of_two("trace_quadratic_form")
squared_frobenius_norm = of_one("squared_frobenius_norm")
frobenius_norm = of_one("frobenius_norm")
matrix_exponential = of_one("matrix_exponential")
eigenvalues = of_one("eigenvalues")
eigenvalues_symmetric = of_one("eigenvalues_symmetric")
singular_values = of_one("singular_values")
spectral_norm = of_one("spectral_norm")
nuclear_norm = of_one("nuclear_norm")
cholesky = of_one("cholesky")


def bilinear_form(X: Any, A: Any, Y: Any) -> Any:
    """X^T A Y of matrices, or x^T A y of vectors."""
    return record(OPERATIONS["bilinear_form"], X, A, Y)


def matrix_polynomial(A: Any, coefficients: Sequence[float]) -> Any:
    """The sum over n of a_n A^n of a square matrix, with constant coefficients (a_0, a_1, ...), the lowest first."""
    return record(OPERATIONS["matrix_polynomial"], A, coefficients=coefficients)


def eigh(S: Any) -> tuple[Any, ...]:
    """(w, V) of a symmetric S = V diag(w) V^T, with eigenvalues w in ascending order."""
    return parts(record(OPERATIONS["eigh"], S))


def eig(A: Any) -> tuple[Any, ...]:
    """(d, U) of a real A = U diag(d) U^-1 with real and distinct eigenvalues d, in ascending order."""
    return parts(record(OPERATIONS["eig"], A))


def svd(A: Any) -> tuple[Any, ...]:
    """(U, s, V) of A = U diag(s) V^T, with singular values s in descending order; V, not its transpose."""
    return parts(record(OPERATIONS["svd"], A))


def part(C: Any, k: int) -> Any:
    """The k-th of several results, C[k]."""
    return record(OPERATIONS["part"], C, k=k) if isinstance(C, Node) else C[k]


def parts(C: Any) -> tuple[Any, ...]:
    """All results of an operation that has several, each a node where the operation was recorded."""
    return tuple(part(C, k) for k in range(len(C.value))) if isinstance(C, Node) else C

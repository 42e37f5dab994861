"""Functions to write expressions with: on nodes they record, on arrays they compute.

Most record one operation of the table. The others are compositions and need no rule of their own: the sweeps chain the
rules of their parts, and the closed formulas of Giles (2008) are their tests. Arguments stand in the order of the
formula: `solve_right(B, A)` is B A^-1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from mlp.arguments import check_whole, float_array
from mlp.autodiff.graph import Node, record
from mlp.autodiff.rules import OPERATIONS
from mlp.autodiff.rules.preconditions import is_matrix, is_square


def of(name: str, inputs: int = 1) -> Callable[..., Any]:
    """The function that records an operation without options, with the docstring of its value."""
    operation = OPERATIONS[name]
    function: Any = lambda A, /: record(operation, A)  # noqa: E731
    if inputs == 2:
        function = lambda A, B, /: record(operation, A, B)  # noqa: E731
    formula = isinstance(operation.value, FunctionType) and operation.value.__doc__  # NumPy's own says other things
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{formula or name}\n\nRecorded on nodes, computed on arrays. Rules: {operation.source}."
    return function


# Arithmetic: + - * / on nodes. The shapes broadcast as NumPy's do.
add = of("add", 2)
subtract = of("subtract", 2)
multiply = of("multiply", 2)
divide = of("divide", 2)
maximum = of("maximum", 2)
minimum = of("minimum", 2)
positive_power = of("positive_power", 2)


def power(A: Any, exponent: float) -> Any:
    """A^p, element by element, for a number p: ** on nodes. ValueError for arrays and nodes: see `positive_power`."""
    if not isinstance(exponent, Real):
        raise ValueError("power: the exponent is a number; positive_power takes arrays and nodes")
    return record(OPERATIONS["power"], A, exponent=float(exponent))


# Element-wise functions.
negative = of("negative")
square = of("square")
sqrt = of("sqrt")
reciprocal = of("reciprocal")
exp = of("exp")
expm1 = of("expm1")
log = of("log")
log1p = of("log1p")
sin = of("sin")
cos = of("cos")
tan = of("tan")
arcsin = of("arcsin")
arccos = of("arccos")
arctan = of("arctan")
sinh = of("sinh")
cosh = of("cosh")
tanh = of("tanh")
logistic = of("logistic")
softplus = of("softplus")
relu = of("relu")
absolute = of("absolute")

# Products, rearranging, picking and summing.
matmul = of("matmul", 2)
transpose = of("transpose")
trace = of("trace")


def reshape(A: Any, shape: int | tuple[int, ...]) -> Any:
    """The elements of A, row by row, in another shape; -1 stands for the length that fits."""
    check_whole("shape", shape if isinstance(shape, (list, tuple)) else [shape])
    return record(OPERATIONS["reshape"], A, shape=shape)


def tril(A: Any, k: int = 0) -> Any:
    """The lower triangle of a matrix, up to its k-th diagonal above the main one; zeros elsewhere."""
    A = operand(A, "A")
    is_matrix("tril", A)
    return mask(A, np.tri(A.shape[0], A.shape[1], k, dtype=bool))


def triu(A: Any, k: int = 0) -> Any:
    """The upper triangle of a matrix, from its k-th diagonal above the main one; zeros elsewhere."""
    A = operand(A, "A")
    is_matrix("triu", A)
    return mask(A, ~np.tri(A.shape[0], A.shape[1], k - 1, dtype=bool))


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
    C = sum(A, axis, keepdims)
    shape = A.shape if isinstance(A, Node) else np.shape(A)
    return C / (math.prod(shape) // math.prod(C.shape))


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
    """The arrays one after the other along an axis."""
    return record(OPERATIONS["concatenate"], *arrays, axis=axis)


# Linear algebra.
inverse = of("inverse")
determinant = of("determinant")
log_abs_determinant = of("log_abs_determinant")
solve = of("solve", 2)
matrix_exponential = of("matrix_exponential")
cholesky = of("cholesky")
eigh = of("eigh")
eig = of("eig")
svd = of("svd")

# Compositions, of nodes or arrays. (So are `tril`, `triu` and `mean` above.)


def operand(A: Any, name: str) -> Any:
    """A node, or numbers as an array of floats. Raises ValueError for what is neither."""
    return A if isinstance(A, Node) else float_array(A, name)


def vec(A: Any) -> Any:
    """The columns of A under each other, in one column."""
    return reshape(transpose(A), (-1, 1))


def transposed_product(A: Any, B: Any) -> Any:
    """A^T B."""
    return operand(A, "A").T @ operand(B, "B")


def bilinear_form(X: Any, A: Any, Y: Any) -> Any:
    """X^T A Y of matrices, or x^T A y of vectors."""
    return operand(X, "X").T @ operand(A, "A") @ operand(Y, "Y")


def quadratic_form(B: Any, A: Any) -> Any:
    """B^T A B of matrices, or b^T A b of a vector."""
    B = operand(B, "B")
    return B.T @ operand(A, "A") @ B


def inverse_quadratic_form(B: Any, A: Any) -> Any:
    """B^T A^-1 B of matrices, or b^T A^-1 b of a vector."""
    return operand(B, "B").T @ solve(A, B)


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
    A, B = operand(A, "A"), operand(B, "B")
    if A.shape != B.shape:
        raise ValueError(f"trace_product: shapes {A.shape} and {B.shape} do not fit in tr(A^T B)")
    return sum(A * B)


def trace_matrix_product(A: Any, B: Any) -> Any:
    """tr(A B), the sum of A_ij B_ji."""
    return trace_product(A, operand(B, "B").T)


def trace_quadratic_form(B: Any, A: Any) -> Any:
    """tr(B^T A B)."""
    B = operand(B, "B")
    return trace_product(B, operand(A, "A") @ B)


def trace_inverse(A: Any) -> Any:
    """tr(A^-1)."""
    return trace(inverse(A))


def squared_frobenius_norm(A: Any) -> Any:
    """|A|_F^2 = tr(A^T A), the sum of A_ij^2."""
    return sum(square(A))


def frobenius_norm(A: Any) -> Any:
    """|A|_F. Raises ValueError for A = 0, the tip of a cone, where there is no derivative."""
    A = operand(A, "A")
    largest = np.abs(A.value if isinstance(A, Node) else A).max(initial=0)
    if largest == 0:
        raise ValueError("frobenius_norm: the matrix is 0, where the norm has no derivative")
    return largest * sqrt(squared_frobenius_norm(A / largest))  # the squares neither overflow nor vanish


def eigenvalues_symmetric(S: Any) -> Any:
    """w of a symmetric S = V diag(w) V^T, in ascending order."""
    return eigh(S)[0]


def eigenvalues(A: Any) -> Any:
    """d of a real A = U diag(d) U^-1 with real and distinct eigenvalues d, in ascending order."""
    return eig(A)[0]


def singular_values(A: Any) -> Any:
    """s of a real A = U diag(s) V^T, in descending order."""
    return svd(A)[1]


def spectral_norm(A: Any) -> Any:
    """|A|_2, the largest singular value of a real A; without a derivative where that is there twice, or 0."""
    return singular_values(A)[0]


def nuclear_norm(A: Any) -> Any:
    """|A|_*, the sum of all singular values of a real A; without a derivative where one is 0."""
    return sum(singular_values(A))


def matrix_polynomial(A: Any, coefficients: Sequence[float]) -> Any:
    """The sum over n of a_n A^n of a square A, with numbers (a_0, a_1, ...); ValueError when there is none."""
    A = operand(A, "A")
    value = A.value if isinstance(A, Node) else A
    is_square("matrix_polynomial", value)
    numbers = float_array(coefficients, "coefficients")
    if numbers.ndim != 1 or len(numbers) == 0 or np.iscomplexobj(numbers):
        raise ValueError("matrix_polynomial: coefficients must be a list of real numbers, at least one coefficient")
    identity = np.eye(len(value), dtype=value.dtype)
    C = 0 * identity
    for a in reversed(numbers):  # Horner's rule
        C = A @ C + float(a) * identity
    return C


if not TYPE_CHECKING:  # mypy reads no list that is computed, and takes every name that is defined here
    own = {name: f for name, f in globals().items() if isinstance(f, FunctionType) and f.__module__ == __name__}
    __all__ = [name for name in own if name not in ("of", "operand")]

"""Neighbourhood components analysis: its gradient by reverse mode, beside the equation of the paper.

Goldberger, Roweis, Hinton and Salakhutdinov (2004) learn a K x D matrix A so that nearest neighbours are of the same
class after z = A x. Point i takes j for its neighbour with probability p_ij, and they maximize the expected number of
points that get one of their own class, C_i (eq. 3):

    p_ij = exp(-|z_i - z_j|^2) / sum_{k != i} exp(-|z_i - z_k|^2),  p_ii = 0
    f = sum_i p_i,  p_i = sum_{j in C_i} p_ij

With x_ij = x_i - x_j, the gradient that the paper gives is (eq. 5)

    df/dA = 2 A sum_i (p_i sum_k p_ik x_ik x_ik^T - sum_{j in C_i} p_ij x_ij x_ij^T)

which sums D x D matrices over all pairs: O(N^2 D^2) for N points, while f itself costs O(N^2 K + N D K). The note names
this paper in footnote 11 for its "inefficient expressions for derivatives": reverse mode through the products that
compute f costs as much as f, times a small constant.

    python scripts/examples/neighbourhood_components.py --points 400
"""

from functools import partial
from timeit import timeit
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Product:
    """The matrix product, which counts its multiply-adds: L M N for L x M times M x N."""

    def __init__(self) -> None:
        self.multiply_adds = 0

    def __call__(self, A: Array, B: Array) -> Array:
        self.multiply_adds += len(A) * B.size
        return A @ B


def probabilities(Z: Array, product: Product) -> Array:
    """P, N x N, with p_ij in row i, of the columns z_i of Z."""
    squares = (Z * Z).sum(axis=0)
    R = squares[:, np.newaxis] + squares - 2 * product(Z.T, Z)  # R_ij = |z_i - z_j|^2
    np.fill_diagonal(R, np.inf)
    P = np.exp(R.real.min(axis=1, keepdims=True) - R)  # the nearest neighbour has 1: no row underflows to 0 / 0
    return P / P.sum(axis=1, keepdims=True)


def same_class(labels: Array) -> Array:
    """M_ij = 1 where i and j are of one class, else 0."""
    return np.equal.outer(labels, labels).astype(np.float64)


def objective(A: Array, X: Array, labels: Array, product: Product) -> Any:
    """f of A, K x D and possibly complex, for points in the columns of X, D x N, and N labels.

    Raises ValueError for shapes that do not fit and for fewer than two points.
    """
    X = centred(A, X, labels)
    return np.sum(same_class(labels) * probabilities(product(A, X), product))


def gradient(A: Array, X: Array, labels: Array, product: Product) -> Array:
    """A_bar = df/dA by reverse mode through f = <M, P>, P = softmax(-R), R_ij = |z_i - z_j|^2 and Z = A X.

    O(N^2 K + N D K), twice the products of f. Raises ValueError like `objective`.
    """
    X = centred(A, X, labels)
    Z = product(A, X)
    P = probabilities(Z, product)
    M = same_class(labels)  # P_bar
    p = (P * M).sum(axis=1, keepdims=True)
    R_bar = P * (p - M)
    W = R_bar + R_bar.T  # z_i is in row i and in column i of R
    Z_bar = 2 * (Z * W.sum(axis=0) - product(Z, W))
    return product(Z_bar, X.T)


def gradient_of_the_paper(A: Array, X: Array, labels: Array, product: Product) -> Array:
    """A_bar = df/dA by eq. 5, whose two sums over k and j are one, over k, with weights p_i p_ik - [k in C_i] p_ik.

    O(N^2 D^2), even with the outer products of each i summed by a matrix product. Raises ValueError like `objective`.
    """
    X = centred(A, X, labels)
    P = probabilities(product(A, X), product)
    M = same_class(labels)
    p = (P * M).sum(axis=1, keepdims=True)
    weights = P * (p - M)
    total = np.zeros((len(X), len(X)))
    for x_i, w_i in zip(X.T, weights, strict=True):
        differences = x_i[:, np.newaxis] - X  # x_ik in column k
        total += product(differences * w_i, differences.T)
    return 2 * product(A, total)


def centred(A: Array, X: Array, labels: Array) -> Array:
    """X minus its mean, which no distance sees, but the rounding of squares and products would; ValueError as above."""
    if A.ndim != 2 or X.ndim != 2 or A.shape[1] != len(X) or labels.shape != X.shape[1:] or len(labels) < 2:
        raise ValueError(
            "expected A of shape (K, D), X of shape (D, N) and labels of shape (N,), N > 1, "
            f"got {A.shape}, {X.shape} and {labels.shape}"
        )
    return X - X.mean(axis=1, keepdims=True)


def sample(N: int, D: int, K: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """A, X and labels: N points of three classes, which have different means."""
    labels = np.arange(N) % 3
    X = rng.normal(size=(D, N)) + rng.normal(size=(D, 3))[:, labels]
    return rng.normal(size=(K, D)) / np.sqrt(D), X, labels


SIZES = ((50, 32), (100, 32), (200, 32), (400, 32), (400, 4), (400, 8), (400, 16), (400, 64), (400, 128))


@click.command()
@click.option(
    "--size",
    "sizes",
    type=(click.IntRange(min=2), click.IntRange(min=1)),
    multiple=True,
    default=SIZES,
    help="N and D.",
)
@click.option("--outputs", type=click.IntRange(min=1), default=2, show_default=True, help="K.")
@click.option("--repeats", type=click.IntRange(min=1), default=5, show_default=True, help="The best of so many times.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(sizes: tuple[tuple[int, int], ...], outputs: int, repeats: int, seed: int) -> None:
    """Print how much more the paper's equation costs than reverse mode, as points and inputs become more.

    Multiply-adds are those of matrix products. They leave out the exponentials, N^2 of them in f and in both gradients,
    which is why the ratio of the times is smaller. Times are in those of f; the difference is relative to the norm.
    """
    click.echo(f"{'':11s}{'multiply-adds':>20s}{'':8s}{'time':>15s}")
    names = f"{'eq. 5':>10s}{'reverse':>10s}{'ratio':>8s}"
    click.echo(f"{'N':>5s}{'D':>6s}{names}{names}{'difference':>12s}")
    for N, D in sizes:
        arguments = sample(N, D, outputs, np.random.default_rng(seed))
        functions = (gradient_of_the_paper, gradient, objective)
        products = [Product() for _ in functions]
        bars = [function(*arguments, product) for function, product in zip(functions, products, strict=True)]
        paper, reverse, _ = (product.multiply_adds for product in products)
        calls = [partial(function, *arguments, Product()) for function in functions]
        times = np.min([[timeit(call, number=1) for call in calls] for _ in range(repeats)], axis=0)
        difference = np.linalg.norm(bars[0] - bars[1]) / np.linalg.norm(bars[1])
        click.echo(
            f"{N:5d}{D:6d}{paper:10.1e}{reverse:10.1e}{paper / reverse:8.0f}"
            f"{times[0] / times[2]:10.1f}{times[1] / times[2]:10.1f}{times[0] / times[1]:8.1f}{difference:12.0e}"
        )


if __name__ == "__main__":
    main()

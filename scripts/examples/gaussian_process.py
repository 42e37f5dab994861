"""The marginal likelihood of a Gaussian process: one S_bar, then an inner product for each hyper-parameter.

Targets y at n inputs, the rows of X (n x D), are drawn together from N(0, S), with a squared-exponential covariance, a
length-scale l_d for each input ("automatic relevance determination"), a signal variance s and a noise variance v:

    S_ij = s exp(-1/2 sum_d (x_id - x_jd)^2 / l_d^2) + v [i = j]
    c = 1/2 y^T S^-1 y + 1/2 log det S + n/2 log 2 pi       the negative log likelihood

(Rasmussen and Williams 2006, eq. 5.8). With alpha = S^-1 y and S_dot = dS/dtheta, its derivatives are (eq. 5.9)

    dc/dtheta = 1/2 tr(S^-1 S_dot) - 1/2 alpha^T S_dot alpha                                     by solves
              = <S_bar, S_dot>,  S_bar = 1/2 (S^-1 - alpha alpha^T)                              by S_bar

The first line is forward mode. Taken literally, it costs a solve, O(n^3), for each hyper-parameter. In the second line
S_bar costs O(n^3) once, and each hyper-parameter an inner product, O(n^2). The note says that several Gaussian-process
frameworks "are slower than they should be", and that GPML got its scaling right in September 2016.

    python scripts/examples/gaussian_process.py --examples 500
"""

from collections.abc import Iterator
from functools import partial
from timeit import timeit
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

import mlp.autodiff as ad

Array = NDArray[Any]


class Algebra:
    """Operations on n x n matrices that count themselves: `cubic` cost O(n^3) each, `quadratic` O(n^2)."""

    def __init__(self) -> None:
        self.cubic = 0
        self.quadratic = 0

    def inverse(self, S: Array) -> Array:
        """S^-1; ValueError where S is singular to working precision."""
        self.cubic += 1
        return ad.inverse(S)

    def solve(self, S: Array, B: Array) -> Array:
        """S^-1 B."""
        self.cubic += 1
        return np.linalg.solve(S, B)

    def inner(self, X: Array, Y: Array) -> Any:
        """<X, Y>."""
        self.quadratic += 1
        return ad.inner(X, Y)


def covariance(theta: Any, X: Array) -> Any:
    """S, n x n, of theta = log (l_1, ..., l_D, s, v): numbers, complex numbers, or a node of a graph.

    Raises ValueError for shapes that do not fit.
    """
    if X.ndim != 2 or theta.shape != (X.shape[1] + 2,):
        raise ValueError(f"expected X of shape (n, D) and theta of shape (D + 2,), got {X.shape} and {theta.shape}")
    D = X.shape[1]
    Z = X / ad.exp(theta[:D])
    squares = ad.sum(Z * Z, axis=1, keepdims=True)
    distances = squares + squares.T - 2 * (Z @ Z.T)
    return ad.exp(theta[D]) * ad.exp(-distances / 2) + ad.exp(theta[D + 1]) * np.eye(len(X))


def negative_log_likelihood(S: Any, y: Array) -> Any:
    """c of S = L L^T, where y^T S^-1 y = |L^-1 y|^2 and log det S = 2 sum log L_ii; S an array or a node.

    Raises ValueError where S is not positive definite to working precision, or y does not have shape (n,).
    """
    if y.shape != S.shape[:1]:
        raise ValueError(f"expected y of shape {S.shape[:1]}, got {y.shape}")
    L = ad.cholesky(S)
    z = ad.solve_triangular(L, y)
    diagonal = np.arange(len(y))
    return z @ z / 2 + ad.sum(ad.log(L[diagonal, diagonal])) + len(y) / 2 * np.log(2 * np.pi)


def cost(theta: Any, X: Array, y: Array) -> Any:
    """c of theta, X and y: of a node theta a node."""
    return negative_log_likelihood(covariance(theta, X), y)


def directions(theta: Array, X: Array, S: Array) -> Iterator[Array]:
    """S_dot = dS/dtheta_k for k = 1, ..., D + 2, one after the other, from the exponentials that S has already."""
    *lengths, _, noise_variance = np.exp(theta)
    noise = noise_variance * np.eye(len(S))
    signal = S - noise
    for x, length in zip(X.T, lengths, strict=True):
        yield signal * (np.subtract.outer(x, x) / length) ** 2
    yield signal
    yield noise


def gradient(theta: Array, X: Array, y: Array, algebra: Algebra) -> Array:
    """theta_bar = dc/dtheta by S_bar: one inverse, and D + 2 inner products."""
    S = covariance(theta, X)
    S_inverse = algebra.inverse(S)
    alpha = S_inverse @ y
    S_bar = (S_inverse - np.outer(alpha, alpha)) / 2
    return np.array([algebra.inner(S_bar, S_dot) for S_dot in directions(theta, X, S)])


def gradient_by_solves(theta: Array, X: Array, y: Array, algebra: Algebra) -> Array:
    """theta_bar = dc/dtheta by solves: one, and D + 2 more. Keeping a factor of S would save a constant alone."""
    S = covariance(theta, X)
    alpha = algebra.solve(S, y)
    return np.array(
        [
            (np.trace(algebra.solve(S, S_dot)) - algebra.inner(alpha, S_dot @ alpha)) / 2
            for S_dot in directions(theta, X, S)
        ]
    )


def gradient_by_graph(theta: Array, X: Array, y: Array) -> Array:
    """theta_bar = dc/dtheta by reverse mode through the graph of c, which finds S_bar and goes on to theta."""
    graph = ad.Graph()
    node = graph.input(theta, "theta")
    return ad.reverse_mode(cost(node, X, y))[node]


def sample(n: int, D: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """theta, X and y: n examples from the prior of a theta near (0, ..., 0, -2), of D inputs."""
    X = rng.normal(size=(n, D))
    theta = np.append(rng.normal(scale=0.1, size=D + 1), -2.0)
    return theta, X, np.linalg.cholesky(covariance(theta, X)) @ rng.normal(size=n)


@click.command()
@click.option("--examples", type=click.IntRange(min=1), default=500, show_default=True, help="n.")
@click.option(
    "--inputs", type=click.IntRange(min=1), multiple=True, default=(1, 2, 4, 8, 16, 32), show_default=True, help="D."
)
@click.option("--repeats", type=click.IntRange(min=1), default=5, show_default=True, help="The best of so many times.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(examples: int, inputs: tuple[int, ...], repeats: int, seed: int) -> None:
    """Print what the gradients cost as the hyper-parameters, D + 2, become more.

    Times are ratios to the time of one inverse of S, all taken in turns. The difference is the largest one between the
    gradients, relative to their norm.
    """
    click.echo(f"{f'n = {examples}':11s}{'by S_bar':>19s}{'by solves':>25s}{'by graph':>14s}")
    click.echo(
        f"{'theta':>5s}" + 2 * f"{'O(n^3)':>10s}{'O(n^2)':>8s}{'time':>7s}" + f"{'time':>14s}{'difference':>14s}"
    )
    for D in inputs:
        theta, X, y = sample(examples, D, np.random.default_rng(seed))
        by_S_bar, by_solves = Algebra(), Algebra()
        bars = [gradient(theta, X, y, by_S_bar), gradient_by_solves(theta, X, y, by_solves)]
        bars.append(gradient_by_graph(theta, X, y))
        calls = [
            partial(ad.inverse, covariance(theta, X)),
            partial(gradient, theta, X, y, Algebra()),
            partial(gradient_by_solves, theta, X, y, Algebra()),
            partial(gradient_by_graph, theta, X, y),
        ]
        one, *times = np.min([[timeit(call, number=1) for call in calls] for _ in range(repeats)], axis=0)
        row = f"{D + 2:5d}"
        for algebra, time in zip((by_S_bar, by_solves), times, strict=False):
            row += f"{algebra.cubic:10d}{algebra.quadratic:8d}{time / one:7.1f}"
        difference = max(np.linalg.norm(bar - bars[0]) for bar in bars) / np.linalg.norm(bars[0])
        click.echo(f"{row}{times[2] / one:14.1f}{difference:14.0e}")


if __name__ == "__main__":
    main()

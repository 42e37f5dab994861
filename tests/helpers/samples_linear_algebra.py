"""Inputs on which the functions of linear algebra are well conditioned and have a derivative.

SAMPLES maps an operation's name to functions of a generator that return (inputs, options), and COMPOSITIONS does so for
the functions that combine operations. Sizes within a sample differ where they may. Each name has its smallest case and,
where a vector may stand for a column, a vector.
"""

import numpy as np


def general(N):
    """N x N, diagonal enough to be far from singular; no symmetry."""
    return lambda rng: rng.normal(size=(N, N)) + 2 * np.sqrt(N) * np.eye(N)


def negative(N):
    """The same with its first row turned round, so that the determinant changes its sign."""
    return lambda rng: np.diag([-1.0] + [1.0] * (N - 1)) @ general(N)(rng)


def normal(*shape):
    return lambda rng: rng.normal(size=shape)


def close_to_identity(rows, columns, rng):
    """Not too far, so that small steps leave alone which component of an eigenvector decides its sign."""
    return np.eye(rows, columns) + 0.1 * rng.normal(size=(rows, columns))


def orthogonal(rows, columns, rng):
    return np.linalg.qr(close_to_identity(rows, columns, rng))[0]


def spectrum(K, rng):
    """K ascending values about 1 apart, from 1 up."""
    return np.arange(K) + rng.uniform(1.0, 1.2, size=K)


def symmetric(N, shift=0.0):
    """N x N symmetric with eigenvalues about 1 apart; a shift of half a spectrum makes it indefinite."""

    def make(rng):
        Q = orthogonal(N, N, rng)
        S = (Q * (spectrum(N, rng) - shift)) @ Q.T
        return (S + S.T) / 2

    return make


def real_spectrum(N):
    """N x N, not symmetric, with real eigenvalues about 1 apart."""

    def make(rng):
        U = close_to_identity(N, N, rng)
        return (U * spectrum(N, rng)) @ np.linalg.inv(U)

    return make


def rectangular(M, N):
    """M x N with singular values about 1 apart."""

    def make(rng):
        K = min(M, N)
        return (orthogonal(M, K, rng) * spectrum(K, rng)) @ orthogonal(N, K, rng).T

    return make


def sample(*makers, **options):
    return lambda rng: (tuple(make(rng) for make in makers), options)


SAMPLES = {
    "inverse": [sample(general(4)), sample(negative(3)), sample(general(1))],
    "solve": [sample(general(4), normal(4, 3)), sample(general(3), normal(3, 3)), sample(general(4), normal(4))],
    "determinant": [sample(general(4)), sample(negative(3)), sample(general(1))],
    "log_abs_determinant": [sample(general(4)), sample(negative(3)), sample(negative(1))],
    "matrix_exponential": [
        sample(normal(4, 4)),
        sample(lambda rng: 6 * rng.normal(size=(3, 3))),
        sample(lambda rng: 1e-3 * rng.normal(size=(2, 2))),
        sample(normal(1, 1)),
    ],
    "eigh": [sample(symmetric(5, shift=3.5)), sample(symmetric(3)), sample(symmetric(1))],
    "eig": [sample(real_spectrum(4)), sample(real_spectrum(3)), sample(real_spectrum(1))],
    "svd": [sample(rectangular(*shape)) for shape in ((5, 3), (2, 4), (3, 3), (4, 1), (1, 1))],
    "cholesky": [sample(symmetric(5)), sample(symmetric(3)), sample(symmetric(1)), sample(symmetric(40))],
}

COMPOSITIONS = {
    "tril": [sample(normal(3, 4)), sample(normal(4, 3), k=-1), sample(normal(3, 3), k=1), sample(normal(1, 1))],
    "triu": [sample(normal(3, 4)), sample(normal(4, 3), k=-1), sample(normal(3, 3), k=1), sample(normal(1, 1))],
    "mean": [
        sample(normal(3, 4)),
        sample(normal(3, 4), axis=0),
        sample(normal(3, 4), axis=-1, keepdims=True),
        sample(normal(2, 3, 4), axis=(0, -1)),
        sample(normal()),
    ],
    "vec": [sample(normal(*shape)) for shape in ((3, 4), (1, 4), (3,), ())],
    "transposed_product": [sample(normal(4, 3), normal(4, 2)), sample(normal(1, 3), normal(1, 1))],
    "bilinear_form": [
        sample(normal(4), normal(4, 3), normal(3)),
        sample(normal(4, 2), normal(4, 3), normal(3, 5)),
        sample(normal(4), normal(4, 3), normal(3, 2)),
        sample(normal(4, 1), normal(4, 4), normal(4)),
    ],
    "quadratic_form": [
        sample(normal(4), normal(4, 4)),
        sample(normal(4, 3), normal(4, 4)),
        sample(normal(3, 1), normal(3, 3)),
    ],
    "inverse_quadratic_form": [
        sample(normal(4), general(4)),
        sample(normal(4, 3), general(4)),
        sample(normal(3, 1), negative(3)),
    ],
    "solve_transposed": [
        sample(general(4), normal(4, 3)),
        sample(general(3), normal(3, 1)),
        sample(general(4), normal(4)),
    ],
    "solve_right": [
        sample(normal(3, 4), general(4)),
        sample(normal(1, 3), general(3)),
        sample(normal(3, 3), general(3)),
    ],
    "solve_triangular": [
        sample(general(4), normal(4, 3)),
        sample(general(3), normal(3)),
        sample(general(1), normal(1, 2)),
    ],
    "trace_product": [sample(normal(4, 3), normal(4, 3)), sample(normal(1, 2), normal(1, 2))],
    "trace_matrix_product": [sample(normal(4, 3), normal(3, 4)), sample(normal(1, 2), normal(2, 1))],
    "trace_quadratic_form": [sample(normal(4, 3), normal(4, 4)), sample(normal(3, 1), normal(3, 3))],
    "trace_inverse": [sample(general(4)), sample(negative(3)), sample(general(1))],
    "squared_frobenius_norm": [sample(normal(4, 3)), sample(normal(1, 1))],
    "frobenius_norm": [sample(normal(4, 3)), sample(normal(3, 1)), sample(normal(1, 1))],
    "matrix_polynomial": [
        sample(normal(4, 4), coefficients=(0.5, -1.0, 2.0, 0.3)),
        sample(normal(3, 3), coefficients=(0.0, 0.0, 0.0, 1.0)),
        sample(normal(3, 3), coefficients=(2.0, -1.5)),
        sample(normal(1, 1), coefficients=(2.0, 0.7, 0.1)),
    ],
    "eigenvalues": [sample(real_spectrum(4)), sample(real_spectrum(3)), sample(real_spectrum(1))],
    "eigenvalues_symmetric": [sample(symmetric(5, shift=3.5)), sample(symmetric(3)), sample(symmetric(1))],
    "singular_values": [sample(rectangular(*shape)) for shape in ((5, 3), (2, 4), (3, 3), (4, 1), (1, 1))],
    "spectral_norm": [sample(rectangular(*shape)) for shape in ((5, 3), (2, 4), (4, 1), (1, 1))],
    "nuclear_norm": [sample(rectangular(*shape)) for shape in ((5, 3), (2, 4), (4, 1), (1, 1))],
}

# These refuse complex matrices. (The Cholesky factor of complex input is computed without LAPACK.)
NOT_ANALYTIC = {"eig", "eigh", "svd", "eigenvalues", "eigenvalues_symmetric"}
NOT_ANALYTIC |= {"singular_values", "spectral_norm", "nuclear_norm"}

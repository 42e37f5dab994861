"""The Cholesky decomposition: Murray's reverse algorithms, the two conventions for S_bar, and refusals."""

import importlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mlp import autodiff
from mlp.autodiff.operation import inner
from mlp.autodiff.rules import OPERATIONS

# The package's own name `cholesky` is the function to write expressions with.
module = importlib.import_module("mlp.autodiff.rules.cholesky")
cholesky = OPERATIONS["cholesky"]

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("cholesky_script", ROOT / "scripts/cholesky.py")
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)

S = np.array([[4.0, 2, 1], [2, 5, 3], [1, 3, 6]])
L = np.array([[2.0, 0, 0], [1, 2, 0], [0.5, 1.25, 2.0463381929681125]])
L_BAR = np.array([[1.0, 0, 0], [2, 3, 0], [-1, 4, 5]])
S_DOT = np.array([[1.0, 2, -1], [2, 0, 1], [-1, 1, 3]])
L_DOT = np.array([[0.25, 0, 0], [0.875, -0.4375, 0], [-0.5625, 0.8359375, 0.35982719158068023]])
S_BAR = np.array(
    [
        [0.34852224392016817, 0.13977756079831827, -0.67364409727730924],
        [0.13977756079831827, 0.60222439201681728, 0.23644097277309235],
        [-0.67364409727730924, 0.23644097277309235, 1.2216944435630522],
    ]
)
S_BAR_LOWER = np.array(
    [
        [0.34852224392016817, 0, 0],
        [0.27955512159663654, 0.60222439201681728, 0],
        [-1.3472881945546185, 0.47288194554618471, 1.2216944435630522],
    ]
)
INNER = 6.3928859579034011


def reverse_symbolic(L, L_bar):
    """S_bar (lower) = Phi(Z), Z = L^-T (P + P^T) L^-1, P = Phi(L^T L_bar): Murray's symbolic rule, with solves of full
    size."""
    P = module.half_lower(L.T @ L_bar)
    X = np.linalg.solve(L.T, P + P.T)
    return module.half_lower(np.linalg.solve(L.T, X.T))


REVERSES = {
    "symbolic": reverse_symbolic,
    "unblocked": module.reverse_unblocked,
    "blocked": module.reverse_blocked,
    "blocks of 2": lambda L, L_bar: module.reverse_blocked(L, L_bar, 2),
}


def close(found, wanted, tolerance=1e-14):
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


def positive_definite(N, rng):
    A = rng.normal(size=(N, N))
    return A @ A.T / N + np.eye(N)


def test_the_symmetric_convention():
    """The operation's: <S_bar, S_dot> over all i, j is <L_bar, L_dot>."""
    close(cholesky.value(S), L)
    close(cholesky.forward((S_DOT,), L, S), L_DOT)
    (S_bar,) = cholesky.reverse(L_BAR, L, S)
    close(S_bar, S_BAR)
    np.testing.assert_array_equal(S_bar, S_bar.T)
    close(inner(S_bar, S_DOT), INNER)
    close(inner(L_BAR, L_DOT), INNER)


@pytest.mark.parametrize("reverse", REVERSES.values(), ids=REVERSES)
def test_the_lower_triangle_convention(reverse):
    """That of Murray's algorithms: the sum over i >= j alone is <L_bar, L_dot>."""
    S_bar = reverse(L, L_BAR)
    close(S_bar, S_BAR_LOWER)
    np.testing.assert_array_equal(S_bar, np.tril(S_bar))
    close(inner(S_bar, np.tril(S_DOT)), INNER)
    close((S_bar + S_bar.T) / 2, S_BAR)


@pytest.mark.parametrize("block_size", [1, 2, 3, 5, 8, 64])
@pytest.mark.parametrize("N", [1, 2, 5, 8, 15, 40])
def test_blocked_unblocked_and_symbolic_agree(N, block_size):
    rng = np.random.default_rng([N, block_size])
    L = np.linalg.cholesky(positive_definite(N, rng))
    L_bar = rng.normal(size=(N, N))  # what is above the diagonal is not read
    kept = L.copy(), L_bar.copy()
    wanted = reverse_symbolic(L, L_bar)
    for S_bar in (module.reverse_unblocked(L, L_bar), module.reverse_blocked(L, L_bar, block_size)):
        assert np.linalg.norm(S_bar - wanted) <= 1e-13 * np.linalg.norm(wanted)
        assert not np.shares_memory(S_bar, L_bar)
    np.testing.assert_array_equal(kept, (L, L_bar))


def test_the_operation_crosses_its_block_size():
    rng = np.random.default_rng(1)
    N = 2 * module.BLOCK_SIZE + 7
    S, L_bar, S_dot = positive_definite(N, rng), rng.normal(size=(N, N)), rng.normal(size=(N, N))
    L = cholesky.value(S)
    left = inner(L_bar, cholesky.forward((S_dot,), L, S))
    np.testing.assert_allclose(inner(cholesky.reverse(L_bar, L, S)[0], S_dot), left, rtol=1e-11)


def test_column_by_column_is_lapacks_factor():
    S = positive_definite(13, np.random.default_rng(2))
    close(module.factor(S), np.linalg.cholesky(S))
    close(cholesky.value(S + 0j), np.linalg.cholesky(S))


def test_back_through_a_graph_the_log_determinant_has_bar_the_inverse():
    """2 sum_i log L_ii = log det S, and S_bar = S^-1."""
    graph = autodiff.Graph()
    node = graph.input(S, "S")
    diagonal = autodiff.cholesky(node)[np.arange(3), np.arange(3)]
    c = 2 * autodiff.sum(autodiff.log(diagonal))
    close(c.value, 4.2046926193909661)
    inverse = [
        [0.31343283582089552, -0.13432835820895522, 0.014925373134328358],
        [-0.13432835820895522, 0.34328358208955224, -0.14925373134328358],
        [0.014925373134328358, -0.14925373134328358, 0.23880597014925373],
    ]
    close(autodiff.reverse_mode(c)[node], inverse, 1e-15)


def test_asymmetry_by_rounding_is_averaged_away():
    rough = S.copy()
    rough[0, 2] += 1e-9
    close(cholesky.value(rough), cholesky.value((rough + rough.T) / 2), 0)
    S_dot = np.array([[0.0, 0, 1], [0, 0, 0], [0, 0, 0]])  # half of it counts, as S_bar says
    L_dot = cholesky.forward((S_dot,), L, S)
    close(inner(L_BAR, L_dot), S_BAR[0, 2])


@pytest.mark.parametrize("kind", [float, complex])
def test_what_is_not_positive_definite_is_refused(kind):
    for diagonal, smallest in (([3.0, -2, 1], "-2"), ([-1.0, -1, -5], "-5")):
        with pytest.raises(
            ValueError, match=rf"^cholesky: .*not positive definite \(its smallest eigenvalue is {smallest}\)"
        ):
            cholesky.value(np.diag(diagonal).astype(kind))
    X = np.random.default_rng(3).normal(size=(6, 5))
    for singular in (np.ones((2, 2)), np.diag([1.0, 0]), X @ X.T):
        with pytest.raises(ValueError, match=r"^cholesky: the matrix is singular") as error:
            cholesky.value(singular.astype(kind))
        assert type(error.value) is ValueError  # not its subclass LinAlgError


@pytest.mark.parametrize("block_size", [0, -2])
def test_a_block_has_at_least_one_row(block_size):
    with pytest.raises(ValueError, match="block size must be at least 1"):
        module.reverse_blocked(L, L_BAR, block_size)


def test_the_script_prints_a_row_for_each_size():
    result = CliRunner().invoke(script.main, ["--smallest", "16", "--largest", "70", "--repeats", "1"])
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines()]
    assert rows[0] == ["N", "unblocked", "blocked", "ratio"]
    assert [row[0] for row in rows[1:]] == ["16", "32", "64"]
    for _, unblocked, blocked, ratio in rows[1:]:
        assert float(ratio) == pytest.approx(float(unblocked) / float(blocked), abs=0.01, rel=0.01)


@pytest.mark.parametrize("N", [100, 300])
def test_only_the_diagonal_blocks_are_left_to_the_unblocked_algorithm(N, monkeypatch):
    """What grows as N^3 is matrix products; how much faster that is, scripts/cholesky.py measures."""
    sizes = []
    unblocked = module.reverse_unblocked

    def spy(L, L_bar):
        sizes.append(len(L))
        return unblocked(L, L_bar)

    monkeypatch.setattr(module, "reverse_unblocked", spy)
    module.reverse_blocked(np.eye(N) + np.tri(N) / N, np.ones((N, N)), 48)
    assert sum(sizes) == N
    assert max(sizes) == 48
    assert len(sizes) == -(-N // 48)

"""The two examples from the literature: their gradients agree, are derivatives, and cost what is claimed."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from numerical import central_differences, complex_step, relative_error

import mlp.autodiff as ad

FOLDER = Path(__file__).parents[2] / "scripts/examples"


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gp = load("gaussian_process")
nca = load("neighbourhood_components")


# Gaussian process: n examples of D inputs.
GP_SIZES = [(1, 1), (7, 1), (4, 4), (9, 3), (5, 8)]


@pytest.fixture(params=GP_SIZES, ids=str)
def problem(request):
    theta, X, y = gp.sample(*request.param, np.random.default_rng(sum(request.param)))
    return SimpleNamespace(theta=theta, X=X, y=y)


def test_covariance_element_by_element(problem):
    S = gp.covariance(problem.theta, problem.X)
    *lengths, signal, noise = np.exp(problem.theta)
    for i, x in enumerate(problem.X):
        for j, other in enumerate(problem.X):
            wanted = signal * np.exp(-0.5 * sum(((x - other) / lengths) ** 2)) + noise * (i == j)
            assert S[i, j] == pytest.approx(wanted, rel=1e-13)


def test_likelihood_of_two_examples_by_hand():
    """S = [[a, b], [b, a]] has eigenvalues a + b and a - b, with vectors (1, 1) and (1, -1) over sqrt 2."""
    a, b, y = 2.5, 0.7, np.array([0.3, -1.1])
    c = ((y[0] + y[1]) ** 2 / (a + b) + (y[0] - y[1]) ** 2 / (a - b)) / 4
    c += np.log(a + b) / 2 + np.log(a - b) / 2 + np.log(2 * np.pi)
    assert gp.negative_log_likelihood(np.array([[a, b], [b, a]]), y) == pytest.approx(c, rel=1e-14)


def test_gradient_of_one_example_by_hand():
    """S = s + v, a number: c = y^2 / 2S + 1/2 log S + ..., so S_bar = (1/S - y^2/S^2) / 2, whatever the length."""
    s, v, y = 1.5, 0.25, 0.8
    S_bar = (1 / (s + v) - y**2 / (s + v) ** 2) / 2
    bar = gp.gradient(np.log([3.0, s, v]), np.array([[0.4]]), np.array([y]), gp.Algebra())
    np.testing.assert_allclose(bar, [0, S_bar * s, S_bar * v], rtol=1e-14)


def test_gp_gradients_agree(problem):
    theta, X, y = problem.theta, problem.X, problem.y
    bar = gp.gradient(theta, X, y, gp.Algebra())
    assert relative_error(gp.gradient_by_solves(theta, X, y, gp.Algebra()), bar) < 1e-12
    assert relative_error(gp.gradient_by_graph(theta, X, y), bar) < 1e-12


def test_gp_gradient_is_the_derivative_of_the_cost(problem):
    theta, X, y = problem.theta, problem.X, problem.y
    bar = gp.gradient(theta, X, y, gp.Algebra())
    moved = theta.copy()
    assert relative_error(central_differences(lambda: gp.cost(moved, X, y), moved), bar) < 1e-9
    moved = theta.astype(complex)
    assert relative_error(complex_step(lambda: gp.cost(moved, X, y), moved), bar) < 1e-12


def test_forward_mode_takes_a_sweep_for_each_hyper_parameter_to_the_same(problem):
    graph = ad.Graph()
    theta = graph.input(problem.theta)
    c = gp.cost(theta, problem.X, problem.y)
    bar = np.array([ad.forward_mode({theta: one_hot})[c] for one_hot in np.eye(len(problem.theta))])
    assert relative_error(bar, gp.gradient(problem.theta, problem.X, problem.y, gp.Algebra())) < 1e-12


def test_S_bar_is_the_bar_of_S_in_the_graph():
    theta, X, y = gp.sample(6, 2, np.random.default_rng(0))
    graph = ad.Graph()
    S = graph.input(gp.covariance(theta, X))
    alpha = np.linalg.solve(S.value, y)
    S_bar = (np.linalg.inv(S.value) - np.outer(alpha, alpha)) / 2
    assert relative_error(ad.reverse_mode(gp.negative_log_likelihood(S, y))[S], S_bar) < 1e-12


@pytest.mark.parametrize("D", [1, 3, 10])
def test_one_inverse_or_a_solve_for_each_hyper_parameter(D):
    theta, X, y = gp.sample(5, D, np.random.default_rng(0))
    algebra = gp.Algebra()
    gp.gradient(theta, X, y, algebra)
    assert (algebra.cubic, algebra.quadratic) == (1, D + 2)
    algebra = gp.Algebra()
    gp.gradient_by_solves(theta, X, y, algebra)
    assert (algebra.cubic, algebra.quadratic) == (D + 3, D + 2)


def test_all_decompositions_are_counted(monkeypatch):
    """Beside the inverse and the solves that count themselves, nothing of LAPACK runs."""
    theta, X, y = gp.sample(5, 2, np.random.default_rng(0))
    calls = []

    def spy(name, function):
        return lambda *arguments: (calls.append(name), function(*arguments))[1]

    for name in ("inv", "solve", "cholesky", "eigh", "eigvalsh", "svd", "slogdet", "det", "pinv", "qr", "lstsq"):
        monkeypatch.setattr(np.linalg, name, spy(name, getattr(np.linalg, name)))
    gp.gradient(theta, X, y, gp.Algebra())
    assert calls == ["inv"]
    calls.clear()
    gp.gradient_by_solves(theta, X, y, gp.Algebra())
    assert calls == ["solve"] * 5


def test_singular_covariance_is_refused():
    theta, X, y = np.array([0.0, 0, -80]), np.array([[1.0], [1.0], [2.0]]), np.zeros(3)
    with pytest.raises(ValueError, match="the matrix is singular"):
        gp.gradient(theta, X, y, gp.Algebra())
    with pytest.raises(ValueError, match="the matrix is singular"):
        gp.cost(theta, X, y)
    with pytest.raises(ValueError, match="not positive definite"):
        gp.negative_log_likelihood(np.diag([1.0, -1, 2]), y)


def test_gp_shapes_are_refused():
    theta, X, y = gp.sample(4, 2, np.random.default_rng(0))
    for wrong in ((theta[1:], X, y), (theta, X.T, y), (theta, X[:, 0], y)):
        with pytest.raises(ValueError, match=r"theta of shape \(D \+ 2,\)"):
            gp.gradient(*wrong, gp.Algebra())
    with pytest.raises(ValueError, match=r"y of shape \(4,\)"):
        gp.cost(theta, X, y[:, np.newaxis])


def test_gp_script_prints_counts_that_grow_and_counts_that_do_not():
    options = ["--examples", "6", "--inputs", "1", "--inputs", "5", "--repeats", "1"]
    done = CliRunner().invoke(gp.main, options)
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.output.splitlines()[2:]]
    assert [(row[0], row[1], row[2], row[4], row[5]) for row in rows] == [
        ("3", "1", "3", "4", "3"),
        ("7", "1", "7", "8", "7"),
    ]
    assert all(float(row[-1]) < 1e-11 for row in rows)


# Neighbourhood components: N points of D inputs in K outputs.
NCA_SIZES = [(3, 1, 1), (9, 4, 2), (6, 6, 3), (12, 5, 5), (7, 3, 1)]


@pytest.fixture(params=NCA_SIZES, ids=str)
def points(request):
    N, D, K = request.param
    A, X, _ = nca.sample(N, D, K, np.random.default_rng(N))
    return SimpleNamespace(A=A, X=X, labels=np.arange(N) // 2 % 3)


def with_counts(function, points):
    product = nca.Product()
    return function(points.A, points.X, points.labels, product), product.multiply_adds


def test_objective_point_by_point(points):
    """The paper's equations 1 to 3, in loops."""
    Z, labels, f = (points.A @ points.X).T, points.labels, 0.0
    for i, z in enumerate(Z):
        e = [0.0 if k == i else np.exp(-np.sum((z - other) ** 2)) for k, other in enumerate(Z)]
        f += sum(e[j] for j in range(len(Z)) if labels[j] == labels[i]) / sum(e)
    assert with_counts(nca.objective, points)[0] == pytest.approx(f, rel=1e-13)


def test_nca_gradients_agree(points):
    bar, paper = (with_counts(f, points)[0] for f in (nca.gradient, nca.gradient_of_the_paper))
    assert relative_error(bar, paper) < 1e-12


def test_the_gradient_of_the_paper_pair_by_pair():
    """Equation 5 as it is written: outer products of all pairs."""
    A, X, labels = nca.sample(8, 3, 2, np.random.default_rng(5))
    P, same = nca.probabilities(A @ X, nca.Product()), nca.same_class(labels)
    total = np.zeros((3, 3))
    for i in range(8):
        outer = [np.outer(X[:, i] - X[:, k], X[:, i] - X[:, k]) for k in range(8)]
        total += (P[i] @ same[i]) * sum(P[i, k] * outer[k] for k in range(8))
        total -= sum(P[i, j] * outer[j] for j in range(8) if same[i, j])
    assert relative_error(nca.gradient_of_the_paper(A, X, labels, nca.Product()), 2 * A @ total) < 1e-13
    assert relative_error(nca.gradient(A, X, labels, nca.Product()), 2 * A @ total) < 1e-13


@pytest.mark.parametrize("function", ["gradient", "gradient_of_the_paper"])
def test_nca_gradients_are_derivatives_of_the_objective(function, points):
    bar, _ = with_counts(getattr(nca, function), points)
    points.A = points.A.copy()
    assert relative_error(central_differences(lambda: with_counts(nca.objective, points)[0], points.A), bar) < 1e-9
    points.A = points.A.astype(complex)
    assert relative_error(complex_step(lambda: with_counts(nca.objective, points)[0], points.A), bar) < 1e-12


def test_two_points_of_one_class_have_no_gradient():
    A, X, _ = nca.sample(2, 3, 2, np.random.default_rng(0))
    for function in (nca.gradient, nca.gradient_of_the_paper):
        np.testing.assert_allclose(function(A, X, np.array([4, 4]), nca.Product()), 0, atol=1e-15)


def test_reverse_mode_of_a_graph_finds_the_same(points):
    graph = ad.Graph()
    A = graph.input(points.A)
    Z = A @ points.X
    squares = ad.sum(Z * Z, axis=0, keepdims=True)
    E = ad.exp(2 * (Z.T @ Z) - squares - squares.T) * (1 - np.eye(len(points.labels)))
    f = ad.sum(E / ad.sum(E, axis=1, keepdims=True) * nca.same_class(points.labels))
    bar, _ = with_counts(nca.gradient, points)
    assert relative_error(ad.reverse_mode(f)[A], bar) < 1e-12


def test_multiply_adds(points):
    (K, D), N = points.A.shape, len(points.labels)
    assert with_counts(nca.objective, points)[1] == N * D * K + N * N * K
    assert with_counts(nca.gradient, points)[1] == 2 * (N * D * K + N * N * K)
    assert with_counts(nca.gradient_of_the_paper, points)[1] == N * D * K + N * N * K + N * N * D * D + K * D * D


def test_far_and_shifted_points_lose_nothing():
    """Other points so far that exp(-distance) is 0 for all of them, and coordinates with a large mean."""
    A, X, labels = nca.sample(6, 3, 2, np.random.default_rng(0))
    far = nca.gradient(100 * A, X, labels, nca.Product())
    assert np.isfinite(far).all()
    assert nca.probabilities(100 * A @ X, nca.Product()).sum() == pytest.approx(6)
    shifted = nca.gradient(A, X + 1e6, labels, nca.Product())
    assert relative_error(shifted, nca.gradient(A, X, labels, nca.Product())) < 1e-8


def test_labels_may_be_names():
    A, X, labels = nca.sample(6, 3, 2, np.random.default_rng(0))
    names = np.array(["no", "yes", "maybe"])[labels]
    equal = nca.gradient(A, X, names, nca.Product()) == nca.gradient(A, X, labels, nca.Product())
    assert equal.all()


@pytest.mark.parametrize("function", ["objective", "gradient", "gradient_of_the_paper"])
def test_nca_shapes_are_refused(function):
    A, X, labels = nca.sample(5, 3, 2, np.random.default_rng(0))
    for wrong in ((A.T, X, labels), (A, X.T, labels), (A, X, labels[1:]), (A[0], X, labels), (A, X[:, :1], labels[:1])):
        with pytest.raises(ValueError, match=r"labels of shape \(N,\), N > 1"):
            getattr(nca, function)(*wrong, nca.Product())


def test_nca_script_prints_the_ratio_of_the_costs():
    done = CliRunner().invoke(nca.main, ["--size", "6", "3", "--size", "10", "40", "--repeats", "1"])
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.output.splitlines()[2:]]
    for row, (N, D) in zip(rows, [(6, 3), (10, 40)], strict=True):
        ratio = (2 * N * D + 2 * N * N + N * N * D * D + 2 * D * D) / (4 * N * D + 4 * N * N)
        assert [row[0], row[1], row[4]] == [str(N), str(D), f"{ratio:.0f}"]
        assert float(row[-1]) < 1e-12

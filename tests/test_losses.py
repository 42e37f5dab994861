"""Losses at known points and at extreme logits; their seeds as derivatives are in test_gradients.py."""

import numpy as np
import pytest
from numerical import complex_step, relative_error

from mlp import LogisticCrossEntropy, SoftmaxCrossEntropy, SquaredError
from mlp.losses import LOSSES, Huber, mean_cost
from mlp.losses.loss import check_label_smoothing, cost_and_seed
from mlp.metrics import poisson_deviance


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_cross_entropy_is_exact_at_extreme_logits(dtype):
    loss = SoftmaxCrossEntropy()
    F, Y = np.array([[1000, 1000, 0], [0, 0, 0]], dtype), np.array([[0, 1, 0], [1, 0, 1]], dtype)
    assert loss.cost(F[:, :1], Y[:, :1]) == 1000
    assert np.array_equal(loss.seed(F[:, :1], Y[:, :1]), [[1], [-1]])
    assert loss.cost(F[:, 1:2], Y[:, 1:2]) == 0
    np.testing.assert_allclose(loss.cost(F, Y), (1000 + 0 + np.log(2)) / 3, rtol=1e-7)
    np.testing.assert_allclose(loss.seed(F, Y) * 3, [[1, 0, 0.5], [-1, 0, -0.5]])
    assert loss.seed(F, Y).dtype == dtype
    assert np.array_equal(loss.predict(F), [[1, 1, 0.5], [0, 0, 0.5]])
    small = loss.cost(np.array([[20], [0], [-3]], dtype), np.array([[1], [0], [0]], dtype))
    np.testing.assert_allclose(small, np.exp(-20) + np.exp(-23), rtol=1e-6)  # no rounding to 0 next to log 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logistic_cross_entropy_is_exact_at_extreme_logits(dtype):
    loss = LogisticCrossEntropy()
    for a, y, cost, seed in [(-800, 1, 800, -1), (800, 1, 0, 0), (800, 0, 800, 1), (-800, 0, 0, 0)]:
        F, Y = np.array([[a]], dtype), np.array([[y]], dtype)
        assert loss.cost(F, Y) == cost
        assert loss.seed(F, Y) == seed
        assert loss.seed(F, Y).dtype == dtype
    np.testing.assert_allclose(loss.cost(np.array([[40.0]]), np.array([[1.0]])), np.exp(-40), rtol=1e-12)


def test_means_over_the_minibatch_and_sums_over_the_outputs():
    F, Y = np.array([[1.0, 2, 3], [0, 0, 0]]), np.zeros((2, 3))
    assert SquaredError().cost(F, Y) == (1 + 4 + 9) / 2 / 3
    np.testing.assert_allclose(LogisticCrossEntropy().cost(0 * F, Y), 2 * np.log(2))
    one_hot = np.array([[1.0, 0, 0], [0, 1, 1]])
    np.testing.assert_allclose(SoftmaxCrossEntropy().cost(0 * F, one_hot), np.log(2))


def test_softmax_is_over_classes_and_not_over_examples():
    P = SoftmaxCrossEntropy().predict(np.random.default_rng(0).normal(size=(3, 3)))
    np.testing.assert_allclose(P.sum(axis=0), 1)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("shape", [(1, 4), (3, 1), (4, 3), (3,), (12,)])
def test_targets_that_would_broadcast_are_refused(loss, shape):
    F = np.zeros((3, 4))
    for method in (loss.cost, loss.seed):
        with pytest.raises(ValueError, match="columns are examples") as error:
            method(F, np.zeros(shape))
        assert "(3, 4)" in str(error.value)
        assert str(shape) in str(error.value)


def test_softmax_of_one_output_is_refused():
    with pytest.raises(ValueError, match="LogisticCrossEntropy"):
        SoftmaxCrossEntropy().cost(np.zeros((1, 4)), np.zeros((1, 4)))


@pytest.mark.parametrize("w", [None, np.array([0.5, 2, 1, 3, 0])])
@pytest.mark.parametrize(
    ("name", "K", "u"), [("softmax_cross_entropy", 3, 1 / 3), ("logistic_cross_entropy", 2, 1 / 2)]
)
def test_label_smoothing_is_the_seed_of_other_targets_and_keeps_the_cost(name, K, u, w):
    rng, loss = np.random.default_rng(0), LOSSES[name]
    F, Y = rng.normal(size=(K, 5)), np.eye(K)[:, rng.integers(K, size=5)]
    c, F_bar = cost_and_seed(loss, F, Y, w, 0.1)
    assert c == cost_and_seed(loss, F, Y, w)[0]
    Y_smooth = 0.9 * Y + 0.1 * u
    F = F.astype(complex)
    wanted = complex_step(lambda: mean_cost(loss, F, Y_smooth, w), F)
    assert relative_error(F_bar, wanted) < 1e-12


def test_label_smoothing_needs_a_cross_entropy():
    check_label_smoothing(LOSSES["squared_error"], 0.0)
    with pytest.raises(ValueError, match="for cross-entropies, and the loss is 'squared_error'"):
        check_label_smoothing(LOSSES["squared_error"], 0.1)


def test_poisson_by_hand():
    loss = LOSSES["poisson"]
    F, Y = np.log([[1.0, 2.0, 4.0]]), np.array([[0.0, 2.0, 1.0]])
    np.testing.assert_allclose(loss.costs(F, Y), [1, 0, 4 - np.log(4) - 1])
    np.testing.assert_allclose(loss.cost(F, Y), (4 - np.log(4)) / 3)
    np.testing.assert_allclose(loss.seed(F, Y), [[1 / 3, 0, 1]])
    np.testing.assert_allclose(loss.predict(F), [[1, 2, 4]])
    np.testing.assert_allclose(loss.chance(Y), loss.cost(np.log(np.full((1, 3), 1.0)), Y))  # the mean count is 1
    np.testing.assert_allclose(poisson_deviance(loss.predict(F), Y), 2 * loss.cost(F, Y))


def test_losses_of_residuals_at_extreme_values():
    F, Y = np.array([[1e300, -1e300, 3.0, 0.0]]), np.array([[0.0, 0.0, 3.0, 1e-200]])
    absolute, smooth = LOSSES["absolute_error"], LOSSES["log_cosh"]
    np.testing.assert_allclose(absolute.costs(F, Y), [1e300, 1e300, 0, 1e-200])
    np.testing.assert_allclose(absolute.seed(F, Y) * 4, [[1, -1, 0, -1]])
    np.testing.assert_allclose(smooth.costs(F, Y), [1e300, 1e300, 0, 0], atol=1e-15)
    np.testing.assert_allclose(smooth.seed(F, Y) * 4, [[1, -1, 0, -1e-200]])
    small = np.array([[0.5, -2.0]])
    np.testing.assert_allclose(smooth.costs(small, 0 * small), np.log(np.cosh(small[0])))
    np.testing.assert_allclose(absolute.chance(np.array([[1.0, 2, 9]])), 8 / 3)  # the median costs least


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_link_is_the_inverse_of_the_prediction(loss):
    F = np.random.default_rng(0).normal(size=(6, 5))
    P = loss.predict(F)
    np.testing.assert_allclose(loss.predict(loss.link(P)), P, rtol=1e-12)
    for extreme in (np.eye(6), np.zeros((6, 2))):  # probabilities and means that no finite output says
        assert np.isfinite(loss.link(extreme)).all()


def test_brier_by_hand():
    loss = LOSSES["brier"]
    F, Y = np.log([[0.7, 0.5], [0.2, 0.25], [0.1, 0.25]]), np.array([[1.0, 0], [0, 0], [0, 1]])
    np.testing.assert_allclose(loss.costs(F, Y), [(0.09 + 0.04 + 0.01) / 2, (0.25 + 0.0625 + 0.5625) / 2])
    np.testing.assert_allclose(loss.chance(Y), loss.cost(0 * F, Y))
    extreme = np.array([[1000.0], [0], [0]])
    assert loss.cost(extreme, Y[:, 1:]) == 1
    assert loss.cost(extreme, Y[:, :1]) == 0
    assert not loss.seed(extreme, Y[:, 1:]).any()  # where it is sure, it learns nothing


def test_huber_by_hand():
    loss = Huber(2.0)
    F, Y = np.array([[1.0, 2.0, 5.0, -5.0]]), np.zeros((1, 4))
    np.testing.assert_allclose(loss.costs(F, Y), [0.5, 2, 8, 8])
    np.testing.assert_allclose(loss.seed(F, Y) * 4, [[1, 2, 2, -2]])
    np.testing.assert_allclose(Huber(1e9).cost(F, Y), SquaredError().cost(F, Y))
    np.testing.assert_allclose(Huber(1e-9).cost(F, Y) / 1e-9, LOSSES["absolute_error"].cost(F, Y))
    with pytest.raises(ValueError, match="delta must be a number > 0, got 0"):
        Huber(0)

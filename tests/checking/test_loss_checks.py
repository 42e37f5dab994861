"""Check losses: no small gradient gets away, and functions that a complex step does not understand."""

import numpy as np
import pytest
from checks import only, passed

from mlp import SquaredError
from mlp.checking import FAIL, INCONCLUSIVE, PASS, check_loss, failures
from mlp.losses import LOSSES


class Distance:
    """c = offset + scale * the mean of f(F - Y), and the seed of it."""

    name = "distance"

    def __init__(self, f, slope, scale=1.0, offset=0.0):
        self.f, self.slope, self.scale, self.offset = f, slope, scale, offset

    def cost(self, F, Y):
        return self.offset + self.scale * self.f(F - Y).sum() / F.shape[1]

    def seed(self, F, Y):
        return self.scale * self.slope(F - Y) / F.shape[1]


def times(factor, slope):
    return lambda R: factor * slope(R)


SQUARE, ABS = (np.square, lambda R: 2 * R), (np.abs, np.sign)


@pytest.mark.parametrize(("offset", "loss"), [(0.0, SQUARE), (1e-3, SQUARE), (0.0, ABS)])
def test_a_gradient_of_1e_12_passes_only_if_it_is_right(offset, loss, rng):
    (f, slope), F, Y = loss, rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    assert check_loss(Distance(f, slope, 1e-12, offset), F, Y)[0].verdict == PASS
    for factor in (2.0, 1.001):
        found = check_loss(Distance(f, times(factor, slope), 1e-12, offset), F, Y)[0]
        assert found.verdict == FAIL
        assert found.error > 9e-4
    assert found.check == ("complex step" if loss is SQUARE else "central differences")


@pytest.mark.parametrize("loss", [SQUARE, ABS])
def test_what_rounding_hides_is_neither_right_nor_wrong(loss, rng):
    f, slope = loss  # c changes by less than it is rounded, or nearly so
    found = check_loss(Distance(f, times(1.001, slope), 1e-12, 1.0), rng.normal(size=(3, 5)), rng.normal(size=(3, 5)))
    assert "rounding" in only(found, "F", INCONCLUSIVE).reason


def test_a_bar_that_is_right_at_a_kink_is_luck(rng):
    F, Y = rng.normal(size=(2, 3, 5))
    F[1, 2] = Y[1, 2]  # where sign says 0, and so do central differences
    assert "kink" in only(check_loss(Distance(*ABS), F, Y), "F", INCONCLUSIVE).reason


def test_a_sum_is_no_mean(rng):
    class Sum(SquaredError):
        def cost(self, F, Y):
            return super().cost(F, Y) * F.shape[1]

        def seed(self, F, Y):
            return super().seed(F, Y) * F.shape[1]

    results = check_loss(Sum(), rng.normal(size=(3, 5)), rng.normal(size=(3, 5)))
    assert {(result.what, result.check) for result in failures(results)} == {("c", "minibatch"), ("F", "minibatch")}
    assert only(results, "F").guess.startswith("a factor B = 5")


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("size", [40, 1000])
def test_losses_never_fail_however_large_the_outputs(loss, size, rng):
    F = size * rng.normal(size=(6, 5))
    for Y in (np.eye(6)[:, F.argmax(axis=0)], np.eye(6)[:, F.argmin(axis=0)]):
        assert not failures(check_loss(loss, F, Y))


@pytest.mark.parametrize(
    ("cost", "slope", "method"),
    [
        (np.abs, np.sign, "central differences"),
        (lambda R: np.linalg.norm(R, axis=0), lambda R: R / np.linalg.norm(R, axis=0), "central differences"),
        (lambda R: (R * R.conj()).real, lambda R: 2 * R, "central differences"),
        (lambda R: np.logaddexp(0, R), lambda R: 1 / (1 + np.exp(-R)), "central differences"),
        (lambda R: np.maximum(R, 0), lambda R: (R > 0) * 1.0, "complex step"),  # away from its kink it is analytic
    ],
    ids=["abs", "norm", "conj", "logaddexp", "maximum"],
)
def test_traps_of_the_complex_step(cost, slope, method, rng):
    F, Y = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    assert passed(check_loss(Distance(cost, slope), F, Y))[0].check == method
    assert check_loss(Distance(cost, times(1.001, slope)), F, Y)[0].verdict == FAIL


def test_a_loss_says_the_same_at_once_and_one_by_one(rng):
    class AtOnce(SquaredError):
        def cost_and_seed(self, F, Y):
            return self.cost(F, Y), 2 * self.seed(F, Y)

    found = only(check_loss(AtOnce(), rng.normal(size=(2, 5)), rng.normal(size=(2, 5))), "F")
    assert found.check == "at once"
    assert found.guess.startswith("a factor 2")

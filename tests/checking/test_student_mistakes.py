"""Mistakes that students make, with the array and the words that a check has to say; and what is right, and passes."""

import numpy as np
import pytest
from checks import only, passed

from mlp import SGD, Activation, Layer, LayerValues, Network, SquaredError, train
from mlp.checking import check_layer, check_loop, check_loss, check_network, check_optimizer, failures
from mlp.checking.guesses import IN_PLACE_BAR
from mlp.checking.training import FORGOTTEN_VELOCITY, NOT_SAVED


def network(rng, kind=Layer, activation="tanh"):
    sizes = [(3, 4, Layer), (4, 5, kind), (5, 2, Layer)]
    return Network([made(rng.normal(size=(b, a)), rng.normal(size=(b, 1)), activation) for a, b, made in sizes])


def data(rng):
    return rng.normal(size=(3, 6)), rng.normal(size=(2, 6))


class InPlaceBar(Layer):
    def backward(self, values, H_bar, **options):
        H_bar *= self.g.slope(values.A, values.H)
        ones = Layer(self.W, self.b, "identity")
        return ones.backward(values, H_bar, **options)


def test_a_bar_that_is_changed_in_place_is_told_of_the_layer_that_does_it(rng):
    results = check_network(network(rng, InPlaceBar), SquaredError(), *data(rng))
    assert [result.what for result in failures(results)] == ["H_bar of layer 2"]
    assert only(results, "H_bar of layer 2").guess == IN_PLACE_BAR
    assert not any("nothing changed in place" in result.reason for result in results)


class NotTransposed(Layer):
    def backward(self, values, H_bar, **options):
        bars = super().backward(values, H_bar, **options)
        return bars._replace(H_in_bar=self.W @ bars.A_bar)


def test_a_backward_that_raises_is_one_line_that_names_the_layer(rng):
    results = check_network(network(rng, NotTransposed), SquaredError(), *data(rng))
    (failed,) = failures(results)
    assert "in backward of layer 2, Layer(4 -> 5" in failed.reason
    assert "a transpose" in failed.guess


class NoBelow(Layer):
    def backward(self, values, H_bar, **options):
        return super().backward(values, H_bar, **options)._replace(H_in_bar=None)


class NoBar(Layer):
    def backward(self, values, H_bar, **options):
        return super().backward(values, H_bar, **options)._replace(b_bar=None)


class VectorBar(Layer):
    def backward(self, values, H_bar, **options):
        bars = super().backward(values, H_bar, **options)
        return bars._replace(b_bar=bars.b_bar[:, 0])


@pytest.mark.parametrize("kind", [NoBelow, NoBar, VectorBar])
def test_bars_that_are_none_or_vectors_fail_and_end_nothing(kind, rng):
    assert failures(check_layer(network(rng, kind).layers[1], rng.normal(size=(4, 6))))
    assert failures(check_network(network(rng, kind), SquaredError(), *data(rng)))


class InPlace(Layer):
    def forward(self, H_in):
        A = self.W @ H_in + self.b
        return LayerValues(H_in, A, self.g.value(A, out=A))


def test_in_place_is_right_where_the_slope_is_one_of_H_alone(rng):
    tanh = Activation("tanh", value=np.tanh, slope=lambda A, H: 1 - H * H)
    passed(check_layer(InPlace(rng.normal(size=(4, 3)), rng.normal(size=(4, 1)), tanh), rng.normal(size=(3, 5))))


class VectorCost(SquaredError):
    def cost(self, F, Y):
        return ((F - Y) ** 2).sum(axis=0) / 2


def test_a_cost_that_is_no_scalar_is_told(rng):
    for results in (
        check_loss(VectorCost(), *data(rng)[1:], rng.normal(size=(2, 6))),
        check_network(network(rng), VectorCost(), *data(rng)),
    ):
        (failed,) = failures(results)
        assert "the cost has shape (6,), expected one number" in failed.reason


class OfManyAlone(SquaredError):
    def seed(self, F, Y):
        if F.shape[1] < 2:
            raise ValueError("needs two examples")
        return super().seed(F, Y)


def test_a_loss_that_raises_for_one_example_fails_in_that_row(rng):
    results = check_loss(OfManyAlone(), rng.normal(size=(2, 6)), rng.normal(size=(2, 6)))
    assert "needs two examples" in only(results, "c").reason
    assert results[0].verdict == "PASS"


def own_loop(network, loss, optimizer, data, *, rng, epochs, batch_size, l2, look=False, break_it=False):
    X, Y = data
    order = rng.permutation(len(X))
    for start in range(0, len(X), batch_size):
        rows = order[start : start + batch_size]
        values = network.forward(X[rows].T)
        F_bar = loss.seed(values[-1].H, Y[rows].T)
        if look:
            network.forward(X.T)  # to draw something
        if break_it:
            raise ValueError("operands could not be broadcast")
        theta_bar = network.backward(values, F_bar).theta_bar
        theta_bar[: network.n_weights] += l2 * network.theta[: network.n_weights]
        optimizer.step(network.theta, theta_bar, optimizer.learning_rate)
    return []


def rows(rng):
    return rng.normal(size=(11, 3)), rng.normal(size=(11, 2))


def test_a_loop_may_look_at_other_rows_between_forward_and_step(rng):
    def looking(*arguments, **options):
        return own_loop(*arguments, look=True, **options)

    passed(check_loop(looking, network(rng), SquaredError(), rows(rng), l2=0.1))


def test_a_loop_that_raises_is_a_failure(rng):
    def broken(*arguments, **options):
        return own_loop(*arguments, break_it=True, **options)

    (failed,) = check_loop(broken, network(rng), SquaredError(), rows(rng))
    assert "raised ValueError: operands could not be broadcast" in failed.reason
    assert failures(check_loop(train, network(rng, NotTransposed), SquaredError(), rows(rng)))


class Forgetful:
    """Momentum whose velocity is made anew in each step."""

    learning_rate, momentum = 0.1, 0.9

    def step(self, theta, theta_bar, eta):
        velocity = np.zeros_like(theta)
        velocity = self.momentum * velocity + theta_bar
        theta -= eta * velocity


class Unsaved(SGD):
    def state(self):
        return super().state() | {"velocity": 0 * self.velocity}


def test_momentum_that_is_forgotten_and_a_velocity_that_is_not_saved(rng):
    own = network(rng)
    assert only(check_optimizer(Forgetful(), own), "velocity").guess == FORGOTTEN_VELOCITY
    assert only(check_optimizer(Unsaved(0.1, momentum=0.9), own), "state").guess == NOT_SAVED
    for optimizer in (SGD(0.1), SGD(0.1, momentum=0.9), SGD(0.1, momentum=0.5, nesterov=True)):
        passed(check_optimizer(optimizer, own))

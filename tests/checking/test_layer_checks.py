"""Check layers: right ones pass, wrong bars are named and guessed, and doubt is told."""

from types import SimpleNamespace

import numpy as np
import pytest
from checks import dense, only, passed, scaled

from mlp import ACTIVATIONS, Activation, Layer, Network
from mlp.checking import FAIL, INCONCLUSIVE, PASS, check_layer, failures, table
from mlp.checking.selftest import wrong_bars
from mlp.layers.reversible import Coupling, Reversible


@pytest.mark.parametrize("B", [5, 1, 3, 4])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_shipped_layers_pass(activation, B, rng):
    results = passed(check_layer(dense(rng, 3, 4, activation), rng.normal(size=(3, B))))
    assert {"W", "b", "H_in"} < {result.what for result in results}
    checks = {"complex step", "dot product", "minibatch", "as trained", "stored", "called again"}
    assert {result.check for result in results} == checks


@pytest.mark.parametrize("layer", ["coupling", "reversible"])
def test_layers_around_other_layers_pass(layer, rng):
    couplings = [Coupling(dense(rng, 2, 2)), Coupling(Network([dense(rng, 2, 3), dense(rng, 3, 2)]), swap=True)]
    results = check_layer(couplings[1] if layer == "coupling" else Reversible(couplings), rng.normal(size=(4, 5)))
    assert any(result.what.endswith("m2_W") for result in passed(results))


class Gain:
    """H = gain * H_in, one gain a unit."""

    parameters, penalized = ("gain",), ()

    def __init__(self, size):
        self.gain = np.linspace(1, 2, size, dtype=np.float32)[:, None]

    def forward(self, H_in):
        return SimpleNamespace(H_in=H_in, H=self.gain * H_in)

    def backward(self, values, H_bar, *, input_bar=True):
        gain_bar = (H_bar * values.H_in).sum(axis=1, keepdims=True)
        return SimpleNamespace(gain_bar=gain_bar, H_in_bar=self.gain * H_bar)


class Centred(Gain):
    """A layer that mixes the examples: it takes the minibatch's mean away."""

    def forward(self, H_in):
        return super().forward(H_in - H_in.mean(axis=1, keepdims=True))

    def backward(self, values, H_bar, *, input_bar=True):
        bars = super().backward(values, H_bar)
        bars.H_in_bar = bars.H_in_bar - bars.H_in_bar.mean(axis=1, keepdims=True)
        return bars


def test_layers_of_ones_own(rng):
    X = rng.normal(size=(4, 5))
    passed(check_layer(Gain(4), X))
    results = check_layer(Centred(4), X)
    assert {result.what for result in results if result.verdict != PASS} == {"H"}
    assert "mixes the examples" in only(results, "H", INCONCLUSIVE).reason


# What is wrong


@pytest.mark.parametrize(
    ("factor", "words"),
    [(2, "a factor 2"), (0.5, "a factor 1/2"), (7, "a factor B = 7"), (1 / 7, "a factor 1/B, B = 7"), (-1, "the sign"),
     (-7, "the sign, and a factor B"), (3, "a constant factor 3")],
)  # fmt: skip
def test_constant_factors_are_recognized(factor, words, rng):
    results = check_layer(dense(rng, 3, 4, kind=scaled(factor)), rng.normal(size=(3, 7)))
    for name in ("W", "b", "H_in"):
        assert only(results, name).guess.startswith(words)
    assert only(results, "all together").check == "dot product"


def test_an_activation_whose_slope_is_wrong_is_guessed(rng):
    sine = Activation("sine", value=np.sin, slope=lambda A, H: -np.cos(A))
    assert "slope of the activation" in only(check_layer(dense(rng, 3, 4, sine), rng.normal(size=(3, 5))), "W").guess


@pytest.mark.parametrize(
    ("where", "place"),
    [((17, slice(None)), "at [17, "), ((slice(None), 23), ", 23]: "), ((17, 23), "")],
    ids=["row", "column", "element"],
)
def test_a_mistake_in_a_small_part_of_a_large_matrix_is_caught(where, place, rng):
    def partly(layer, values, bars):
        bars.W_bar[where] *= 1.1
        return {}

    results = check_layer(dense(rng, 60, 50, kind=wrong_bars(partly)), rng.normal(size=(60, 8)))
    assert only(results, "all together").check == "dot product"
    if place:  # every row and column has an element in the sample
        assert place in only(results, "W").reason


def test_a_guess_has_to_explain_a_small_error_and_the_digits_show_it(rng):
    """A symmetric bar that is 1e-6 too large is a factor, not its own transpose."""
    kind = wrong_bars(lambda layer, values, bars: {"W_bar": bars.W_bar * (1 + 1e-6)})
    result = only(check_layer(kind(np.eye(3), np.zeros((3, 1)), "identity"), rng.normal(size=(3, 7))), "W")
    assert result.guess == "a constant factor 1.000001"
    gives, numerical = result.reason.split(" gives ")[1].split(", complex step ")
    assert gives != numerical


def test_hidden_state_is_found_whoever_keeps_it(rng):
    class Previous(Layer):
        """Uses the values of the forward pass before."""

        last = before = None

        def forward(self, H_in):
            self.before, self.last = self.last, super().forward(H_in)
            return self.last

        def backward(self, values, H_bar, *, input_bar=True):
            return super().backward(self.before or values, H_bar, input_bar=input_bar)

    class Latest(Previous):
        """Uses the values of the latest forward pass, whatever it is given: right as long as nobody is in between."""

        def backward(self, values, H_bar, *, input_bar=True):
            return Layer.backward(self, self.last, H_bar, input_bar=input_bar)

    for kind in (Previous, Latest):
        results = check_layer(dense(rng, 3, 4, kind=kind), rng.normal(size=(3, 5)))
        assert any("kept from call to call" in result.guess for result in failures(results)), table(results)


def test_changes_in_place_are_found(rng):
    class ChangesInput(Layer):
        def forward(self, H_in):
            values = super().forward(H_in)
            H_in += 1
            return values

    def changes_values(layer, values, bars):
        values.A[:] = 0
        return {}

    for kind in (ChangesInput, wrong_bars(changes_values)):
        results = check_layer(dense(rng, 3, 4, kind=kind), np.ones((3, 5)))
        assert "in place" in only(results, "state").reason


def test_what_backward_raises_is_a_failure(rng):
    class Raises(Layer):
        def backward(self, values, H_bar, *, input_bar=True):
            return super().backward(values, self.W.T @ (self.W @ H_bar))

    found = only(check_layer(dense(rng, 3, 4, kind=Raises), rng.normal(size=(3, 5))), "bars")
    assert "ValueError: in backward of layer 1, Layer(3 -> 4, tanh, float64): matmul" in found.reason
    assert "transpose" in found.guess


def test_a_layer_that_adds_to_the_arrays_it_is_given_is_caught(rng):
    class Adding(Layer):
        def backward(self, values, H_bar, *, out=None, input_bar=True):
            bars = super().backward(values, H_bar, input_bar=input_bar)
            if out is not None:
                out["W"] += bars.W_bar
                bars = bars._replace(W_bar=out["W"])
            return bars

    found = only(check_layer(dense(rng, 3, 4, kind=Adding), rng.normal(size=(3, 5))), "W")
    assert found.check == "as trained"
    assert "as in training nan" in found.reason


# Numbers that cannot decide


def test_a_kink_is_inconclusive(rng):
    X = rng.normal(size=(3, 5))
    X[:, 2] = 0  # so that A is exactly 0 for one example
    results = check_layer(Layer(rng.normal(size=(4, 3)), np.zeros((4, 1)), "relu"), X)
    assert not failures(results)
    for name in ("b", "H_in", "all together"):
        assert "kink" in only(results, name, INCONCLUSIVE).reason
    assert only(results, "b", INCONCLUSIVE).check == "central differences"
    assert only(results, "W", PASS)  # which the example does not touch


def test_a_kink_does_not_excuse_the_other_elements(rng):
    layer = dense(rng, 3, 4, "relu", scaled(2.0))
    layer.b[1] = -layer.W[1] @ np.ones(3)
    X = rng.normal(size=(3, 5))
    X[:, 2] = 1  # so that A[1, 2] is 0 up to rounding
    assert only(check_layer(layer, X), "b").guess.startswith("a factor 2")


@pytest.mark.parametrize("activation", ["tanh", "logistic"])
@pytest.mark.parametrize("size", [30.0, 1000.0])
def test_saturation_is_inconclusive(activation, size, rng):
    layer = Layer(size * np.eye(3), np.zeros((3, 1)), activation)
    results = check_layer(layer, rng.uniform(1.1, 2, size=(3, 5)))
    assert not failures(results)
    assert "saturated" in only(results, "W", INCONCLUSIVE).reason


@pytest.mark.parametrize("activation", ["tanh", "logistic"])
def test_half_saturated_units_do_not_fail(activation, rng):
    """The few digits that are left in 1 - h^2 are rounding, no mistake."""
    for size in (4, 6, 8, 10, 12, 15, 20):
        layer = Layer(size * np.eye(3), np.zeros((3, 1)), activation)
        assert not failures(check_layer(layer, rng.uniform(1.1, 2, size=(3, 5)), rng=rng))


def test_what_is_not_finite_is_inconclusive_but_a_bar_that_is_not_fails(rng):
    X = rng.normal(size=(3, 5))
    X[1, 2] = np.inf
    results = check_layer(dense(rng, 3, 4, "identity"), X)
    assert {result.verdict for result in results} == {INCONCLUSIVE}
    assert "not finite" in only(results, "W", INCONCLUSIVE).reason

    def not_a_number(layer, values, bars):
        bars.W_bar[3, 1] = np.nan
        return {}

    results = check_layer(dense(rng, 3, 4, kind=wrong_bars(not_a_number)), rng.normal(size=(3, 5)))
    assert "at [3, 1]: backward gives nan" in only(results, "W").reason


def test_the_table(rng):
    results = check_layer(dense(rng, 3, 4, kind=scaled(2.0)), rng.normal(size=(3, 5)))
    lines = table(results).splitlines()
    assert lines[0].split() == ["verdict", "array", "check", "error", "limit"]
    assert lines[1].startswith(f"{FAIL}     W             complex step  5.0e-01  1e-09  at [")
    assert lines[2] == "         guess: a factor 2: a 1/2 is missing, or something is counted twice"
    assert lines[-1] == "4 PASS, 4 FAIL, 0 INCONCLUSIVE"
    assert str(results[0]).startswith("FAIL: W, complex step: error 5.0e-01, limit 1e-09; at [")
    assert str(results[0]).endswith("guess: a factor 2: a 1/2 is missing, or something is counted twice")

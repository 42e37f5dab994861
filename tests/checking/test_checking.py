"""Check the checker: right things pass, planted mistakes are caught and named, and doubt is told."""

from types import SimpleNamespace

import numpy as np
import pytest
import samples_elementwise
import samples_linear_algebra

from mlp import ACTIVATIONS, SGD, Activation, Adam, Layer, Network, SoftmaxCrossEntropy, SquaredError, train
from mlp.autodiff import OPERATIONS, Operation
from mlp.checking import (
    FAIL,
    INCONCLUSIVE,
    PASS,
    check_labels,
    check_layer,
    check_loop,
    check_loss,
    check_network,
    check_operation,
    check_optimizer,
    failures,
    self_test,
    table,
)
from mlp.checking.selftest import PLANTED
from mlp.layers.recompute import Recompute
from mlp.layers.reversible import Coupling, Reversible
from mlp.losses import LOSSES

SAMPLES = samples_elementwise.SAMPLES | samples_linear_algebra.SAMPLES


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def verdicts(results):
    return {result.verdict for result in results}


def only(results, what, verdict=FAIL):
    """The result for one array that has this verdict."""
    found = [result for result in results if result.what == what and result.verdict == verdict]
    assert found, f"{what} is not {verdict} in\n{table(results)}"
    return found[0]


def dense(rng, K_in, K_out, activation="tanh", kind=Layer):
    return kind(rng.normal(size=(K_out, K_in)), rng.normal(size=(K_out, 1)), activation)


def targets(loss, K, B, rng):
    return rng.normal(size=(K, B)) if loss.name == "squared_error" else np.eye(K)[:, rng.integers(K, size=B)]


# What is right passes


@pytest.mark.parametrize("B", [5, 1, 3, 4])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_shipped_layers_pass(activation, B, rng):
    results = check_layer(dense(rng, 3, 4, activation), rng.normal(size=(3, B)))
    assert verdicts(results) == {PASS}, table(results)
    assert {"W", "b", "H_in"} < {result.what for result in results}
    checks = {"complex step", "dot product", "minibatch", "as trained", "stored", "called again"}
    assert {result.check for result in results} == checks


@pytest.mark.parametrize("layer", ["coupling", "reversible"])
def test_layers_around_other_layers_pass(layer, rng):
    couplings = [Coupling(dense(rng, 2, 2)), Coupling(Network([dense(rng, 2, 3), dense(rng, 3, 2)]), swap=True)]
    results = check_layer(couplings[1] if layer == "coupling" else Reversible(couplings), rng.normal(size=(4, 5)))
    assert verdicts(results) == {PASS}, table(results)
    assert any(result.what.endswith("m2_W") for result in results)


@pytest.mark.parametrize("B", [5, 1, 3])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_shipped_losses_and_networks_with_them_pass(loss, B, rng):
    Y = targets(loss, 3, B, rng)
    results = check_loss(loss, rng.normal(size=(3, B)), Y)
    assert verdicts(results) == {PASS}, table(results)
    network = Network([dense(rng, 4, 6, "gelu"), dense(rng, 6, 5, "elu"), dense(rng, 5, 3, "identity")])
    results = check_network(network, loss, rng.normal(size=(4, B)), Y, l2=0.3)
    assert verdicts(results) == {PASS}, table(results)
    names = [result.what for result in results]
    assert names[:10] == ["F", "W3", "b3", "H2", "W2", "b2", "H1", "W1", "b1", "X"]  # as the reverse sweep goes


@pytest.mark.parametrize("name", OPERATIONS)
def test_shipped_operations_pass(name):
    for make in SAMPLES[name]:
        inputs, options = make(np.random.default_rng(1))
        project = {
            k: lambda V: (V + V.T) / 2
            for k, A in enumerate(inputs)
            if not isinstance(A, tuple) and A.ndim == 2 and A.shape[0] == A.shape[1] and (A == A.T).all()
        }
        results = check_operation(OPERATIONS[name], inputs, options, project=project)
        for result in results:  # an input that has no part in C cannot be judged
            assert result.verdict == PASS or (result.verdict == INCONCLUSIVE and result.error == 0), table(results)
        assert {"complex step", "central differences"} & {result.check for result in results}


def test_the_shipped_loop_and_optimizers_pass(rng):
    network = Network([dense(rng, 3, 4), dense(rng, 4, 2, "identity")])
    data = rng.normal(size=(11, 3)), rng.normal(size=(11, 2))
    for options in ({}, {"batch_size": 4, "l2": 0.1}, {"batch_size": 11}, {"batch_size": 1}):
        results = check_loop(train, network, SquaredError(), data, **options)
        assert verdicts(results) == {PASS}, table(results)
    assert "in minibatches of 4, 4, 3" in check_loop(train, network, SquaredError(), data)[0].reason
    decayed = check_loop(train, network, SquaredError(), data, weight_decay=0.1)
    assert verdicts(decayed) == {PASS}, table(decayed)
    assert "on W1, W2 alone" in next(result.reason for result in decayed if result.check == "weight decay")
    for optimizer in (SGD(), SGD(momentum=0.9, nesterov=True), Adam(), OwnOptimizer(decayed=network.n_weights)):
        results = check_optimizer(optimizer, network)
        assert verdicts(results) == {PASS}, table(results)
    assert "on W1, W2 alone" in results[-1].reason


# What is planted is caught


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_planted_mistakes_are_caught_named_and_guessed(planted, seed):
    results = planted.check(np.random.default_rng(seed))
    found = only(results, planted.array)
    guesses = [result.guess for result in failures(results) if result.what == planted.array]
    assert any(planted.guess in guess for guess in guesses), table(results)
    if np.isfinite(found.error) and planted.array != "Y":
        assert found.error > 1e-3
        assert any(word in found.reason for word in ("at [", "minibatch"))


def test_the_self_test_tells_them_one_by_one(monkeypatch):
    results = self_test()
    assert verdicts(results) == {PASS}, table(results)
    assert [result.what for result in results[: len(PLANTED)]] == [planted.name for planted in PLANTED]
    assert {*ACTIVATIONS} <= {result.what.removeprefix("layer with ") for result in results}
    assert {*LOSSES} <= {result.what for result in results}
    blind = SimpleNamespace(name="blind", check=lambda rng: [], array="W", guess="")
    monkeypatch.setattr("mlp.checking.selftest.PLANTED", (blind,))
    assert self_test()[0].verdict == FAIL
    wrong = Activation("relu", value=lambda A: np.maximum(A, 0), slope=lambda A, H: np.ones_like(A))
    monkeypatch.setitem(ACTIVATIONS, "relu", wrong)
    assert "slope" in only(self_test(), "layer with relu").reason


def test_guesses_stay_with_the_highest_wrong_bar(rng):
    class NoSlope(Layer):
        def backward(self, values, H_bar, *, input_bar=True):
            return super().backward(values, H_bar / self.g.slope(values.A, values.H), input_bar=input_bar)

    network = Network([dense(rng, 3, 4), dense(rng, 4, 5, kind=NoSlope), dense(rng, 5, 2)])
    results = check_network(network, SquaredError(), rng.normal(size=(3, 6)), rng.normal(size=(2, 6)))
    assert {result.what for result in results if result.verdict == PASS} >= {"F", "W3", "b3", "H2"}
    for name in ("W2", "b2", "H1"):
        assert "slope g'(A) is forgotten" in only(results, name).guess
    for name in ("W1", "b1", "X"):
        assert "follows from H1" in only(results, name).guess


class Scaled(Layer):
    """All bars times a factor."""

    factor = 1.0

    def backward(self, values, H_bar, *, input_bar=True):
        return super().backward(values, self.factor * H_bar, input_bar=input_bar)


@pytest.mark.parametrize(
    ("factor", "words"),
    [(2, "a factor 2"), (0.5, "a factor 1/2"), (7, "a factor B = 7"), (1 / 7, "a factor 1/B, B = 7"), (-1, "the sign"),
     (-7, "the sign, and a factor B"), (3, "a constant factor 3")],
)  # fmt: skip
def test_constant_factors_are_recognized(factor, words, rng):
    layer = dense(rng, 3, 4, kind=Scaled)
    layer.factor = factor
    results = check_layer(layer, rng.normal(size=(3, 7)))
    for name in ("W", "b", "H_in"):
        assert only(results, name).guess.startswith(words)
    assert only(results, "all together").check == "dot product"


def test_an_activation_whose_slope_is_wrong_is_guessed(rng):
    sine = Activation("sine", value=np.sin, slope=lambda A, H: -np.cos(A))
    assert "slope of the activation" in only(check_layer(dense(rng, 3, 4, sine), rng.normal(size=(3, 5))), "W").guess


@pytest.mark.parametrize("change", ["row", "column", "element"])
def test_a_mistake_in_a_small_part_of_a_large_matrix_is_caught(change, rng):
    class Partly(Layer):
        def backward(self, values, H_bar, *, input_bar=True):
            bars = super().backward(values, H_bar, input_bar=input_bar)
            where = {"row": (17, slice(None)), "column": (slice(None), 23), "element": (17, 23)}[change]
            bars.W_bar[where] *= 1.1
            return bars

    results = check_layer(dense(rng, 60, 50, kind=Partly), rng.normal(size=(60, 8)))
    assert only(results, "all together").check == "dot product"
    if change != "element":  # every row and column has an element in the sample
        assert {"row": "at [17, ", "column": ", 23]: "}[change] in only(results, "W").reason


# No small gradient gets away


class Tiny:
    """c = offset + scale * the squared error; the seed is wrong by a factor."""

    name = "tiny"

    def __init__(self, factor, offset, function=np.square):
        self.factor, self.offset, self.function = factor, offset, function

    def cost(self, F, Y):
        return self.offset + 1e-12 * self.function(F - Y).sum() / F.shape[1]

    def seed(self, F, Y):
        slope = 2 * (F - Y) if self.function is np.square else np.sign(F - Y)
        return self.factor * 1e-12 * slope / F.shape[1]


@pytest.mark.parametrize(("offset", "function"), [(0.0, np.square), (1e-3, np.square), (0.0, np.abs)])
def test_a_gradient_of_1e_12_passes_only_if_it_is_right(offset, function, rng):
    F, Y = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    assert check_loss(Tiny(1.0, offset, function), F, Y)[0].verdict == PASS
    for factor in (2.0, 1.001):
        found = check_loss(Tiny(factor, offset, function), F, Y)[0]
        assert found.verdict == FAIL
        assert found.error > 9e-4
    assert found.check == ("complex step" if function is np.square else "central differences")


def test_what_rounding_hides_is_neither_right_nor_wrong(rng):
    F, Y = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    found = check_loss(Tiny(2.0, 1.0, np.abs), F, Y)[0]  # no complex step, and c changes by less than it is rounded
    assert found.verdict == INCONCLUSIVE
    assert "rounding" in found.reason


# Numbers that cannot decide


def test_a_kink_is_inconclusive(rng):
    X = rng.normal(size=(3, 5))
    X[:, 2] = 0  # so that A is exactly 0 for one example
    results = check_layer(Layer(rng.normal(size=(4, 3)), np.zeros((4, 1)), "relu"), X)
    assert not failures(results)
    for name in ("b", "H_in"):
        found = only(results, name, INCONCLUSIVE)
        assert found.check == "central differences"
        assert "kink" in found.reason
    assert only(results, "W", PASS)  # which the example does not touch
    assert "kink" in next(result.reason for result in results if result.check == "dot product")


def test_a_kink_does_not_excuse_the_other_elements(rng):
    layer = dense(rng, 3, 4, "relu", Scaled)
    layer.b[1] = -layer.W[1] @ np.ones(3)
    layer.factor = 2.0
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


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("size", [40, 1000])
def test_losses_never_fail_however_large_the_outputs(loss, size, rng):
    F = size * rng.normal(size=(3, 5))
    for Y in (np.eye(3)[:, F.argmax(axis=0)], np.eye(3)[:, F.argmin(axis=0)]):
        assert not failures(check_loss(loss, F, Y))


def test_what_is_not_finite_is_inconclusive_but_a_bar_that_is_not_fails(rng):
    X = rng.normal(size=(3, 5))
    X[1, 2] = np.inf
    results = check_layer(dense(rng, 3, 4, "identity"), X)
    assert verdicts(results) == {INCONCLUSIVE}
    assert "not finite" in only(results, "W", INCONCLUSIVE).reason

    class NotANumber(Layer):
        def backward(self, values, H_bar, *, input_bar=True):
            bars = super().backward(values, H_bar, input_bar=input_bar)
            bars.W_bar[3, 1] = np.nan
            return bars

    results = check_layer(dense(rng, 3, 4, kind=NotANumber), rng.normal(size=(3, 5)))
    assert "at [3, 1]: backward gives nan" in only(results, "W").reason


def test_zero_weights_above_leave_nothing_to_compare(rng):
    network = Network([dense(rng, 3, 4), Layer(np.zeros((2, 4)), np.zeros((2, 1)), "identity")])
    results = check_network(network, SquaredError(), rng.normal(size=(3, 5)), rng.normal(size=(2, 5)))
    assert not failures(results)
    assert "zero weights" in only(results, "W1", INCONCLUSIVE).reason
    assert only(results, "W2", PASS)


# Functions that a complex step does not understand


class Distance:
    """A cost that NumPy computes for complex numbers too, with the derivative lost, or refuses to."""

    name = "distance"

    def __init__(self, cost, slope):
        self.one, self.slope = cost, slope

    def cost(self, F, Y):
        return self.one(F - Y).sum() / F.shape[1]

    def seed(self, F, Y):
        return self.slope(F - Y) / F.shape[1]


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
    results = check_loss(Distance(cost, slope), F, Y)
    assert verdicts(results) == {PASS}, table(results)
    assert results[0].check == method
    assert check_loss(Distance(cost, lambda R: 1.001 * slope(R)), F, Y)[0].verdict == FAIL


# The original stays as it was


def test_everything_is_left_bitwise_as_it_was(rng):
    network = Network([Layer.initialize(3, 4, "relu", rng=rng), Layer.initialize(4, 2, "identity", rng=rng)])
    X, Y = rng.normal(size=(3, 5)).astype(np.float32), np.eye(2)[:, [0, 1, 1, 0, 1]]
    optimizer = Adam()
    arrays = network.parameters()
    before = [array.tobytes() for array in (*arrays.values(), X, Y)]
    layers = [dict(vars(layer)) for layer in network.layers]
    check_layer(network.layers[0], X)
    check_network(network, SoftmaxCrossEntropy(), X, Y, l2=0.1)
    check_loss(SoftmaxCrossEntropy(), Y, Y)
    check_loop(train, network, SoftmaxCrossEntropy(), (X.T, Y.T), weight_decay=0.1)
    check_optimizer(optimizer, network)
    assert [array.tobytes() for array in (*arrays.values(), X, Y)] == before
    assert all(np.shares_memory(array, arrays[name]) for name, array in network.parameters().items())
    assert arrays["W1"].dtype == np.float32
    assert [dict(vars(layer)) for layer in network.layers] == layers
    assert optimizer.steps == 0
    A = X.astype(np.float64)
    check_operation(OPERATIONS["matmul"], [A, A.T])
    assert np.array_equal(A, X)


# One's own layers and networks


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
    assert verdicts(check_layer(Gain(4), X)) == {PASS}
    results = check_layer(Centred(4), X)
    assert {result.what for result in results if result.verdict == INCONCLUSIVE} == {"H"}
    assert "mixes the examples" in only(results, "H", INCONCLUSIVE).reason
    network = Network([Centred(4), dense(rng, 4, 2)])
    results = check_network(network, SquaredError(), X, rng.normal(size=(2, 5)), l2=0.1)
    assert {result.what for result in results if result.verdict != PASS} == {"F"}


def test_a_layer_that_stands_twice_has_the_sum_of_both_bars(rng):
    """Its parameters have the names of its first place."""
    X, Y = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    for kind in (Layer, Scaled):
        once, between = dense(rng, 3, 3, kind=kind), dense(rng, 3, 3)
        network = Network([once, between, once])
        results = check_network(network, SquaredError(), X, Y, l2=0.1)
        assert verdicts(results) == {PASS}, table(results)
        names = [result.what for result in results]
        assert names[:8] == ["F", "H2", "W2", "b2", "H1", "W1", "b1", "X"]
        for others in (
            check_loop(train, network, SquaredError(), (X.T, Y.T), l2=0.1, weight_decay=0.1),
            check_optimizer(SGD(momentum=0.9), network),
        ):
            assert verdicts(others) == {PASS}, table(others)
        once.factor = 2.0
    assert only(results, "H2", PASS)
    results = check_network(Network([once, once]), SquaredError(), X, Y)
    assert {"W1", "b1", "H1"} <= {result.what for result in failures(results)}


def test_an_array_that_two_layers_had_in_common_is_one_of_each(rng):
    once, twice = dense(rng, 3, 3), dense(rng, 3, 3)
    network = Network([once, twice])
    twice.W = once.W
    results = check_network(network, SquaredError(), rng.normal(size=(3, 5)), rng.normal(size=(3, 5)))
    assert verdicts(results) == {PASS}, table(results)
    assert {"W1", "b1", "W2", "b2"} < {result.what for result in results}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_networks_with_layers_around_layers_pass(dtype, rng):
    def layer(n_in, n_out):
        return Layer.initialize(n_in, n_out, "tanh", rng=rng, dtype=dtype)

    couplings = Reversible([Coupling(layer(2, 2)), Coupling(layer(2, 2), swap=True)])
    network = Network([layer(3, 4), couplings, Recompute([layer(4, 5), layer(5, 3)]), layer(3, 2)])
    X, Y = rng.normal(size=(3, 6)), rng.normal(size=(2, 6))
    for checked in (network, Network([layer(3, 4), network.layers[1], network.layers[1], layer(4, 2)])):
        results = check_network(checked, SquaredError(), X, Y, l2=0.1)
        assert verdicts(results) == {PASS}, table(results)
        assert {"W1", "c2_m1_W2"} < {result.what for result in results}
    results = check_loop(train, network, SquaredError(), (X.T, Y.T), l2=0.1, weight_decay=0.1)
    assert verdicts(results) == {PASS}, table(results)
    results = check_optimizer(Adam(), network)
    assert verdicts(results) == {PASS}, table(results)
    assert network.theta.dtype == dtype


class WithSkip(Network):
    """F = layers(X) + X: not a chain."""

    def forward(self, X, **options):
        values = super().forward(X)
        return [*values[:-1], values[-1]._replace(H=values[-1].H + X)]

    def backward(self, values, F_bar, *, input_bar=False, **options):
        inner = values[-1]._replace(H=self.layers[-1].g(values[-1].A))
        bars = super().backward([*values[:-1], inner], F_bar, input_bar=True)
        bars[0] = bars[0]._replace(H_in_bar=bars[0].H_in_bar + self.skip * F_bar)
        return bars

    skip = 1.0


def test_a_network_of_ones_own_that_is_no_chain(rng):
    network = WithSkip([dense(rng, 3, 4), dense(rng, 4, 3)])
    X, Y = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    results = check_network(network, SquaredError(), X, Y)
    assert verdicts(results) == {PASS}, table(results)
    assert {"W1", "X"} < {result.what for result in results}
    network.skip = 0.0
    assert only(check_network(network, SquaredError(), X, Y), "X")


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

    class ChangesValues(Layer):
        def backward(self, values, H_bar, *, input_bar=True):
            bars = super().backward(values, H_bar, input_bar=input_bar)
            values.A[:] = 0
            return bars

    assert "its input" in only(check_layer(dense(rng, 3, 4, kind=ChangesInput), np.ones((3, 5))), "state").reason
    assert "values" in only(check_layer(dense(rng, 3, 4, kind=ChangesValues), np.ones((3, 5))), "state").reason


def test_what_backward_raises_is_a_failure(rng):
    class Raises(Layer):
        def backward(self, values, H_bar, *, input_bar=True):
            return super().backward(values, self.W.T @ (self.W @ H_bar))

    results = check_layer(dense(rng, 3, 4, kind=Raises), rng.normal(size=(3, 5)))
    assert "ValueError: matmul" in only(results, "bars").reason
    network = Network([dense(rng, 3, 4, kind=Raises)])
    assert "transpose" in only(check_network(network, SquaredError(), np.ones((3, 2)), np.ones((4, 2))), "bars").guess


# Operations


def power_rule(**changes):
    rules = {
        "value": lambda A, B: A * A * B,
        "forward": lambda dots, C, A, B: 2 * A * B * dots[0] + A * A * dots[1],
        "reverse": lambda C_bar, C, A, B: (2 * A * B * C_bar, A * A * C_bar),
    }
    return Operation("A^2 B", **(rules | changes), source="test")


def in_place(C_bar, C, A, B):
    C_bar *= 1
    A += 0.0
    A[0, 0] += 1
    return 2 * A * B * C_bar, A * A * C_bar


@pytest.mark.parametrize(
    ("changes", "what", "words"),
    [
        ({"reverse": lambda C_bar, C, A, B: (2 * A * B * C_bar, -A * A * C_bar)}, "B", "the sign"),
        ({"reverse": lambda C_bar, C, A, B: ((2 * A * B * C_bar).sum(), A * A * C_bar)}, "A", "shape"),
        ({"forward": lambda dots, C, A, B: A * B * dots[0] + A * A * dots[1]}, "all together", "by forward"),
        ({"forward": lambda dots, C, A, B: (A * A * dots[1]).sum()}, "C_dot", "shape"),
        ({"forward": lambda dots, C, A, B: A @ dots[0]}, "C_dot", "raised"),
        ({"reverse": lambda C_bar, C, A, B: (C_bar, A * A * C_bar)}, "memory", "shares memory with C_bar"),
        ({"reverse": in_place}, "memory", "in place"),
    ],
    ids=["sign", "reverse shape", "forward", "forward shape", "raises", "shared", "in place"],
)
def test_wrong_rules_are_caught(changes, what, words, rng):
    inputs = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    assert verdicts(check_operation(power_rule(), inputs)) == {PASS}
    found = only(check_operation(power_rule(**changes), inputs), what)
    assert words in f"{found.check} {found.reason} {found.guess}"


def test_forward_and_reverse_are_held_against_each_other(rng):
    inputs = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    results = check_operation(power_rule(forward=lambda dots, C, A, B: A * A * dots[1]), inputs)
    assert [result.check for result in failures(results)] == ["dot product"]


def test_complex_inputs_are_refused():
    with pytest.raises(ValueError, match="A is complex"):
        check_operation(power_rule(), [np.ones(2) * 1j, np.ones(2)])


# Loops, optimizers, labels


def own_loop(
    network,
    loss,
    optimizer,
    data,
    *,
    rng,
    epochs,
    batch_size,
    l2,
    mistake="",
    Record=lambda c: SimpleNamespace(train_loss=c),
):
    """One's own loop, right or with a mistake."""
    X, Y = data
    if mistake == "shifted":
        Y = np.roll(Y, 1, axis=0)
    order, costs = rng.permutation(len(X)), []
    for start in range(0, len(X), batch_size):
        rows = order[start : start + batch_size]
        if mistake == "dropped" and len(rows) < batch_size:
            break
        values = network.forward(X[rows].T)
        F = values[-1].H
        costs.append(loss.cost(F, Y[rows].T))
        bars = network.backward(values, loss.seed(F, Y[rows].T) * (-1 if mistake == "sign" else 1))
        n = {"decay on b": None, "no penalty": 0}.get(mistake, network.n_weights)
        bars.theta_bar[:n] += l2 * network.theta[:n]
        optimizer.step(network.theta, bars.theta_bar, optimizer.learning_rate)
    sizes = [batch_size] * (len(X) // batch_size) + [len(X) % batch_size] * (len(X) % batch_size > 0)
    yield Record(np.mean(costs) if mistake in ("mean of means", "dropped") else np.average(costs, weights=sizes))


@pytest.mark.parametrize(
    ("mistake", "what", "words"),
    [
        ("shifted", "rows", "targets of other rows"),
        ("dropped", "rows", "left out"),
        ("decay on b", "b1", "weight decay on b"),
        ("no penalty", "W1", "penalty"),
        ("mean of means", "c", "without weighing"),
        ("sign", "b1", "the sign"),
    ],
)
def test_mistakes_of_a_loop_are_caught(mistake, what, words, rng):
    network = Network([Layer(rng.normal(size=(2, 3)), np.zeros((2, 1)), "tanh")])
    data = rng.normal(size=(11, 3)), rng.normal(size=(11, 2))
    right = check_loop(own_loop, network, SquaredError(), data, l2=0.1)
    assert verdicts(right) == {PASS}, table(right)

    def wrong(*arguments, **options):
        return own_loop(*arguments, **options, mistake=mistake)

    found = only(check_loop(wrong, network, SquaredError(), data, l2=0.1), what)
    assert words in found.guess


def test_a_loop_that_never_steps_or_augments_cannot_be_judged(rng):
    network, data = Network([dense(rng, 3, 2)]), (rng.normal(size=(5, 3)), rng.normal(size=(5, 2)))
    results = check_loop(lambda *arguments, **options: [], network, SquaredError(), data)
    assert "never called" in only(results, "steps", INCONCLUSIVE).reason

    def augmenting(network, loss, optimizer, data, **options):
        return own_loop(network, loss, optimizer, (data[0] + 0.1, data[1]), **options, Record=lambda c: None)

    assert "augmented" in only(check_loop(augmenting, network, SquaredError(), data), "rows", INCONCLUSIVE).reason


class OwnOptimizer:
    """Plain steps downhill, and of the first elements of theta as many as `decayed` shrink."""

    learning_rate = 0.1

    def __init__(self, mistake="", decayed=0):
        self.mistake, self.decayed = mistake, decayed

    def step(self, theta, theta_bar, eta):
        theta[: self.decayed] *= 1 - 0.01
        used = slice(0, -2) if self.mistake == "left out" else slice(None)
        theta[used] -= eta * theta_bar[used] * (-1 if self.mistake == "uphill" else 1)


@pytest.mark.parametrize(
    ("mistake", "what", "words"),
    [("uphill", "W1", "the sign"), ("decay on b", "b1", "weight decay on b"), ("left out", "b2", "left out")],
)
def test_mistakes_of_an_optimizer_are_caught(mistake, what, words, rng):
    network = Network([Layer(rng.normal(size=(4, 3)), np.zeros((4, 1)), "tanh"), dense(rng, 4, 2)])
    assert verdicts(check_optimizer(OwnOptimizer(decayed=network.n_weights), network)) == {PASS}
    wrong = OwnOptimizer(mistake, decayed=network.theta.size if mistake == "decay on b" else 0)
    assert words in only(check_optimizer(wrong, network), what).guess


def test_a_loop_whose_weight_decay_acts_on_biases_is_caught(rng):
    def decaying(network, loss, optimizer, data, *, weight_decay=0.0, **options):
        yield from own_loop(network, loss, optimizer, data, **options)
        network.theta *= 1 - weight_decay

    network, data = Network([dense(rng, 3, 2)]), (rng.normal(size=(5, 3)), rng.normal(size=(5, 2)))
    found = only(check_loop(decaying, network, SquaredError(), data, weight_decay=0.1), "b1")
    assert "weight decay on b" in found.guess
    assert "takes 0.1 of it away" in found.reason


class AtOnce(SquaredError):
    """A loss whose seed at once with the cost is another one."""

    def cost_and_seed(self, F, Y):
        return self.cost(F, Y), 2 * self.seed(F, Y)


def test_a_loss_says_the_same_at_once_and_one_by_one(rng):
    found = only(check_loss(AtOnce(), rng.normal(size=(2, 5)), rng.normal(size=(2, 5))), "F")
    assert found.check == "at once"
    assert found.guess.startswith("a factor 2")


class Adding(Layer):
    """Adds its bars to the arrays that it is given."""

    def backward(self, values, H_bar, *, out=None, input_bar=True):
        bars = super().backward(values, H_bar, input_bar=input_bar)
        if out is not None:
            out["W"] += bars.W_bar
            bars = bars._replace(W_bar=out["W"])
        return bars


def test_a_layer_that_adds_to_the_arrays_it_is_given_is_caught(rng):
    found = only(check_layer(dense(rng, 3, 4, kind=Adding), rng.normal(size=(3, 5))), "W")
    assert found.check == "as trained"
    assert "as in training nan" in found.reason


def test_labels(rng):
    labels = ["a", "b", "c", "d"]
    codes = np.array([2, 0, 3, 1, 1, 0])
    written, Y = [labels[k] for k in codes], np.eye(4)[codes]
    assert verdicts(check_labels(Y, written, labels)) == {PASS}
    assert "off by one" in only(check_labels(np.eye(4)[(codes - 1) % 4], written, labels), "Y").guess
    assert "row next to it" in only(check_labels(np.roll(Y, 1, axis=0), written, labels), "Y").guess
    swapped = only(check_labels(Y[:, [1, 0, 2, 3]], written, labels), "Y")
    assert swapped.guess == ""
    assert "row 1: 'a' is written, Y marks 'b'; 4 of 6 rows" in swapped.reason
    assert only(check_labels(Y / 2, written, labels), "Y").check == "one-hot"
    assert "shape" in only(check_labels(Y[:, :3], written, labels), "Y").reason
    two = ["no", "yes"]
    assert verdicts(check_labels(np.array([[0.0], [1], [1]]), ["no", "yes", "yes"], two)) == {PASS}
    assert only(check_labels(np.array([[1.0], [0], [0]]), ["no", "yes", "yes"], two), "Y")


# What it prints


def test_the_table(rng):
    layer = dense(rng, 3, 4, kind=Scaled)
    layer.factor = 2.0
    lines = table(check_layer(layer, rng.normal(size=(3, 5)))).splitlines()
    assert lines[0].split() == ["verdict", "array", "check", "error", "limit"]
    assert lines[1].startswith("FAIL     W             complex step  5.0e-01  1e-09  at [")
    assert lines[2] == "         guess: a factor 2: a 1/2 is missing, or something is counted twice"
    assert lines[-1] == "4 PASS, 4 FAIL, 0 INCONCLUSIVE"
    result = check_layer(layer, rng.normal(size=(3, 5)))[0]
    assert str(result).startswith("FAIL: W, complex step: error 5.0e-01, limit 1e-09; at [")
    assert str(result).endswith("guess: a factor 2: a 1/2 is missing, or something is counted twice")


def test_a_guess_has_to_explain_a_small_error_and_the_digits_show_it(rng):
    """A symmetric bar that is 1e-6 too large is a factor, not its own transpose."""

    class SlightlyLarge(Layer):
        def backward(self, values, H_bar, *, input_bar=True):
            bars = super().backward(values, H_bar, input_bar=input_bar)
            return bars._replace(W_bar=bars.W_bar * (1 + 1e-6))

    H = rng.normal(size=(3, 7))
    layer = SlightlyLarge(np.eye(3), np.zeros((3, 1)), "identity")
    result = next(r for r in check_layer(layer, H) if r.what == "W")
    assert result.verdict == FAIL
    assert "transpose" not in result.guess
    assert result.guess == "a constant factor 1.000001"
    gives, numerical = result.reason.split(" gives ")[1].split(", complex step ")
    assert gives != numerical.split(",")[0]

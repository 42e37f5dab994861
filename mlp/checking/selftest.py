"""Test the checker itself: it has to catch mistakes that are planted here, and to pass what the package ships."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from mlp.activations import ACTIVATIONS, Activation
from mlp.autodiff.operation import Operation
from mlp.checking.guesses import AT_H, DECAY_ON_B, FORGOTTEN, IN_PLACE, IN_PLACE_BAR, OVERWRITTEN, STATE, W_FOR_W_T
from mlp.checking.labels import OFF_BY_ONE, check_labels
from mlp.checking.loss import WRONG_AXIS, check_loss, softmax_of_examples
from mlp.checking.network import check_layer, check_network
from mlp.checking.operation import SHARED_BAR, check_operation
from mlp.checking.results import FAIL, INCONCLUSIVE, PASS, Result, as_results, failures
from mlp.checking.training import FORGOTTEN_VELOCITY, NOT_SAVED, SHORT, check_loop, check_optimizer
from mlp.checking.weights import DIVIDED, check_weights
from mlp.layers.dense import Layer, LayerBars, LayerValues
from mlp.layers.recompute import Recompute
from mlp.layers.reversible import Coupling, Reversible
from mlp.losses import LOSSES, SoftmaxCrossEntropy, SquaredError
from mlp.network import Network
from mlp.optimizers import SGD, Adam
from mlp.penalties import L2Penalty
from mlp.training import train
from mlp.types import Array

Check: TypeAlias = "Callable[[np.random.Generator], list[Result]]"  # in quotes: numpy.random is slow to load


class Planted(NamedTuple):
    """A mistake, the check that has to catch it, the array that it has to name and (part of) its guess."""

    name: str
    check: Check
    array: str
    guess: str


def dense(
    rng: np.random.Generator, n_in: int, n_out: int, activation: Any = "tanh", kind: type[Layer] = Layer
) -> Layer:
    return kind(rng.normal(size=(n_out, n_in)), rng.normal(size=(n_out, 1)), activation)


def in_a_layer(kind: type[Layer], activation: Any = "tanh", K: int = 4) -> Check:
    """Check a layer with K inputs and 4 units: square, so that shapes give nothing away, or not."""
    return lambda rng: check_layer(dense(rng, K, 4, activation, kind), rng.normal(size=(K, 5)), rng=rng)


def in_a_network(kind: type[Layer] = Layer, activation: Any = "tanh", penalty: L2Penalty | None = None) -> Check:
    """Check a network of three layers, the middle one of this kind."""

    def check(rng: np.random.Generator) -> list[Result]:
        network = Network([dense(rng, 3, 4), dense(rng, 4, 5, activation, kind), dense(rng, 5, 2)])
        X, Y = rng.normal(size=(2, 3, 6))
        return check_network(network, SquaredError(), X, Y[:2], penalty=penalty, rng=rng)

    return check


def in_a_loss(loss: Any) -> Check:
    return lambda rng: check_loss(loss, rng.normal(size=(3, 5)), np.eye(3)[:, rng.integers(3, size=5)], rng=rng)


def in_a_loop(rng: np.random.Generator) -> list[Result]:
    network, data = Network([dense(rng, 3, 2)]), (rng.normal(size=(11, 3)), rng.normal(size=(11, 2)))
    return check_loop(full_B, network, SquaredError(), data, batch_size=4, l2=0.1, rng=rng)


def in_weights(rng: np.random.Generator) -> list[Result]:
    data = rng.normal(size=(11, 3)), rng.normal(size=(11, 2))
    return check_weights(own_mean, Network([dense(rng, 3, 2)]), SquaredError(), data, rng=rng)


def in_an_operation(rng: np.random.Generator) -> list[Result]:
    return check_operation(ONE_USE, [rng.normal(size=(3, 4))], rng=rng)


def in_a_shared_bar(rng: np.random.Generator) -> list[Result]:
    return check_operation(SHARED, [rng.normal(size=(3, 4)), rng.normal(size=(3, 4))], rng=rng)


def in_an_optimizer(optimizer: Any) -> Check:
    return lambda rng: check_optimizer(optimizer, Network([dense(rng, 3, 2)]), rng=rng)


def in_labels(rng: np.random.Generator) -> list[Result]:
    labels, codes = ["cat", "dog", "owl"], rng.permutation([0, 1, 1, 2, 0])
    return check_labels(np.eye(3)[(codes + 1) % 3], [labels[k] for k in codes], labels)  # codes


# The mistakes, each with what is right beside it


def wrong(kind: type[Any], **methods: Callable[..., Any]) -> type[Any]:
    """The class with other methods."""
    return type("Wrong", (kind,), methods)


def wrong_bars(change: Callable[[Layer, LayerValues, LayerBars], dict[str, Array]]) -> type[Layer]:
    """A layer with other bars in the place of the right ones."""

    class Wrong(Layer):
        def backward(self, values: LayerValues, H_bar: Array, **options: Any) -> LayerBars:
            bars = super().backward(values, H_bar, **options)
            return bars._replace(**change(self, values, bars))

    return Wrong


TRANSPOSED = wrong_bars(lambda layer, values, bars: {"W_bar": values.H_in @ bars.A_bar.T})  # A_bar H_in^T
NOT_TRANSPOSED = wrong_bars(lambda layer, values, bars: {"H_in_bar": layer.W @ bars.A_bar})  # W^T A_bar
NOT_SUMMED = wrong_bars(lambda layer, values, bars: {"b_bar": bars.A_bar})  # A_bar 1
LOWEST = wrong_bars(lambda layer, values, bars: {"W_bar": -bars.W_bar} if bars.H_in_bar is None else {})  # W_bar
NO_SLOPE = Activation("tanh", value=np.tanh, slope=lambda A, H: np.ones_like(A))  # 1 - H^2
SLOPE_AT_H = Activation("tanh", value=np.tanh, slope=lambda A, H: 1 - np.tanh(H) ** 2)  # 1 - H^2
SUM_SEED = wrong(SquaredError, seed=lambda loss, F, Y: F - Y)()  # (F - Y) / B
NO_HALF = wrong(SquaredError, cost=lambda loss, F, Y: ((F - Y) ** 2).sum() / F.shape[1])()  # / 2B
OF_EXAMPLES = wrong(SoftmaxCrossEntropy, seed=lambda loss, F, Y: softmax_of_examples(F, Y))()  # of classes
ONE_USE = Operation(
    "A * A",
    value=lambda A: A * A,
    forward=lambda dots, C, A: A * dots[0] + dots[0] * A,
    reverse=lambda C_bar, C, A: (C_bar * A,),  # twice that
    source="wrong on purpose",
)


class Earlier(Layer):
    kept: Any = None

    def forward(self, H_in: Array) -> LayerValues:
        self.kept = self.kept or super().forward(H_in)  # every time
        return super().forward(H_in)

    def backward(self, values: LayerValues, H_bar: Array, **options: Any) -> LayerBars:
        return super().backward(self.kept, H_bar, **options)


class Overwriting(Layer):
    """H = g(W H_in + b 1^T) + H_in, as in a residual network, so that H_in is used twice."""

    def forward(self, H_in: Array) -> LayerValues:
        values = super().forward(H_in)
        return values._replace(H=values.H + H_in)

    def backward(self, values: LayerValues, H_bar: Array, **options: Any) -> LayerBars:
        return super().backward(values._replace(H=self.g(values.A)), H_bar, **options)  # H_in_bar + H_bar


class InPlace(Layer):
    def forward(self, H_in: Array) -> LayerValues:
        A = self.W @ H_in + self.b
        return LayerValues(H_in, A, np.maximum(A, 0, out=A))  # H is A, and A is gone


class InPlaceBar(Layer):
    def backward(self, values: LayerValues, H_bar: Array, **options: Any) -> LayerBars:
        bars = super().backward(values, H_bar, **options)
        H_bar *= self.g.slope(values.A, values.H)  # a new array
        return bars


class Forgetful(SGD):
    def step(self, theta: Array, theta_bar: Array, eta: Any) -> None:
        super().step(theta, theta_bar, eta)
        self.velocity[...] = 0  # is kept


class Unsaved(SGD):
    def state(self) -> dict[str, Any]:
        return super().state() | {"velocity": 0 * self.velocity}  # the velocity


SHARED = Operation(
    "A + B",
    value=lambda A, B: A + B,
    forward=lambda dots, C, A, B: dots[0] + dots[1],
    reverse=lambda C_bar, C, A, B: (C_bar, C_bar),  # copies: a parent may add to its bar
    source="wrong on purpose",
)


class DecayOnB(L2Penalty):
    def add_to(self, network: Network, theta_bar: Array) -> None:
        theta_bar += self.strength * network.theta  # the first n_weights of both


def full_B(network: Any, loss: Any, optimizer: Any, data: Any, *, batch_size: int, **options: Any) -> Any:
    scaled = wrong(SquaredError, seed=lambda _, F, Y: loss.seed(F, Y) * F.shape[1] / batch_size)()  # the seed as it is
    return train(network, scaled, optimizer, data, batch_size=batch_size, **options)


def own_mean(network: Any, loss: Any, optimizer: Any, data: Any, **options: Any) -> Any:
    X, Y, *w = data
    divided = [each / each.mean() for each in w]  # as they are
    return train(network, loss, optimizer, (X, Y, *divided), **options)


PLANTED = (
    Planted("W_bar transposed", in_a_layer(TRANSPOSED), "W", "a transpose"),
    Planted("W_bar transposed, W not square", in_a_layer(TRANSPOSED, K=3), "W", "a transpose"),
    Planted("W for W^T in H_bar", in_a_layer(NOT_TRANSPOSED), "H_in", W_FOR_W_T),
    Planted("b_bar not summed", in_a_layer(NOT_SUMMED), "b", "the sum over the minibatch is missing"),
    Planted("slope forgotten on one layer", in_a_network(activation=NO_SLOPE), "W2", FORGOTTEN),
    Planted("slope taken at H instead of A", in_a_layer(Layer, SLOPE_AT_H), "W", AT_H),
    Planted("mean and sum mixed between cost and seed", in_a_loss(SUM_SEED), "F", "a factor B = 5"),
    Planted("a factor 1/2 missing", in_a_loss(NO_HALF), "F", "a factor 1/2"),
    Planted("the last short minibatch scaled by the full B", in_a_loop, "W1", SHORT),
    Planted("overwriting instead of summing, in a layer", in_a_layer(Overwriting), "H_in", OVERWRITTEN),
    Planted("overwriting instead of summing, in an operation", in_an_operation, "A", "one of two uses"),
    Planted("softmax over the wrong axis", in_a_loss(OF_EXAMPLES), "F", WRONG_AXIS),
    Planted("weight decay on b", in_a_network(penalty=DecayOnB(0.1)), "b2", DECAY_ON_B),
    Planted("values of an earlier forward used in backward", in_a_network(Earlier), "W2", STATE),
    Planted("wrong only where training leaves H_in_bar out", in_a_layer(LOWEST), "W", "the sign"),
    Planted("ReLU applied in place on the stored A", in_a_layer(InPlace, "relu", 3), "A", IN_PLACE),
    Planted("H_bar changed in place", in_a_network(InPlaceBar), "H_bar of layer 2", IN_PLACE_BAR),
    Planted("one C_bar handed to two parents", in_a_shared_bar, "memory", SHARED_BAR),
    Planted("velocity forgotten", in_an_optimizer(Forgetful(0.1, 0.9)), "velocity", FORGOTTEN_VELOCITY),
    Planted("velocity left out of the saved state", in_an_optimizer(Unsaved(0.1, 0.9)), "state", NOT_SAVED),
    Planted("weights divided by their sum in the minibatch", in_weights, "W1", DIVIDED),
    Planted("labels off by one", in_labels, "Y", OFF_BY_ONE),
)


@as_results
def self_test(seed: int = 0) -> list[Result]:
    """One result for each planted mistake (PASS: it was caught), and one for each thing that the package ships."""
    return [*(caught(mistake, seed) for mistake in PLANTED), *shipped(np.random.default_rng(seed))]


def caught(mistake: Planted, seed: int) -> Result:
    found = failures(mistake.check(np.random.default_rng(seed)))
    for result in found:
        if result.what == mistake.array and mistake.guess in result.guess:
            reason = f"caught in {result.what}: {result.guess}"
            return Result(mistake.name, result.check, PASS, result.error, result.tolerance, reason)
    reason = f"missed: it must fail in {mistake.array}, failures: {', '.join(r.what for r in found) or 'none'}"
    return Result(mistake.name, "", FAIL, 0.0, 0.0, reason)


def shipped(rng: np.random.Generator) -> Iterator[Result]:
    """The package's own: layers, losses, networks with them, the optimizers and the loop."""
    couplings = [Coupling(dense(rng, 2, 2)), Coupling(dense(rng, 2, 2), swap=True)]
    around = [couplings[0], Reversible(couplings), Recompute([dense(rng, 4, 3), dense(rng, 3, 4)])]
    layers: dict[str, Any] = {f"layer with {name}": dense(rng, 4, 3, name) for name in ACTIVATIONS}
    for name, layer in {**layers, **{type(layer).__name__: layer for layer in around}}.items():
        yield summary(name, check_layer(layer, rng.normal(size=(4, 5)), rng=rng))
    network = Network([dense(rng, 4, 7, "softplus"), dense(rng, 7, 6, "identity")])
    X, Y = rng.normal(size=(4, 5)), np.eye(6)[:, [0, 5, 1, 3, 0]]
    for name, loss in LOSSES.items():
        yield summary(name, check_loss(loss, rng.normal(size=(6, 5)), Y, rng=rng))
        yield summary(f"network with {name}", check_network(network, loss, X, Y, 0.1, rng=rng))
        loop = check_loop(train, network, loss, (X.T, Y.T), l2=0.1, weight_decay=0.1, rng=rng)
        loop += check_weights(train, network, loss, (X.T, Y.T), rng=rng)
        yield summary(f"train with {name}", loop)
    momentum, nesterov = SGD(momentum=0.9), SGD(momentum=0.9, nesterov=True)
    optimizers = {"SGD": SGD(), "SGD with momentum": momentum, "SGD with nesterov": nesterov, "Adam": Adam()}
    for name, optimizer in optimizers.items():
        yield summary(name, check_optimizer(optimizer, network, rng=rng))


def summary(what: str, results: Sequence[Result]) -> Result:
    """The worst of the results, as one."""
    bad = [result for verdict in (FAIL, INCONCLUSIVE) for result in results if result.verdict == verdict]
    worst = bad[0] if bad else max(results, key=lambda result: result.error)
    reason = str(bad[0]) if bad else f"all {len(results)} checks"
    return Result(what, worst.check, worst.verdict, worst.error, worst.tolerance, reason)

"""Does the checker catch what it has to catch, and pass what is right?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from mlp.activations import ACTIVATIONS
from mlp.checking import planted
from mlp.checking.labels import OFF_BY_ONE, check_labels
from mlp.checking.layer import check_layer
from mlp.checking.loop import SHORT, check_loop
from mlp.checking.loss import WRONG_AXIS, check_loss
from mlp.checking.network import check_network
from mlp.checking.operation import check_operation
from mlp.checking.optimizer import check_optimizer
from mlp.checking.results import FAIL, INCONCLUSIVE, PASS, Result, failures
from mlp.checking.state import IN_PLACE
from mlp.checking.suspects import AT_H, FORGOTTEN, OVERWRITTEN, STATE, W_FOR_W_T
from mlp.checking.sweep import DECAY_ON_B
from mlp.layers.dense import Layer
from mlp.layers.reversible import Coupling, Reversible
from mlp.losses import LOSSES, SquaredError
from mlp.network import Network
from mlp.optimizers import SGD, Adam
from mlp.penalties import L2Penalty
from mlp.training import train

Check: TypeAlias = "Callable[[np.random.Generator], list[Result]]"  # in quotes: numpy.random is slow to load


@dataclass(frozen=True)
class Planted:
    """A mistake, the check that has to catch it, the array that it has to name and (part of) its guess."""

    name: str
    check: Check
    array: str
    guess: str


def in_a_layer(kind: type[Layer], activation: str = "tanh", K: int = 4) -> Check:
    """K inputs and 4 units: square, so that shapes give nothing away, or not."""
    return lambda rng: check_layer(
        kind(rng.normal(size=(4, K)), rng.normal(size=(4, 1)), activation), rng.normal(size=(K, 5)), rng=rng
    )


def in_a_network(kind: type[Layer] = Layer, penalty: L2Penalty | None = None) -> Check:
    """The middle one of three layers is of this kind."""

    def check(rng: np.random.Generator) -> list[Result]:
        shapes = ((4, 3), (5, 4), (2, 5))
        kinds: tuple[type[Layer], ...] = (Layer, kind, Layer)
        layers = [k(rng.normal(size=s), rng.normal(size=(s[0], 1)), "tanh") for k, s in zip(kinds, shapes, strict=True)]
        X, Y = rng.normal(size=(3, 6)), rng.normal(size=(2, 6))
        return check_network(Network(layers), SquaredError(), X, Y, penalty=penalty, rng=rng)

    return check


def in_a_loss(loss: Any) -> Check:
    return lambda rng: check_loss(loss, rng.normal(size=(3, 5)), np.eye(3)[:, rng.integers(3, size=5)], rng=rng)


def in_the_loop(rng: np.random.Generator) -> list[Result]:
    network = Network([Layer(rng.normal(size=(2, 3)), rng.normal(size=(2, 1)), "tanh")])
    data = rng.normal(size=(11, 3)), rng.normal(size=(11, 2))
    return check_loop(planted.plain_loop, network, SquaredError(), data, batch_size=4, l2=0.1, rng=rng)


def in_the_labels(rng: np.random.Generator) -> list[Result]:
    labels = ["cat", "dog", "owl"]
    written = [labels[k] for k in (0, 2, 1, 1, 0)]
    return check_labels(planted.one_hot_from_one(written, labels), written, labels)


PLANTED = (
    Planted("W_bar transposed", in_a_layer(planted.TransposedWBar), "W", "a transpose"),
    Planted("W_bar transposed, W not square", in_a_layer(planted.TransposedWBar, K=3), "W", "a transpose"),
    Planted("W for W^T in H_bar", in_a_layer(planted.WForWT), "H_in", W_FOR_W_T),
    Planted("b_bar not summed", in_a_layer(planted.BBarNotSummed), "b", "the sum over the minibatch is missing"),
    Planted("slope forgotten on one layer", in_a_network(planted.SlopeForgotten), "W2", FORGOTTEN),
    Planted("slope taken at H instead of A", in_a_layer(planted.SlopeAtH, "logistic"), "W", AT_H),
    Planted("mean and sum mixed between cost and seed", in_a_loss(planted.MeanCostSumSeed()), "F", "a factor B = 5"),
    Planted("a factor 1/2 missing", in_a_loss(planted.HalfMissing()), "F", "a factor 1/2"),
    Planted("the last short minibatch scaled by the full B", in_the_loop, "W1", SHORT),
    Planted("overwriting instead of summing, in a layer", in_a_layer(planted.Overwriting), "H_in", OVERWRITTEN),
    Planted(
        "overwriting instead of summing, in an operation",
        lambda rng: check_operation(planted.OVERWRITING_SQUARE, [rng.normal(size=(3, 4))], rng=rng),
        "A",
        "one of two uses",
    ),
    Planted("softmax over the wrong axis", in_a_loss(planted.WrongAxis()), "F", WRONG_AXIS),
    Planted("weight decay on b", in_a_network(penalty=planted.DecayOnB(0.1)), "b2", DECAY_ON_B),
    Planted("values of an earlier forward used in backward", in_a_network(planted.EarlierValues), "W2", STATE),
    Planted("wrong only where training leaves H_in_bar out", in_a_layer(planted.WrongAsLowest), "W", "the sign"),
    Planted("ReLU applied in place on the stored A", in_a_layer(planted.InPlace, "relu", 3), "A", IN_PLACE),
    Planted("labels off by one", in_the_labels, "Y", OFF_BY_ONE),
)


def self_test(seed: int = 0) -> list[Result]:
    """One result for each planted mistake (PASS: it was caught), and one for each thing that the package ships."""
    return [*(caught(mistake, seed) for mistake in PLANTED), *shipped(seed)]


def caught(mistake: Planted, seed: int) -> Result:
    found = failures(mistake.check(np.random.default_rng(seed)))
    for result in found:
        if result.what == mistake.array:
            reason = f"caught in {result.what}: {result.guess or result.reason}"
            return Result(mistake.name, result.check, PASS, result.error, result.tolerance, reason)
    reason = f"missed: it must fail in {mistake.array}, failures: {', '.join(r.what for r in found) or 'none'}"
    return Result(mistake.name, "", FAIL, 0.0, 0.0, reason)


def shipped(seed: int) -> Iterator[Result]:
    """The package's own: layers, losses, networks with them, the optimizers and the loop."""
    rng = np.random.default_rng(seed)

    def dense(K_in: int, K_out: int, activation: str) -> Layer:
        return Layer(rng.normal(size=(K_out, K_in)), rng.normal(size=(K_out, 1)), activation)

    for name in ACTIVATIONS:
        yield summary(f"layer with {name}", check_layer(dense(3, 4, name), rng.normal(size=(3, 5)), rng=rng))
    couplings = [Coupling(dense(2, 2, "tanh")), Coupling(dense(2, 2, "tanh"), swap=True)]
    for layer in (couplings[0], Reversible(couplings)):
        yield summary(type(layer).__name__, check_layer(layer, rng.normal(size=(4, 5)), rng=rng))
    network = Network([dense(4, 6, "softplus"), dense(6, 3, "identity")])
    X, Y = rng.normal(size=(4, 5)), np.eye(3)[:, [0, 2, 1, 1, 0]]
    for name, loss in LOSSES.items():
        yield summary(name, check_loss(loss, rng.normal(size=(3, 5)), Y, rng=rng))
        yield summary(f"network with {name}", check_network(network, loss, X, Y, 0.1, rng=rng))
        yield summary(f"train with {name}", check_loop(train, network, loss, (X.T, Y.T), l2=0.1, rng=rng))
    optimizers: dict[str, Any] = {
        "SGD": SGD(),
        "SGD with momentum": SGD(momentum=0.9),
        "SGD with nesterov": SGD(momentum=0.9, nesterov=True),
        "Adam": Adam(),
        "Adam with weight decay": Adam(weight_decay=0.1),
    }
    for name, optimizer in optimizers.items():
        yield summary(name, check_optimizer(optimizer, network, rng=rng))


def summary(what: str, results: Sequence[Result]) -> Result:
    """The worst of the results, as one."""
    bad = [result for verdict in (FAIL, INCONCLUSIVE) for result in results if result.verdict == verdict]
    worst = bad[0] if bad else max(results, key=lambda result: result.error)
    reason = str(bad[0]) if bad else f"all {len(results)} checks"
    return Result(what, worst.check, worst.verdict, worst.error, worst.tolerance, reason)

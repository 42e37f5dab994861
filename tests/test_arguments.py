"""Every argument of the public calls: with each of a dozen wrong values it works, or the error names the argument."""

import re
from functools import partial

import numpy as np
import pytest
from small_calls import X, Y, labels, layer, node, rng, training

import mlp.autodiff as ad
from mlp import SGD, Activation, Adam, L2Penalty, Layer, Network, Progress, evaluate, schedules, train
from mlp.errors import DataError
from mlp.initialization import initial_weights
from mlp.layers import (
    BatchNorm,
    Coupling,
    Dropout,
    Embedding,
    Gain,
    LayerNorm,
    Mix,
    Periodic,
    Recompute,
    Residual,
    Reversible,
)
from mlp.losses import LOSSES, Huber, LogisticCrossEntropy, Quantile, SoftmaxCrossEntropy, SquaredError
from mlp.minibatches import Alone, batches
from mlp.monitor import Monitor, Plateau
from mlp.optimizers import gradient_norm, rates_of
from mlp.penalties import WeightDecay

WRONG = {
    "None": None,
    "True": True,
    "-1": -1,
    "1.5": 1.5,
    "nan": float("nan"),
    "1j": 1j,
    "text": "relu",
    "bytes": b"1",
    "list": [1.0, 2.0],
    "ragged": [[1.0], [1.0, 2.0]],
    "dict": {"a": 1},
    "class": SGD,
    "object": object(),
    "function": len,
    "scalar array": np.array(1.0),
    "vector": np.ones(2),
    "texts": np.array([["a", "b"]]),
    "objects": np.array([[None, 1]]),
    "complex": np.ones((2, 2), complex),
    "empty": np.ones((0, 0)),
}
F, ONE_HOT = rng.normal(size=(2, 5)), np.eye(2)[labels].T
S = np.array([[2.0, 0.5], [0.5, 1.0]])


def own(make):
    """A method of a fresh object with the values of its forward pass."""
    made = make()
    K = made.n_in
    values = made.forward(rng.normal(size=(K, 5)))
    return made, {"values": values, "H_bar": np.ones_like(values.H)}


LAYERS = {
    "Layer": layer,
    "Gain": lambda: Gain(np.ones((3, 1))),
    "Mix": lambda: Mix(np.ones((3, 1)), "tanh"),
    "LayerNorm": lambda: LayerNorm(np.ones((3, 1)), np.ones((3, 1))),
    "BatchNorm": lambda: BatchNorm(*np.ones((4, 3, 1))),
    "Embedding": lambda: Embedding(4, [[1, 2]], np.ones((3, 2))),
    "Periodic": lambda: Periodic(3, [0], [[1.0]], [[0.0]], [[[1.0]]], [[0.0]]),
    "Residual": lambda: Residual([layer(n_out=3)]),
    "Recompute": lambda: Recompute([layer(n_out=3)]),
    "Coupling": lambda: Coupling(layer(n_out=3)),
    "Reversible": lambda: Reversible([Coupling(layer(n_out=3))]),
}
LOSS_OBJECTS = tuple({**LOSSES, "quantile": Quantile([0.1, 0.9])}.values())


def calls():
    """(name, function, right arguments) of the public calls."""
    start = {"rng": np.random.default_rng(0)}
    yield (
        "Layer.initialize",
        Layer.initialize,
        {"n_in": 3, "n_out": 2, "activation": "relu", "scheme": "zeros", **start},
    )
    yield (
        "Layer.initialize 2",
        Layer.initialize,
        {"n_in": 3, "n_out": 2, "activation": "relu", "bias": "zeros", **start},
    )
    yield "Layer.initialize 3", Layer.initialize, {"n_in": 3, "n_out": 2, "activation": "relu", "dtype": float, **start}
    yield "initial_weights", initial_weights, {"n_in": 3, "n_out": 2, "scheme": "zeros", **start}
    yield "Layer", Layer, {"W": np.ones((2, 3)), "b": np.ones((2, 1)), "activation": "tanh"}
    yield "Gain", Gain, {"s": np.ones((3, 1))}
    yield "Mix", Mix, {"a": np.ones((3, 1)), "activation": "tanh"}
    yield "LayerNorm", LayerNorm, {"s": np.ones((3, 1)), "b": np.ones((3, 1))}
    yield "BatchNorm", BatchNorm, dict.fromkeys(("s", "b", "mean", "variance"), np.ones((3, 1)))
    yield "Embedding", Embedding, {"n_in": 3, "categories": [[0, 1]], "W": np.ones((2, 2))}
    arrays = {"w": [[1.0]], "b": [[1.0]], "V": [[[1.0]]], "c": [[1.0]]}
    yield "Periodic", Periodic, {"n_in": 3, "columns": [0], **arrays}
    yield "Dropout", Dropout, {"p": 0.1}
    yield "Coupling", Coupling, {"m": layer(n_out=3), "swap": True}
    for each in (Network, Residual, Recompute):
        yield each.__name__, each, {"layers": [layer(n_out=3)]}
    yield "Reversible", Reversible, {"couplings": [Coupling(layer(n_out=3))]}
    for name, make in LAYERS.items():
        made, keys = own(make)
        yield f"{name}.forward", made.forward, {"H_in": rng.normal(size=(made.n_in, 5))}
        yield f"{name}.backward", made.backward, keys
    network = Network([layer()])
    yield "network.forward", network.forward, {"X": X.T}
    yield "network", network, {"X": X.T}
    yield "network.backward", network.backward, {"values": network.forward(X.T), "F_bar": F}
    for loss in LOSS_OBJECTS:
        targets = ONE_HOT if loss.task == "classification" else np.ones((2, 5))
        yield f"{loss.name}.cost", loss.cost, {"F": F, "Y": targets}
        yield f"{loss.name}.seed", loss.seed, {"F": F, "Y": targets}
        yield f"{loss.name}.costs", loss.costs, {"F": F, "Y": targets}
        yield f"{loss.name}.predict", loss.predict, {"F": F}
    yield "Huber", Huber, {"delta": 1.0}
    yield "Quantile", Quantile, {"levels": [0.5]}
    yield "SGD", SGD, {"learning_rate": 0.1, "momentum": 0.5, "nesterov": True}
    yield "Adam", Adam, {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.9, "epsilon": 1e-8}
    for optimizer in (SGD(0.1), SGD(0.1, 0.5, nesterov=True), Adam()):
        yield type(optimizer).__name__, optimizer.step, {"theta": np.ones(3), "theta_bar": np.ones(3), "eta": 0.1}
    yield "L2Penalty", L2Penalty, {"strength": 0.1}
    yield "WeightDecay", WeightDecay, {"strength": 0.1}
    yield "gradient_norm", gradient_norm, {"theta_bar": np.ones(3)}
    yield "rates_of", rates_of, {"network": network, "factors": {"b": 2.0}}
    yield "step", schedules.step, {"every": 2, "factor": 0.5}
    yield "exponential", schedules.exponential, {"decay": 0.5}
    yield "cosine", schedules.cosine, {"epochs": 2, "floor": 0.5}
    yield "cycles", schedules.cycles, {"epochs": 2, "count": 2}
    yield "one_cycle", schedules.one_cycle, {"epochs": 2, "rise": 0.5, "start": 0.5}
    yield "warm_up", schedules.warm_up, {"schedule": schedules.constant(), "epochs": 2}
    yield "Monitor", Monitor, {"by": "loss", "ties": "last"}
    yield "Activation", Activation, {"name": "n", "value": np.tanh, "slope": np.tanh, "scheme": "zeros"}
    yield "Plateau", Plateau, {"factor": 0.5, "patience": 3}
    yield "batches", batches, {"N": 3, "batch_size": 2}
    yield (
        "evaluate",
        evaluate,
        {"network": network, "loss": SquaredError(), "data": (X, Y), "metrics": {}, "prefix": ""},
    )
    right = {"network": network, "loss": SquaredError(), "optimizer": SGD(), "data": (X, Y), **start}
    more = {"valid": (X, Y), "metrics": {}, "l2": 0.0, "weight_decay": 0.0, "schedule": schedules.constant()}
    rest = {"clip": 1.0, "rate_factors": {}, "label_smoothing": 0.0, "ema": 0.5, "monitor": Monitor(), "patience": 3}
    rest["plateau"] = Plateau(0.1, 3)
    last = {"train_loss": "running", "progress": Progress(), "workers": Alone()}
    yield "train", train, {**right, "epochs": 1, "batch_size": 2, **more, **rest, **last}
    yield "Graph.input", ad.Graph().input, {"value": 1.0, "name": "u"}
    u = ad.Graph().input(S, "u")
    z = ad.sum(u)
    yield "forward_mode", ad.forward_mode, {"dots": {u: S}}
    yield "reverse_mode", ad.reverse_mode, {"output": z, "output_bar": 1.0}
    yield "jacobian", partial(ad.jacobian, ad.exp), {"A": S, "mode": "reverse", "limit": 100}
    yield "to_dot", ad.to_dot, {"graph": u.graph, "dots": {u: S}, "bars": {u: S}}
    yield "draw_graph", ad.draw_graph, {"graph": u.graph, "dots": {u: S}, "bars": {u: S}, "fold": True}


CALLS = {f"{i} {name}": (function, keys) for i, (name, function, keys) in enumerate(calls())}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_each_argument_is_checked(name):
    function, right = CALLS[name]
    function(**copied(right))
    faults = []
    for key in right:
        for what, value in WRONG.items():
            try:
                function(**{**copied(right), key: value})
            except (TypeError, ValueError) as error:
                if not re.search(rf"\b({key}|{SAID_AS.get(key, key)})\b", str(error)):
                    faults.append(f"{key} = {what}: {error!r}")
            except Exception as error:
                faults.append(f"{key} = {what}: {error!r}")
    assert not faults, "\n".join(faults)


SAID_AS = {
    "strength": "must be a number >= 0",
    "p": "dropout",
    "X": "H_in",
    "layers": "layer 1",
    "m": "layer 1",
    "metrics": "metric",
    "H_in": "coupling",
    "F_bar": "H_bar",
    "factors": "rate_factors",
    "A": "value",
}
"""The words for an argument where they are not its name."""


def copied(keys):
    return {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in keys.items()}


RIGHT = {
    "NumPy's numbers": lambda: training(epochs=np.int64(1), l2=np.float32(0.1), optimizer=SGD(np.float64(0.1))),
    "a single rate": lambda: training(optimizer=SGD(np.float32(0.1))),
    "own rates": lambda: training(rate_factors={"b": 2}),
    "a tuple of layers": lambda: training(network=Network((layer(),))),
    "boolean targets": lambda: training(loss=LogisticCrossEntropy(), data=(X, Y > 0)),
    "whole numbers": lambda: training(loss=SoftmaxCrossEntropy(), data=(X, np.eye(2, dtype=int)[labels])),
    "shares": lambda: training(loss=SoftmaxCrossEntropy(), data=(X, np.full((5, 2), 0.5, np.float32))),
    "lists for a layer": lambda: Layer([[1, 2]], [[0]], "tanh").forward([[1], [2]]),
    "W replaced": lambda: setattr(layer(), "W", np.ones((2, 4), int)),
    "arrays beside a node": lambda: np.eye(2) @ (2.0 + np.ones((2, 2)) * node(S)) / np.float64(2),
    "a wide minibatch": lambda: wide().backward(wide().forward(np.ones((500, 64), np.float32)), np.ones((9, 64))),
}


def wide():
    return Layer.initialize(500, 9, "tanh", rng=np.random.default_rng(0))


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_taken(name):
    found = RIGHT[name]()
    if found is not None and hasattr(found, "minibatches"):
        assert len(list(found)) == 1


def test_rounding_is_no_change():
    one = layer()
    values = one.forward(X.T)
    one.backward(values._replace(A=np.nextafter(values.A, np.inf)), Y.T)


def test_an_error_of_a_file_keeps_its_kind():
    class Unreadable:
        shape, ndim, dtype = (5, 3), 2, np.dtype(float)

        def __len__(self):
            return 5

        def __getitem__(self, rows):
            raise DataError("a.npy: was cut short")

    with pytest.raises(DataError, match=r"^a.npy: was cut short"):
        training(data=(Unreadable(), Y))

"""Calls with wrong arguments: the error names the argument, what it was, and the form to pass."""

import re
from functools import partial

import numpy as np
import pytest

import mlp.autodiff as ad
from mlp import SGD, Activation, Adam, L2Penalty, Layer, Network, Progress, evaluate, schedules, train
from mlp.experiments.assemble import prepare
from mlp.experiments.average import load
from mlp.experiments.config.load import load_config
from mlp.experiments.model import load_model
from mlp.initialization import initial_weights
from mlp.layers import Coupling, Dropout, Embedding, Gain, LayerNorm, Mix, Periodic, Recompute, Residual, Reversible
from mlp.losses import Huber, LogisticCrossEntropy, Poisson, Quantile, SoftmaxCrossEntropy, SquaredError
from mlp.minibatches import Alone, batches
from mlp.monitor import Monitor
from mlp.optimizers import gradient_norm, rates_of
from mlp.penalties import WeightDecay
from mlp.schedules import cosine, step, warm_up
from mlp.tables import Reading, column_names, read_table

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
labels = np.array([0, 1, 0, 1, 1])


def layer(**keys):
    return Layer.initialize(
        **{"n_in": 3, "n_out": 2, "activation": "tanh", "rng": np.random.default_rng(1), "dtype": np.float64, **keys}
    )


def training(*, network=None, loss=None, optimizer=None, data=(X, Y), **keys):
    network = Network([layer()]) if network is None else network
    loss, optimizer = loss or SquaredError(), optimizer or SGD(0.1)
    return train(network, loss, optimizer, data, **{"rng": np.random.default_rng(2), "epochs": 1, **keys})


def swept(change, *, whole=False):
    """Forward, a change of the weights, and backward."""
    one = Network([layer()]) if whole else layer()
    values = one.forward(X.T)
    change(one.layers[0] if whole else one)
    one.backward(values, Y.T)


def add_to_W(one):
    one.W += 1


def set_b(value):
    layer().b = value


def node(value=1.0):
    return ad.Graph().input(value, "u")


def set_value(u):
    u.value = 7.0


MISUSES = {
    # Arguments of layers and networks.
    "rng a number": (lambda: layer(rng=0), "rng must be a numpy.random.Generator", "np.random.default_rng(0)", "got 0"),
    "rng the module": (lambda: layer(rng=np.random), "rng must be a numpy.random.Generator", "got the module"),
    "rng the old kind": (lambda: layer(rng=np.random.RandomState(0)), "rng must be a numpy.random.Generator"),
    "n_in a float": (lambda: Layer.initialize(3.0, 2, "tanh", rng=rng), "n_in must be a whole number", "got 3.0"),
    "n_out text": (lambda: Layer.initialize(3, "2", "tanh", rng=rng), "n_out must be a whole number", "got '2'"),
    "dtype int": (lambda: layer(dtype=int), "dtype must be a type of floats such as np.float32", "got the class int"),
    "dtype text": (lambda: layer(dtype="double precision"), "dtype must be a type of floats such as np.float32"),
    "NumPy's function": (lambda: Layer(X, Y[:, :1], np.tanh), "activation must be", "relu", "mlp.Activation"),
    "no activation": (lambda: Layer(X, Y[:, :1], None), "activation must be", "relu", "got None"),
    "Activation class": (lambda: Layer(X, Y[:, :1], Activation), "activation must be", "the class Activation"),
    "activation's value": (lambda: Activation("square", 2, 3), "value must be a function", "got 2"),
    "W of texts": (lambda: Layer([["a"]], [[0]], "tanh"), "W must hold numbers"),
    "ragged W": (lambda: Layer([[1, 2], [3]], [[0], [0]], "tanh"), "W must hold numbers"),
    "boolean dropout": (lambda: Dropout(True), "dropout must be a number", "got True"),
    "dropout text": (lambda: Dropout("0.1"), "dropout must be a number", "got '0.1'"),
    "scheme a number": (lambda: layer(scheme=0.1), "scheme must be", "{'normal': s}", "got 0.1"),
    "scheme text scale": (lambda: layer(scheme={"normal": "1"}), "the scale of normal must be a number", "got '1'"),
    "bias a number": (lambda: layer(bias=0.0), "bias must be", "zeros", "got 0.0"),
    "initial rng": (lambda: initial_weights(2, 3, "zeros", 0), "rng must be a numpy.random.Generator"),
    "layers one by one": (lambda: Network(layer(), layer()), "layers must be a list of layers", "such as [a, b]"),
    "one layer": (lambda: Network(layer()), "layers must be a list of layers", "such as [a, b]", "got Layer("),
    "a class of layers": (lambda: Network([Layer]), "layer 1", "the class Layer", "an object of it"),
    "layer text": (lambda: Network(["relu"]), "layer 1 must be a LayerLike", "forward, backward", "got 'relu'"),
    "residual of one": (lambda: Residual(layer()), "layers must be a list of layers", "such as [a, b]"),
    "reversible of one": (
        lambda: Reversible(Coupling(layer(n_out=3))),
        "couplings must be a list of Coupling",
        "such as [a, b]",
    ),
    "coupling of text": (lambda: Coupling("tanh"), "layer 1 must be a LayerLike", "got 'tanh'"),
    # Forward and backward.
    "input a list of texts": (lambda: layer().forward([["a"]]), "H_in must hold numbers"),
    "transposed": (lambda: layer().forward(X), "pass its transpose"),
    "no input": (lambda: layer().forward(None), "H_in must hold numbers", "got None"),
    "a node": (lambda: layer().forward(node(X.T)), "a node is no array", "node.value"),
    "input of gain": (lambda: Gain(np.ones((3, 1))).forward(None), "H_in must be an array", "got None"),
    "input of network": (lambda: Network([LayerNorm(np.ones((3, 1)), np.ones((3, 1)))])([1]), "H_in must be an array"),
    "no values": (lambda: layer().backward(None, Y.T), "values must be what forward returned", "got None"),
    "only H": (lambda: layer().backward(layer().forward(X.T).H, Y.T), "values must be what forward returned"),
    "bars of gain": (lambda: Gain(np.ones((2, 1))).backward(None, Y.T), "values must be what forward returned"),
    "bars of mix": (lambda: Mix(np.ones((2, 1)), "tanh").backward(None, Y.T), "values must be what forward returned"),
    "bars a list": (lambda: layer().backward(layer().forward(X.T), [1]), "H_bar must be an array", "got a list"),
    "bars of another shape": (lambda: layer().backward(layer().forward(X.T), Y), "H_bar has shape (5, 2)", "(2, 5)"),
    "network's no values": (lambda: Network([layer()]).backward(None, Y.T), "values must be what forward returned"),
    "network's F": (lambda: Network([layer()]).backward(Y.T, Y.T), "values must be what forward returned"),
    "network's no F_bar": (
        lambda: Network([layer()]).backward(Network([layer()]).forward(X.T), None),
        "F_bar must be an array",
        "got None",
    ),
    "another batch": (
        lambda: Network([layer()]).backward(Network([layer()]).forward(X[:4].T), Y.T),
        "(2, 5)",
        "(2, 4)",
        "another batch",
    ),
    "W changed": (
        lambda: swept(add_to_W),
        "W, b or an array of the values has changed since forward",
        "call forward again",
    ),
    "W changed in a network": (
        lambda: swept(add_to_W, whole=True),
        "has changed since forward",
        "call forward again",
    ),
    "bias of (K,)": (lambda: set_b(np.zeros(2)), "b has shape (2,)", "(2, 1)", "b[:, None]"),
    "bias None": (lambda: set_b(None), "b must hold numbers"),
    "theta a list": (lambda: setattr(Network([layer()]), "theta", "a"), "theta"),
    # Losses.
    "F a list": (lambda: SquaredError().cost([[1.0]], Y), "F must be an array", "got a list"),
    "Y a list": (lambda: SquaredError().seed(Y, [[1.0]]), "Y must be an array", "got a list"),
    "F and Y of other shapes": (lambda: SquaredError().cost(Y, Y.T), "F have shape (5, 2)", "Y have shape (2, 5)"),
    "labels": (lambda: SoftmaxCrossEntropy().cost(Y.T, labels), "one-hot", "np.eye(K)[labels].T"),
    "labels in a row": (lambda: SoftmaxCrossEntropy().cost(Y.T, labels[None]), "one-hot", "np.eye(K)[labels].T"),
    "predict of a list": (lambda: SoftmaxCrossEntropy().predict([[1.0], [2.0]]), "F must be an array"),
    "delta text": (lambda: Huber("1"), "delta must be a number", "got '1'"),
    "level": (lambda: Quantile(0.5), "levels must be numbers that rise", "[0.1, 0.5, 0.9]", "got 0.5"),
    "levels of text": (lambda: Quantile("ab"), "levels must be numbers that rise", "got 'ab'"),
    # Optimizers, penalties, schedules.
    "rate text": (lambda: SGD("0.1"), "learning_rate must be a number > 0", "got '0.1'"),
    "rate None": (lambda: Adam(None), "learning_rate must be a number > 0", "got None"),
    "rate an array": (lambda: SGD(np.ones(3)), "learning_rate must be a number > 0", "got an array"),
    "rate complex": (lambda: SGD(1j), "learning_rate must be a number > 0", "got 1j"),
    "nesterov text": (lambda: SGD(0.1, 0.9, nesterov="yes"), "nesterov must be True or False", "got 'yes'"),
    "theta in a list": (lambda: SGD(0.1).step([1.0], [1.0], 0.1), "theta must be an array", "got a list"),
    "theta_bar of another size": (lambda: SGD(0.1).step(np.ones(3), np.ones(2), 0.1), "theta_bar", "(2,)", "(3,)"),
    "penalty text": (lambda: L2Penalty("1"), "the L2 penalty must be a number >= 0", "got '1'"),
    "decay None": (lambda: WeightDecay(None), "weight_decay must be a number >= 0", "got None"),
    "schedule's epochs": (lambda: cosine("10"), "epochs must be a number > 0", "got '10'"),
    "step's factor": (lambda: step(2, factor=None), "factor must be a number > 0", "got None"),
    "a schedule's name": (lambda: warm_up("cosine", 3), "schedule must be a function", "got 'cosine'"),
    "monitor a number": (lambda: Monitor(3), "by must be text", "got 3"),
    # train and evaluate.
    "network a class": (lambda: training(network=Network), "network must be", "the class Network"),
    "network a layer": (lambda: training(network=layer()), "network must be", "got Layer("),
    "loss a class": (lambda: training(loss=SquaredError), "loss must be", "SquaredError(...)", "the class"),
    "loss a name": (lambda: training(loss="squared_error"), "loss must be", "got 'squared_error'"),
    "optimizer a class": (lambda: training(optimizer=SGD), "optimizer must be", "SGD(...)", "the class SGD"),
    "optimizer a name": (lambda: training(optimizer="sgd"), "optimizer must be", "got 'sgd'"),
    "optimizer and loss exchanged": (lambda: training(optimizer=SquaredError()), "optimizer must be", "step"),
    "data X alone": (lambda: training(data=X), "data must be a tuple (X, Y)", "got an array"),
    "data of one": (lambda: training(data=(X,)), "data must be a tuple (X, Y)"),
    "data of lists": (lambda: training(data=(X.tolist(), Y)), "data: X must be an array", "np.array(X)", "got a list"),
    "data of nothing": (lambda: training(data=None), "data must be a tuple (X, Y)", "got None"),
    "complex X": (lambda: training(data=(X + 0j, Y)), "data: X must hold real numbers", "complex128"),
    "texts": (lambda: training(data=(X, Y.astype(str))), "data: Y must hold real numbers"),
    "objects": (lambda: training(data=(X.astype(object), Y)), "data: X must hold real numbers", "object"),
    "w a list": (lambda: training(data=(X, Y, [1.0] * 5)), "data: w must be an array", "got a list"),
    "columns": (lambda: training(data=(X.T, Y.T)), "data: X has shape (3, 5)", "one example a row"),
    "labels as targets": (lambda: training(loss=SoftmaxCrossEntropy(), data=(X, labels)), "np.eye(K)[labels]"),
    "a column of labels": (
        lambda: training(loss=SoftmaxCrossEntropy(), data=(X, labels[:, None])),
        "data: ",
        "one-hot",
        "np.eye(K)[labels]",
    ),
    "other inputs": (lambda: training(data=(X[:, :2], Y)), "data: the input H_in has shape (2, 1)", "(3, B)"),
    "other targets": (lambda: training(data=(X, Y[:, :1])), "data: the outputs F have shape (2, 1)"),
    "valid of another width": (
        lambda: training(valid=(X[:, :2], Y)),
        "valid: the input H_in has shape (2, 1)",
        "(3, B)",
    ),
    "valid of other targets": (lambda: training(valid=(X, Y[:, :1])), "valid: the outputs F have shape (2, 1)"),
    "softmax on numbers": (lambda: training(loss=SoftmaxCrossEntropy()), "data: ", "sum to 1", "np.eye(K)[labels]"),
    "softmax on 0 and 0": (lambda: training(loss=SoftmaxCrossEntropy(), data=(X, 0 * Y)), "sum to 1", "sums to 0"),
    "softmax on valid": (
        lambda: training(loss=SoftmaxCrossEntropy(), data=(X, np.eye(2)[labels]), valid=(X, Y)),
        "valid: ",
        "sum to 1",
    ),
    "targets of -1 and 1": (
        lambda: training(loss=LogisticCrossEntropy(), data=(X, np.sign(Y))),
        "data: the targets Y must be from 0 to 1",
        "got -1",
        "(Y + 1) / 2",
    ),
    "labels under logistic": (
        lambda: training(loss=LogisticCrossEntropy(), data=(X, labels[:, None] * [1, 3])),
        "data: the targets Y must be from 0 to 1",
        "got 3",
    ),
    "no column": (lambda: SquaredError().cost(Y.T[:, :0], Y.T[:, :0]), "at least one column"),
    "negative counts": (lambda: training(loss=Poisson()), "data: the targets Y must be 0 or more"),
    "evaluate's targets": (lambda: evaluate(Network([layer()]), SoftmaxCrossEntropy(), (X, Y)), "sum to 1"),
    "evaluate's network": (lambda: evaluate(layer(), SquaredError(), (X, Y)), "network must be", "got Layer("),
    "evaluate's metrics": (
        lambda: evaluate(Network([layer()]), SquaredError(), (X, Y), ["rmse"]),
        "metrics must be a dict",
        "got a list",
    ),
    "a metric's name": (lambda: training(metrics={"rmse": "rmse"}), "metrics['rmse'] must be a function", "got 'rmse'"),
    "training rng": (lambda: training(rng=0), "rng must be a numpy.random.Generator", "got 0"),
    "epochs a float": (lambda: training(epochs=1.5), "epochs must be a whole number", "got 1.5"),
    "epochs nan": (lambda: training(epochs=np.nan), "epochs must be a whole number", "got nan"),
    "epochs True": (lambda: training(epochs=True), "epochs must be a whole number", "got True"),
    "batch_size a float": (lambda: training(batch_size=32.0), "batch_size must be a whole number", "got 32.0"),
    "schedule a name": (lambda: training(schedule="cosine"), "schedule must be a function", "got 'cosine'"),
    "schedule uncalled": (lambda: training(schedule=cosine), "schedule must be a function of the time t", "cosine"),
    "l2 text": (lambda: training(l2="1e-4"), "l2 must be a number >= 0", "got '1e-4'"),
    "rate_factors a number": (lambda: training(rate_factors=2.0), "rate_factors must be a dict", "got 2.0"),
    "rate_factors of text": (lambda: training(rate_factors={"b": "2"}), "rate_factors['b'] must be a number > 0"),
    "monitor a name": (lambda: training(monitor="loss"), "monitor must be", "Monitor", "got 'loss'"),
    "progress a number": (lambda: training(progress=3), "progress must be", "got 3"),
    # Graphs.
    "np.sin": (lambda: np.sin(node()), "np.sin", "mlp.autodiff.sin"),
    "np.log": (lambda: np.log(node()), "mlp.autodiff.log"),
    "np.maximum": (lambda: np.maximum(node(), 0.0), "mlp.autodiff.maximum"),
    "np.arctan": (lambda: np.arctan(node()), "np.arctan", "work on nodes"),
    "np.dot": (lambda: np.dot(np.eye(2), node(np.eye(2))), "np.dot", "A @ B"),
    "np.sum": (lambda: np.sum(node(np.eye(2))), "np.sum", "mlp.autodiff.sum"),
    "np.array": (lambda: np.array([node(), node()]), "a node is no array"),
    "math's sin": (lambda: float(node()), "mlp.autodiff", "node.value"),
    "value assigned": (lambda: set_value(node()), "value cannot be assigned", "not computed again"),
    "input None": (lambda: node(None), "value must hold numbers", "got None"),
    "input text": (lambda: node("1"), "value must hold numbers", "got '1'"),
    "another's parent": (lambda: ad.exp("1"), "an argument of exp must hold numbers", "got '1'"),
    "dots no dict": (lambda: ad.forward_mode(node()), "dots must be a dict", "{u: 1.0}", "got Node("),
    "dots by name": (lambda: ad.forward_mode({"u": 1.0}), "dots must be a dict", "nodes", "got 'u'"),
    "a dot of text": (lambda: ad.forward_mode({node(): "1"}), "dot", "numbers", "got '1'"),
    "reverse of a number": (lambda: ad.reverse_mode(3.0), "output must be a Node", "got 3.0"),
    "reverse's bar": (lambda: ad.reverse_mode(node(), "1"), "output_bar must hold numbers", "got '1'"),
    "bars by name": (lambda: ad.reverse_mode(node())["u"], "'u'", "the node itself"),
    "jacobian of a value": (lambda: ad.jacobian(3.0, X), "f must be a function", "got 3.0"),
    "drawing a node": (lambda: ad.to_dot(node()), "graph must be a Graph", "got Node("),
    # Files and tables.
    "target as text": (lambda: read_table("a.csv", targets="survived"), "targets must be a list", "got 'survived'"),
    "table of nothing": (lambda: read_table(None), "path must be a Path or text", "got None"),
    "names of a number": (lambda: column_names(3, Reading()), "path must be a Path or text", "got 3"),
    "config as a dict": (lambda: load_config({}), "path must be a Path or text", "got a dict"),
    "overrides as text": (lambda: load_config("a.yaml", "a=1"), "overrides must be a list", "got 'a=1'"),
    "model of nothing": (lambda: load_model(None), "path must be a Path or text", "got None"),
    "an epoch's number": (lambda: load("a", epoch=3), "epoch must be text", "got 3"),
    "an epoch's name": (lambda: load("a", epoch="first"), "epoch must be one of best, last", "got 'first'"),
    "a path to prepare": (lambda: prepare("a.yaml"), "loaded must be a LoadedConfig", "got 'a.yaml'"),
    "operation's name": (lambda: ad.record("sin", node()), "operation must be an Operation", "got 'sin'"),
}


@pytest.mark.parametrize("name", MISUSES)
def test_a_misuse_is_told_in_a_sentence(name):
    call, *words = MISUSES[name]
    with pytest.raises((TypeError, ValueError, KeyError, AttributeError)) as raised:
        call()
    assert type(raised.value).__module__ in ("builtins", "mlp.autodiff.graph"), "an error from inside NumPy"
    for word in words:
        assert word in str(raised.value)


# Every argument of a public signature with every one of these values: it works, or the error names the argument.

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
    "Embedding": lambda: Embedding(4, [[1, 2]], np.ones((3, 2))),
    "Periodic": lambda: Periodic(3, [0], [[1.0]], [[0.0]], [[[1.0]]], [[0.0]]),
    "Residual": lambda: Residual([layer(n_out=3)]),
    "Recompute": lambda: Recompute([layer(n_out=3)]),
    "Coupling": lambda: Coupling(layer(n_out=3)),
    "Reversible": lambda: Reversible([Coupling(layer(n_out=3))]),
}
LOSS_OBJECTS = (SoftmaxCrossEntropy(), LogisticCrossEntropy(), SquaredError(), Huber(), Poisson(), Quantile([0.1, 0.9]))


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
    yield "batches", batches, {"N": 3, "batch_size": 2}
    yield (
        "evaluate",
        evaluate,
        {"network": network, "loss": SquaredError(), "data": (X, Y), "metrics": {}, "prefix": ""},
    )
    right = {"network": network, "loss": SquaredError(), "optimizer": SGD(), "data": (X, Y), **start}
    more = {"valid": (X, Y), "metrics": {}, "l2": 0.0, "weight_decay": 0.0, "schedule": schedules.constant()}
    rest = {"clip": 1.0, "rate_factors": {}, "label_smoothing": 0.0, "ema": 0.5, "monitor": Monitor(), "patience": 3}
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

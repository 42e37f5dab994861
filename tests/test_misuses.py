"""Calls with wrong arguments: the error names the argument, what it was, and the form to pass."""

import numpy as np
import pytest
from small_calls import X, Y, labels, layer, node, rng, training

import mlp.autodiff as ad
from mlp import SGD, Activation, Adam, L2Penalty, Layer, Network, evaluate
from mlp.experiments.assemble import prepare
from mlp.experiments.average import load
from mlp.experiments.config.load import load_config
from mlp.experiments.model import load_model
from mlp.initialization import initial_weights
from mlp.layers import Coupling, Dropout, Gain, LayerNorm, Mix, Residual, Reversible
from mlp.losses import Huber, LogisticCrossEntropy, Poisson, Quantile, SoftmaxCrossEntropy, SquaredError
from mlp.monitor import Monitor
from mlp.penalties import WeightDecay
from mlp.schedules import cosine, step, warm_up
from mlp.tables import Reading, column_names, read_table


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
    "a list in a form": (lambda: ad.quadratic_form(None, np.eye(2)), "B must hold numbers", "got None"),
    "texts in a trace": (lambda: ad.trace_product(np.eye(2), [["a"]]), "B must hold numbers", "got a list"),
    "triangle of a function": (lambda: ad.tril(len), "A must hold numbers", "got the function len"),
    "a shape of floats": (lambda: ad.reshape(node(np.eye(2)), 1.5), "shape must be a list of whole numbers"),
    "a coefficient": (lambda: ad.matrix_polynomial(np.eye(2), 3.0), "coefficients must be a list of real numbers"),
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

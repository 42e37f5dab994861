"""A layer, a training and a node of a few numbers, to be called with one argument that is another."""

import numpy as np

import mlp.autodiff as ad
from mlp import SGD, Layer, Network, SquaredError, train

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


def node(value=1.0):
    return ad.Graph().input(value, "u")

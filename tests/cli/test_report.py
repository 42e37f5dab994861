"""The text about a network, whatever layers it has."""

from types import SimpleNamespace

import numpy as np

from mlp import Layer, Network, SquaredError
from mlp.cli.report import describe_network
from mlp.layers import Recompute


class Scale:
    """H = s H_in, a layer that the package does not know."""

    parameters, penalized = ("s",), ()

    def __init__(self):
        self.s = np.ones((3, 1))

    def __repr__(self):
        return "Scale(3)"

    def forward(self, H_in):
        return SimpleNamespace(H_in=H_in, H=self.s * H_in)

    def backward(self, values, H_bar, *, input_bar=True):
        return SimpleNamespace(s_bar=(H_bar * values.H_in).sum(axis=1, keepdims=True), H_in_bar=self.s * H_bar)


def test_the_summary_of_a_network_of_all_kinds_of_layers():
    rng = np.random.default_rng(0)
    inner = Layer.initialize(2, 3, "tanh", rng=rng)
    network = Network([Recompute([inner]), Scale(), Layer.initialize(3, 1, "identity", rng=rng)])
    experiment = SimpleNamespace(model=SimpleNamespace(network=network, loss=SquaredError()))
    header, *rows, total = describe_network(experiment).splitlines()
    assert header.split() == ["layer", "shapes", "parameters"]
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]
    assert [row.split()[-1] for row in rows] == ["9", "3", "4"]
    for row, words in zip(
        rows, [("Recompute", "3 x 2"), ("Scale(3)", "s 3 x 1"), ("Layer(3 -> 1", "W 1 x 3")], strict=True
    ):
        for word in words:
            assert word in row
    assert total == "16 parameters; the last layer is linear, loss: squared_error"

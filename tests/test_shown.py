"""What a cell of a notebook shows: arrays as a table, in a terminal and as HTML."""

from html.parser import HTMLParser

import numpy as np
import pytest

from mlp import SGD, Layer, Network, SquaredError, train
from mlp.layers import Dropout, Residual
from mlp.shown import array_html, array_row, array_table


@pytest.mark.parametrize(
    ("array", "row"),
    [
        (np.array([[0.0, 1.0], [2.0, 2.0]]), ("2 x 2", "float64", "0", "2", "25%", "▅    ▅   █")),
        (np.zeros((3, 1), np.float32), ("3 x 1", "float32", "0", "0", "100%", "")),
        (np.array([1.0, np.nan, np.inf]), ("3", "float64", "1", "1", "0%", " 2 not finite")),
        (np.array([np.nan]), ("1", "float64", "", "", "", "no finite number")),
        (np.empty((0, 3)), ("0 x 3", "float64", "", "", "", "empty")),
        (np.array([-1.7e308, 1.7e308]), ("2", "float64", "-1.7e+308", "1.7e+308", "0%", "")),
        (None, ("none", "", "", "", "", "")),
        ([1], ("list", "", "", "", "", "")),
    ],
)
def test_the_row_of_an_array(array, row):
    found = array_row("W", array)
    assert found[0] == "W"
    assert found[1:6] == row[:5]
    assert found[6:] == row[5:]


def test_the_spread_is_a_histogram():
    numbers = np.repeat(np.linspace(0, 1, 10), [1, 0, 0, 0, 8, 4, 0, 0, 0, 8])
    assert array_row("W", numbers)[-1] == "▂   █▅   █"


def made(rng):
    inner = [Layer.initialize(4, 4, "tanh", rng=rng)]
    return Network(
        [
            Layer.initialize(3, 4, "relu", rng=rng),
            Dropout(0.1),
            Residual(inner),
            Layer.initialize(4, 2, "identity", rng=rng),
        ]
    )


def test_values_and_bars_of_a_network_are_one_table():
    rng = np.random.default_rng(0)
    network = made(rng)
    values = network.forward(rng.normal(size=(3, 5)))
    bars = network.backward(values, np.ones((2, 5)))
    names = [line.split()[0] for line in repr(values).splitlines()]
    assert names == ["name", "X", "A1", "H1", "M2", "H2", "inner3", "H3", "A4", "H4"]
    assert [line.split()[0] for line in repr(bars).splitlines()][-4:] == ["A4_bar", "b4_bar", "W4_bar", "H3_bar"]
    assert "X_bar" in repr(bars)
    assert "W  " not in repr(values)
    assert repr(values[0]).splitlines()[0] == "LayerValues"
    assert bars.theta_bar.shape == network.theta.shape


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html_is_whole_and_escaped():
    rng = np.random.default_rng(0)
    network = made(rng)
    values = network.forward(rng.normal(size=(3, 5)))
    bars = network.backward(values, np.ones((2, 5)))
    (record,) = train(network, SquaredError(), SGD(), (np.ones((4, 3)), np.ones((4, 2))), rng=rng, epochs=1)
    for shown in (network, network.layers[0], values, values[0], bars, bars[0], record):
        tags = Tags()
        tags.feed(shown._repr_html_())
        assert not tags.open
    assert "&lt;W&gt;" in array_html({"<W>": np.ones(3)}, "<b>")
    assert "&lt;b&gt;" in array_html({"<W>": np.ones(3)}, "<b>")
    assert "\n" not in array_table({"a\nb": np.ones(3)}).splitlines()[1]


def test_a_training_says_that_it_has_not_begun():
    rng = np.random.default_rng(0)
    training = train(made(rng), SquaredError(), SGD(), (np.ones((4, 3)), np.ones((4, 2))), rng=rng, epochs=3)
    assert repr(training) == "<Training: 0 of 3 epochs done; iterate over it to train>"
    list(training)
    assert "3 of 3 epochs" in repr(training)

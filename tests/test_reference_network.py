"""The 2-3-2 network worked out by hand in 40-digit arithmetic: tanh, then identity, half the sum of squares."""

import numpy as np

from mlp import Layer, Network, SquaredError

X = np.array([[0.5, -1, 2], [1.5, 0.25, -0.75]])
Y = np.array([[1, 0, -1], [0.5, 0.5, 0.5]])
W1 = np.array([[0.1, -0.2], [0.3, 0.4], [-0.5, 0.6]])
b1 = np.array([[0.01], [-0.02], [0.03]])
W2 = np.array([[0.7, -0.8, 0.9], [-1, 1.1, -1.2]])
b2 = np.array([[0.05], [-0.06]])

A1 = [[-0.24, -0.14, 0.36], [0.73, -0.22, 0.28], [0.68, 0.68, -1.42]]
H1 = [
    [-0.23549574953849795, -0.13909244787845803, 0.34521403413552089],
    [0.62306534957236111, -0.21651806149302883, 0.27290508056313269],
    [0.59151939543181645, 0.59151939543181645, -0.88959892443413141],
]
A2 = [
    [-0.080931848446202644, 0.65821719156813725, -0.72731327254635979],
    [0.15104435954991543, -0.86890069428205343, 0.96250026380488276],
]
HALF_SUM = 1.9427936137089744
# The bars of the half sum; those of the mean over the three columns are a third.
A2_bar = [
    [-1.0809318484462026, 0.65821719156813725, 0.27268672745364021],
    [-0.34895564045008457, -1.3689006942820534, 0.46250026380488276],
]
b2_bar = [[-0.15002792942442519], [-1.2553560709272552]]
W2_bar = [
    [0.25713710067846084, -0.7415894970515177, -0.49262573772690244],
    [0.43224290043051701, 0.20518822835427405, -1.4275850777907961],
]
A1_bar = [
    [-0.38508651132510756, 1.7942549693687667, -0.23924991091849521],
    [0.29420610134416637, -1.9370871242077124, 0.26895777120163101],
    [-0.3602178032957087, 1.4530338453950836, -0.06458311770821679],
]
b1_bar = [[1.169918547125164], [-1.373923251661915], [1.0282329243911581]]
W1_bar = [
    [-2.4652980468683109, 0.050371408543401747],
    [2.6221057172830576, -0.2446809574369018],
    [-1.7623089824593715, -0.12863090531362955],
]
X_bar = [
    [0.2298620809185935, -1.1282175630229788, 0.089053899122748177],
    [-0.021430939174737162, -0.26186553631978812, 0.11668322003942137],
]


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-14)


def test_values_and_bars_to_1e_14():
    network = Network([Layer(W1, b1, "tanh"), Layer(W2, b2, "identity")])
    first, second = network.forward(X)
    close(first.A, A1)
    close(first.H, H1)
    close(second.A, A2)
    close(second.H, A2)

    loss = SquaredError()
    close(loss.cost(second.H, Y), HALF_SUM / 3)
    first_bars, second_bars = network.backward([first, second], loss.seed(second.H, Y), input_bar=True)
    for found, wanted in [
        (second_bars.A_bar, A2_bar),
        (second_bars.b_bar, b2_bar),
        (second_bars.W_bar, W2_bar),
        (first_bars.A_bar, A1_bar),
        (first_bars.b_bar, b1_bar),
        (first_bars.W_bar, W1_bar),
        (first_bars.H_in_bar, X_bar),
    ]:
        close(3 * found, wanted)

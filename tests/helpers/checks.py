"""Ask the results of checks, and make what is checked."""

from numerical import complex_step

from mlp import Layer
from mlp.checking import FAIL, PASS, table


def passed(results):
    """The results, all of which must be PASS."""
    assert {result.verdict for result in results} == {PASS}, table(results)
    return results


def only(results, what, verdict=FAIL):
    """The result for one array that has this verdict."""
    found = [result for result in results if result.what == what and result.verdict == verdict]
    assert found, f"{what} is not {verdict} in\n{table(results)}"
    return found[0]


def dense(rng, K_in, K_out, activation="tanh", kind=Layer):
    return kind(rng.normal(size=(K_out, K_in)), rng.normal(size=(K_out, 1)), activation)


def scaled(factor):
    """A kind of layer with all bars times a factor."""

    class Scaled(Layer):
        def backward(self, values, H_bar, *, input_bar=True):
            return super().backward(values, factor * H_bar, input_bar=input_bar)

    return Scaled


def bars_and_complex_steps(network, loss, X, Y, draws=lambda: None):
    """The name, the bar and the complex step of each parameter and of X, with the same random numbers each time."""
    values = network.forward(X, draws())
    bars = network.backward(values, loss.seed(values[-1].H, Y), input_bar=True)
    found = network.named(bars.theta_bar) | {"X": bars[0].H_in_bar}
    for layer, name, _ in list(network.own):
        setattr(layer, name, getattr(layer, name).astype(complex))
    arrays = network.parameters() | {"X": X.astype(complex)}
    for name, bar in found.items():
        wanted = complex_step(lambda: loss.cost(network(arrays["X"], draws()), Y), arrays[name])
        assert bar.shape == wanted.shape
        yield name, bar, wanted

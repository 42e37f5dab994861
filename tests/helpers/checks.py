"""Ask the results of checks, and make what is checked."""

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

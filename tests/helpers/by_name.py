"""Operations and compositions called by name, with the samples of all, and comparisons of what they return."""

import numpy as np
import samples_elementwise
import samples_linear_algebra
from samples_linear_algebra import COMPOSITIONS

from mlp import autodiff
from mlp.autodiff import OPERATIONS, Graph, Operation, forward_mode, reverse_mode

SAMPLES = samples_elementwise.SAMPLES | samples_linear_algebra.SAMPLES | COMPOSITIONS
NOT_ANALYTIC = samples_elementwise.NOT_ANALYTIC | samples_linear_algebra.NOT_ANALYTIC


def composed(name):
    """A function that combines operations, with the rules that the sweeps chain."""
    function = getattr(autodiff, name)

    def graph_of(inputs, options):
        graph = Graph()
        nodes = [graph.input(A) for A in inputs]
        return nodes, function(*nodes, **options)

    def forward(dots, C, *inputs, **options):
        nodes, result = graph_of(inputs, options)
        return forward_mode(dict(zip(nodes, dots, strict=True)))[result]

    def reverse(C_bar, C, *inputs, **options):
        nodes, result = graph_of(inputs, options)
        bars = reverse_mode(result, C_bar)
        return tuple(bars[node] for node in nodes)

    return Operation(name, function, forward, reverse, "a composition")


RULES = OPERATIONS | {name: composed(name) for name in COMPOSITIONS}


def value(name, *inputs, **options):
    return RULES[name].value(*inputs, **options)


def reverse(name, C_bar, *inputs, **options):
    return RULES[name].reverse(C_bar, value(name, *inputs, **options), *inputs, **options)


def forward(name, dots, *inputs, **options):
    return RULES[name].forward(dots, value(name, *inputs, **options), *inputs, **options)


def equal(found, *wanted):
    for X, Y in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(X, Y)


def close(found, wanted, tolerance=1e-13):
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)

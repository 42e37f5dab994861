"""Operations called by name, and comparisons of what they return."""

import numpy as np

from mlp.autodiff.rules.table import OPERATIONS


def value(name, *inputs, **options):
    return OPERATIONS[name].value(*inputs, **options)


def reverse(name, C_bar, *inputs, **options):
    return OPERATIONS[name].reverse(C_bar, value(name, *inputs, **options), *inputs, **options)


def forward(name, dots, *inputs, **options):
    return OPERATIONS[name].forward(dots, value(name, *inputs, **options), *inputs, **options)


def equal(found, *wanted):
    for X, Y in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(X, Y)


def close(found, wanted, tolerance=1e-13):
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)

"""Say what NumPy's functions do with nodes: the operators of an array and a node record, the others are refused."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp.autodiff.rules import OPERATIONS

UFUNCS = {
    np.add: "add",
    np.subtract: "subtract",
    np.multiply: "multiply",
    np.divide: "divide",
    np.matmul: "matmul",
    np.power: "positive_power",
}
"""The operators of an array and a node, as NumPy calls them."""


def no_function(function: Any) -> TypeError:
    """The error for a function of NumPy that was called with a node."""
    name = function.__name__
    own = f"mlp.autodiff.{name}" if name in OPERATIONS else "a function of mlp.autodiff"
    return TypeError(f"np.{name} does not work on nodes: use {'A @ B' if name == 'dot' else own}")

"""Names for the kinds of values that are passed around: arrays, data sets, metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]

Examples = Array
"""N examples at rest, one a row: N x D inputs, or N x K targets. It may be mapped from a file (`np.memmap`)."""

Data = tuple[Examples, Examples]
"""(X, Y) of as many rows."""

Batch = tuple[Array, Array]
"""(X, Y) or (F, Y) of a minibatch: D x B and K x B, one example a column."""

Metrics = Mapping[str, Callable[[Array, Array], float]]
"""By name, functions of predictions P and targets Y, both K x N."""

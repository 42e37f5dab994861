"""Which mistake a wrong bar looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlp.types import Array

CLOSE = 1e-5  # how well a pattern must fit, relative to the norm; what passes as a bar is at most 1e-6 off


@dataclass(frozen=True)
class Suspects:
    """Wrong bars that known mistakes give: `instead` of the right bar, or `added` to it; by what to say about them."""

    instead: Mapping[str, Array] = field(default_factory=dict)
    added: Mapping[str, Array] = field(default_factory=dict)


def close(X: Any, Y: Any, within: float = CLOSE) -> bool:
    """Equal up to rounding, relative to the norm, and not both 0."""
    if np.shape(X) != np.shape(Y):
        return False
    size = max(float(np.linalg.norm(X)), float(np.linalg.norm(Y)))
    return 0 < size < np.inf and float(np.linalg.norm(np.subtract(X, Y))) <= within * size


def guess(
    found: Array, wanted: Array, bar: Array, take: Callable[[Array], Array], columns: int, suspects: Suspects
) -> str:
    """What the mistake may be, or "" where nothing fits.

    `found` and `wanted` are the elements that were compared, `bar` is the whole array that `found` is from, `take`
    picks the compared elements out of such an array, and `columns` is B (0 where there is no minibatch).
    """
    size = float(np.linalg.norm(wanted))
    error = float(np.linalg.norm(found - wanted)) / size if size else np.inf
    within = min(CLOSE, error / 100)  # a pattern has to explain the error, not only to be close
    for name, array in suspects.instead.items():
        if array.shape == bar.shape and close(found, take(array), within):
            return name
    for name, array in suspects.added.items():
        if array.shape == bar.shape and np.any(array) and close(found - wanted, take(array)):
            return name
    if not np.any(found):
        return "the bar is 0: was it never computed?"
    if bar.ndim == 2 and bar.shape[0] == bar.shape[1] > 1 and close(take(bar.T), wanted, within):
        return "a transpose: the bar is the transpose of what it should be"
    return factor(found, wanted, columns, within) or line(found, wanted, bar)


def factor(found: Array, wanted: Array, columns: int, within: float) -> str:
    """Found is a constant times wanted."""
    square = float(np.sum(wanted * wanted))
    k = float(np.sum(found * wanted)) / square if square > 0 else 0.0
    if k == 0 or not np.isfinite(k) or not close(found, k * wanted, within):
        return ""
    known = [
        (2.0, "a factor 2: a 1/2 is missing, or something is counted twice"),
        (0.5, "a factor 1/2: a 1/2 too many, a 2 missing, or one of two uses of a value overwrote the other"),
    ]
    if columns > 1:
        known += [
            (columns, f"a factor B = {columns}: a 1/B is missing, or a mean and a sum are mixed"),
            (1 / columns, f"a factor 1/B, B = {columns}: a 1/B too many, or a mean and a sum are mixed"),
        ]
    causes = [cause for size, cause in known if abs(abs(k) - size) <= CLOSE * size]
    if abs(abs(k) - 1) <= within:
        return "the sign" if k < 0 else ""
    causes = causes or [f"a constant factor {abs(k):.9g}"]
    return ("the sign, and " if k < 0 else "") + "; or ".join(causes)


def line(found: Array, wanted: Array, bar: Array) -> str:
    """All is right but one element, one row or one column."""
    if bar.ndim != 2 or found.size != bar.size:
        return ""
    wrong = np.abs(found - wanted).reshape(bar.shape) > CLOSE * np.linalg.norm(wanted)
    if bar.size > 2 and wrong.sum() == 1:
        return "this element alone is wrong"
    for axis, name in ((1, "row"), (0, "column")):
        lines = np.flatnonzero(wrong.any(axis=axis))
        if len(lines) == 1 and bar.shape[1 - axis] > 2:
            return f"{name} {lines[0]} alone is wrong"
    return ""

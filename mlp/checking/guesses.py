"""Guess which mistake a wrong bar looks like, from its pattern and from the bars that usual mistakes give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mlp.types import Array

CLOSE = 1e-5  # how well a pattern must fit, relative to the norm; what passes as a bar is at most 1e-6 off

TRANSPOSE = "a transpose: the bar is the transpose of what it should be"
NOT_SUMMED = "the sum over the minibatch is missing"
STATE = "something is kept from call to call: these are the bars of another forward pass"
FORGOTTEN = "the slope g'(A) is forgotten"
AT_H = "the slope is taken at H instead of A"
NOT_THE_SLOPE = "the slope of the activation is not the derivative of its value"
W_FOR_W_T = "W where Wᵀ belongs"
OVERWRITTEN = "H_in is used twice, and one use overwrites the other instead of adding to it"
IN_PLACE = "g is applied in place, on the stored A"
IN_PLACE_BAR = "A_bar = slope * H_bar makes a new array; H_bar *= slope changes one that others still read"
DECAY_ON_B = "weight decay on b, which the cost of the penalty leaves out"

Suspects = Mapping[str, Any]
"""Wrong bars of an array, by the words for the mistake that makes them."""


def close(X: Any, Y: Any, within: float = CLOSE) -> bool:
    """Tell whether two arrays are equal up to rounding, relative to the norm, and not both 0."""
    if np.shape(X) != np.shape(Y):
        return False
    size = max(float(np.linalg.norm(X)), float(np.linalg.norm(Y)))
    return 0 < size < np.inf and float(np.linalg.norm(np.subtract(X, Y))) <= within * size


def guess(found: Array, wanted: Array, bar: Array, chosen: Any, columns: int, suspects: Suspects) -> str:
    """Name the mistake that a bar looks like, or "" where nothing fits.

    `found` and `wanted` are the elements that were compared, `bar[chosen]` of the whole array `bar`; `columns` is B (0
    where there is no minibatch).
    """
    size = float(np.linalg.norm(wanted))
    error = float(np.linalg.norm(found - wanted)) / size if size else np.inf
    within = min(CLOSE, error / 100)  # a pattern has to explain the error, not only to be close
    for name, suspect in suspects.items():
        if np.shape(suspect) == bar.shape and close(found, np.asarray(suspect)[chosen], within):
            return name
    if not np.any(found):
        return "the bar is 0: was it never computed?"
    if bar.ndim == 2 and bar.shape[0] == bar.shape[1] > 1 and close(bar.T[chosen], wanted, within):
        return TRANSPOSE
    return factor(found, wanted, columns, within) or line(found, wanted, bar)


def reshaped(bar: Array) -> Iterator[tuple[str, Array]]:
    """Mistakes that give a matrix another shape, each with the bar without it."""
    if bar.ndim == 2:
        yield TRANSPOSE, bar.T
        yield NOT_SUMMED, bar.sum(axis=1, keepdims=True)


def factor(found: Array, wanted: Array, columns: int, within: float) -> str:
    """Recognize a constant factor."""
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
    """Recognize one wrong element, row or column, where all else is right."""
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


def is_dense(layer: Any) -> bool:
    """Tell whether it looks like the note's layer, H = g(W H_in + b 1^T)."""
    return all(hasattr(layer, name) for name in ("W", "b", "g")) and np.ndim(layer.W) == 2 and callable(layer.g)


def dense_suspects(layer: Any, H_in: Array, H_bar: Array) -> dict[str, dict[str, Array]]:
    """The bars of b, W and H_in with each mistake in the equations of `mlp.Layer.backward`."""
    A = layer.W @ H_in + layer.b
    H = layer.g(A)
    # By central differences: the layer's own slope may be the mistake.
    at_A, at_H = ((layer.g(Z + 1e-5) - layer.g(Z - 1e-5)) / 2e-5 for Z in (A, H))
    A_bar = at_A * H_bar
    wrong = {FORGOTTEN: H_bar, AT_H: at_H * H_bar}
    if hasattr(layer.g, "slope"):
        wrong[NOT_THE_SLOPE] = layer.g.slope(A, H) * H_bar
    wrong = {cause: bar for cause, bar in wrong.items() if not close(bar, A_bar)}
    suspects = {
        "b": {cause: bar.sum(axis=1, keepdims=True) for cause, bar in wrong.items()},
        "W": {cause: bar @ H_in.T for cause, bar in wrong.items()},
        "H_in": {cause: layer.W.T @ bar for cause, bar in wrong.items()},
    }
    if layer.W.shape[0] == layer.W.shape[1]:  # right for H = g(W H_in + b 1^T), wrong for ... + H_in
        suspects["H_in"] |= {W_FOR_W_T: layer.W @ A_bar, OVERWRITTEN: layer.W.T @ A_bar}
    return suspects

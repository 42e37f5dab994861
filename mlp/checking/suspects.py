"""The bars that the usual mistakes in a dense layer give, to recognize them by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mlp.checking.guesses import Suspects, close
from mlp.checking.results import calling
from mlp.types import Array

STATE = "something is kept from call to call: these are the bars of another forward pass"
FORGOTTEN = "the slope g'(A) is forgotten"
AT_H = "the slope is taken at H instead of A"
NOT_THE_SLOPE = "the slope of the activation is not the derivative of its value"
W_FOR_W_T = "W where Wᵀ belongs"
OVERWRITTEN = "H_in is used twice, and one use overwrites the other instead of adding to it"


def is_dense(layer: Any) -> bool:
    """Does it look like the note's layer, H = g(W H_in + b 1^T)?"""
    return all(hasattr(layer, name) for name in ("W", "b", "g")) and np.ndim(layer.W) == 2 and callable(layer.g)


def layer_suspects(
    fresh: Callable[[], Any], H_in: Array, other: Array, H_bar: Array, found: Mapping[str, Array]
) -> dict[str, Suspects]:
    """For each array of a layer, wrong bars that would be explained; `found` are those in question.

    `fresh()` is the layer before it saw any data, and `other` the input that it saw before H_in.
    """
    layer = fresh()
    instead: dict[str, dict[str, Array]] = {name: {} for name in found}
    added: dict[str, dict[str, Array]] = {name: {} for name in found}
    if is_dense(layer):
        for name, bars in dense_mistakes(layer, H_in, H_bar).items():
            for array, bar in bars.items():
                instead[array][name] = bar
        if H_bar.shape == H_in.shape:  # H = ... + H_in, as in a residual layer
            added["H_in"][OVERWRITTEN] = -H_bar
            instead["H_in"][OVERWRITTEN] = H_bar
    first, late = fresh(), fresh()
    right = layer_bars(first, first.forward(H_in.copy()), H_bar)
    stale = layer_bars(late, late.forward(other.copy()), H_bar)
    for name, bar in found.items():
        if not close(bar, right[name]):  # without other data before it, the bar is another one
            instead[name][STATE] = stale[name]
    return {name: Suspects(instead[name], added[name]) for name in found}


def dense_mistakes(layer: Any, H_in: Array, H_bar: Array) -> dict[str, dict[str, Array]]:
    """The bars of b, W and H_in with each mistake in the equations of `mlp.Layer.backward`."""
    A = layer.W @ H_in + layer.b
    H = layer.g(A)
    A_bar = slope(layer.g, A) * H_bar
    wrong = {FORGOTTEN: H_bar, AT_H: slope(layer.g, H) * H_bar}
    if hasattr(layer.g, "slope"):
        wrong[NOT_THE_SLOPE] = layer.g.slope(A, H) * H_bar
    mistakes = {
        name: {
            "b": wrong_A_bar.sum(axis=1, keepdims=True),
            "W": wrong_A_bar @ H_in.T,
            "H_in": layer.W.T @ wrong_A_bar,
        }
        for name, wrong_A_bar in wrong.items()
        if not close(wrong_A_bar, A_bar)
    }
    if layer.W.shape[0] == layer.W.shape[1]:
        mistakes[W_FOR_W_T] = {"H_in": layer.W @ A_bar}
    return mistakes


def slope(g: Any, A: Array) -> Array:
    """g'(A) by central differences: the layer's own slope may be the mistake."""
    h = 1e-5
    return np.asarray((g(A + h) - g(A - h)) / (2 * h))


def layer_bars(layer: Any, values: Any, H_bar: Array) -> dict[str, Array]:
    """Copies of a layer's bars by the name of their quantity."""
    with calling("backward"):
        bars = layer.backward(values, H_bar, input_bar=True)
        return {name: np.array(getattr(bars, f"{name}_bar"), dtype=np.float64) for name in (*layer.parameters, "H_in")}

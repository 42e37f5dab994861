"""No hidden state: forward returns what backward needs, and neither changes what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mlp.checking.copies import fingerprint, other_columns
from mlp.checking.guesses import close
from mlp.checking.results import FAIL, INCONCLUSIVE, Result
from mlp.checking.suspects import STATE, is_dense
from mlp.checking.together import EXACT, identity
from mlp.types import Array

IN_PLACE = "g is applied in place, on the stored A"


def check_state(
    forward: Callable[[Array], Any], backward: Callable[[Any], dict[str, Array]], X: Array, others: Any
) -> Result:
    """Are the bars of X the same when another forward pass is in between, and is nothing changed in place?

    `others` holds the arrays, beside X, that both calls have to leave alone.
    """
    before = fingerprint(X, others)
    forward(other_columns(X))
    values = forward(X)
    kept = fingerprint(values)
    bars = backward(values)
    forward(other_columns(X))
    again = backward(values)
    reason = ""
    if fingerprint(X, others) != before:
        reason = "forward or backward changed its input, a bar or a parameter in place"
    elif fingerprint(values) != kept:
        reason = "the stored values were changed in place"
    if reason:
        return Result("state", "called again", FAIL, np.inf, EXACT, reason)
    pairs = {name: (bar, again[name]) for name, bar in bars.items()}
    words = ("at first", "after another forward pass")
    results = identity("called again", pairs, words, good="the same bars, nothing changed in place")
    return replace(results[0], guess=STATE if results[0].verdict == FAIL else "")


def check_stored(name: str, layer: Any, H_in: Array) -> list[Result]:
    """Of a dense layer: the stored A is W H_in + b 1^T, which g applied in place overwrites.

    The bars may be right all the same: the slope of a ReLU is the same at H as at A. What is neither W H_in + b 1^T nor
    H may be meant so, in a layer of one's own.
    """
    values = layer.forward(H_in.copy())
    if not is_dense(layer) or not hasattr(values, "A"):
        return []
    pair = (np.asarray(values.A), layer.W @ getattr(values, "H_in", H_in) + layer.b)
    (result,) = identity("stored", {name: pair}, ("stored", "W H + b 1ᵀ"), good="W H + b 1ᵀ, not overwritten")
    if result.verdict == FAIL and close(values.A, values.H):
        result = replace(result, guess=IN_PLACE)
    elif result.verdict == FAIL:
        result = replace(result, verdict=INCONCLUSIVE, guess="")
    return [replace(result, what=name)]

"""Check the coding of labels: every row of Y marks the label that is written in its row of the table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlp.checking.results import FAIL, PASS, Result, as_results
from mlp.types import Array

OFF_BY_ONE = "labels off by one: is the first label coded as 1, or counted from 1?"


@as_results
def check_labels(Y: Array, written: Sequence[str], labels: Sequence[str], *, name: str = "Y") -> list[Result]:
    """Compare Y, N x K, with the N labels as they are written, where output k stands for `labels[k]`.

    One-hot for K labels; for two of them Y may also be one column, 1 for the second.
    """
    Y = np.asarray(Y, dtype=np.float64)
    if Y.shape == (len(written), 1) and len(labels) == 2:
        Y = np.hstack([1 - Y, Y])
    if Y.shape != (len(written), len(labels)):
        reason = f"Y has shape {Y.shape} for {len(written)} rows and {len(labels)} labels"
        return [Result(name, "labels", FAIL, np.inf, 0.0, reason)]
    not_one_hot = np.flatnonzero((np.sort(Y, axis=1) != np.eye(len(labels))[-1]).any(axis=1))
    if not_one_hot.size:
        row = int(not_one_hot[0])
        return [Result(name, "one-hot", FAIL, not_one_hot.size / len(Y), 0.0, f"row {row} is {Y[row].tolist()}")]
    index = {label: k for k, label in enumerate(labels)}
    codes, wanted = Y.argmax(axis=1), np.array([index.get(label, -1) for label in written])
    wrong = np.flatnonzero(codes != wanted)
    if not wrong.size:
        return [Result(name, "labels", PASS, 0.0, 0.0, f"all {len(written)} rows mark the label that is written")]
    row, guess = int(wrong[0]), ""
    shifts = set(((codes - wanted) % len(labels)).tolist())
    if shifts in ({1}, {len(labels) - 1}):
        guess = OFF_BY_ONE
    elif np.array_equal(codes[1:], wanted[:-1]) or np.array_equal(codes[:-1], wanted[1:]):
        guess = "every row has the label of the row next to it"
    reason = f"row {row}: {written[row]!r} is written, Y marks {labels[codes[row]]!r}; {wrong.size} of {len(Y)} rows"
    return [Result(name, "labels", FAIL, wrong.size / len(Y), 0.0, reason, guess)]

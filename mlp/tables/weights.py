"""Weigh rows: by a column of the table, by their classes, or by both, with mean 1 over the training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from mlp.errors import DataError
from mlp.tables.table import slices
from mlp.text import closest, listed, quoted
from mlp.types import Array, Examples

ClassWeight = Literal["balanced"] | Mapping[str, float]
"""The weight of each class: N / (K n_k), or numbers by label, 1 where a label is not named."""


def row_weights(
    Y: Mapping[str, Examples],
    *,
    labels: Mapping[str, Sequence[str]],
    column: str | None = None,
    written: Mapping[str, Array] | None = None,
    class_weight: ClassWeight | None = None,
) -> dict[str, Array | None]:
    """The weights w (N) of the rows of each split, "train" among them; None where all are 1.

    Y has the targets as the network sees them, and `labels` those of each target column of classes. `written` has the
    numbers of the column `column` (N). A weight is the product of this number and that of the class, divided by the
    mean over the training rows, whatever the split. Raises DataError for weights that cannot be used.
    """
    found, keys = {split: np.ones(len(each)) for split, each in Y.items()}, list[str]()
    if column is not None and written is not None:
        keys.append(f"data.weight {quoted(column)}")
        for split, w in written.items():
            check_column(keys[0], f"of {len(w)} {split} rows", w)
            found[split] = w.astype(np.float64)
    if class_weight is not None:
        keys.append("loss.class_weight")
        codes = {split: class_codes(each) for split, each in Y.items()}
        of_class = class_weights(labels, codes["train"], class_weight)
        found = {split: w * of_class[codes[split]] for split, w in found.items()}
    for split, w in found.items():
        if not w.any():
            raise DataError(f"{' times '.join(keys)}: is zero in all {len(w)} {split} rows; some must have more")
    return normalized(found)


def check_column(place: str, rows: str, w: Array) -> None:
    """Raises DataError unless each of the rows has a weight."""
    if missing := int(np.isnan(w).sum()):
        raise DataError(f"{place}: {missing} {rows} have no weight; fill them, or leave such rows out by data.query")
    wrong = w[(w < 0) | (w == np.inf)]
    if wrong.size:
        raise DataError(f"{place}: expected finite numbers of 0 or more, got {wrong[0]:g}, in {wrong.size} {rows}")


def class_codes(Y: Examples) -> Array:
    """The class of each row: the number of the 1 in a one-hot row, or the only number of a row."""
    pieces = (Y[rows] for rows in slices(Y))
    return np.concatenate([Y.argmax(axis=1) if Y.shape[1] > 1 else Y[:, 0].astype(np.intp) for Y in pieces])


def class_weights(labels: Mapping[str, Sequence[str]], codes: Array, class_weight: ClassWeight) -> Array:
    """The weights of the K classes of the only target column, divided by the largest; `codes` has the training rows.

    So {a: 100, b: 1000} gives the same, to the last bit, as {a: 1, b: 10}.
    """
    if len(labels) != 1:
        found = f"the target has {len(labels)} columns of classes" if labels else "the target is not one of classes"
        raise DataError(f"loss.class_weight: weighs the classes of one target column, but {found}; leave it out")
    ((name, own),) = labels.items()
    if class_weight == "balanced":
        counts = np.bincount(codes, minlength=len(own))
        w = len(codes) / (len(own) * counts)
    else:
        check_classes(name, own, class_weight)
        w = np.array([class_weight.get(label, 1.0) for label in own], np.float64)
    return w / w.max()


def check_classes(name: str, labels: Sequence[str], class_weight: Mapping[str, float]) -> None:
    """Raises DataError for a label that the target has not, a number that is no weight, or no class above 0."""
    if unknown := [label for label in class_weight if label not in labels]:
        lower = {label.lower(): label for label in labels}
        meant = [lower[word] for word in closest(unknown[0], lower)]
        hint = f"; did you mean {quoted(meant[0])}?" if meant else ""
        raise DataError(
            f"loss.class_weight: no label {listed(unknown)} of target {quoted(name)}, whose labels are "
            f"{listed(labels)}{hint}"
        )
    for label, weight in class_weight.items():
        if not 0 <= weight < np.inf:
            raise DataError(f"loss.class_weight: {quoted(label)}: expected a number of 0 or more, got {weight:g}")
    if not any(class_weight.get(label, 1) for label in labels):
        raise DataError(f"loss.class_weight: is 0 for all {len(labels)} classes; some must have more")


def normalized(w: Mapping[str, Array]) -> dict[str, Array | None]:
    """The weights of each split, divided by the mean over the training rows; None where all are 1.

    Equal weights become exactly 1.
    """
    train = w["train"]
    found = {split: each / train.max() for split, each in w.items()}
    mean = found["train"].mean()
    return {split: None if (each == mean).all() else each / mean for split, each in found.items()}

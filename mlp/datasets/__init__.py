"""Load the shipped tables as arrays, for notebooks. Where each is from, and its licence, is in data/README.md."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlp.types import Array

HERE = Path(__file__).parent
FOLDERS = (HERE / "tables", HERE.parents[1] / "data")  # in an installed package, and in a checkout
TARGETS = {
    "digits": "digit",
    "iris": "species",
    "diabetes": "progression",
    "xor": "class",
    "spirals": "spiral",
    "sine": "y",
}
NUMBERS = ("diabetes", "sine")  # whose targets are numbers, not classes


class Dataset(NamedTuple):
    """A table as arrays with one example a row: X is N x D, Y is N x K, one-hot for classes.

    `inputs` are the names of the columns of X. `labels` are those of the columns of Y, and for a target of numbers its
    name. All are float64, as they are in the file: not standardized, and not shuffled (iris is sorted by its classes).
    """

    X: Array
    Y: Array
    inputs: tuple[str, ...]
    labels: tuple[str, ...]


def path(name: str) -> Path:
    """The CSV file of a table, for `mlp init` or a config. Raises ValueError for an unknown name."""
    for folder in FOLDERS:
        if isinstance(name, str) and (found := folder / f"{name}.csv").is_file() and name == found.stem:
            return found
    known = sorted(file.stem for folder in FOLDERS for file in folder.glob("*.csv"))
    raise ValueError(f"name must be one of {', '.join(known)}, got {name!r}")


def load(name: str) -> Dataset:
    """The table of a name as arrays: `X, Y, inputs, labels = load("digits")`.

    Raises ValueError for an unknown name, and for a table with texts and gaps, which a config is for.
    """
    file = path(name)
    if name not in TARGETS:
        raise ValueError(
            f"{name} has texts and gaps: train on it by a config (mlp init {file}), or load {', '.join(TARGETS)}"
        )
    with open(file, encoding="utf-8", newline="") as lines:
        heading, *rows = csv.reader(lines)
    k = heading.index(TARGETS[name])
    X = np.array([row[:k] + row[k + 1 :] for row in rows], dtype=np.float64)
    inputs, written = tuple(heading[:k] + heading[k + 1 :]), [row[k] for row in rows]
    if name in NUMBERS:
        return Dataset(X, np.array(written, dtype=np.float64)[:, None], inputs, (TARGETS[name],))
    labels, codes = np.unique(written, return_inverse=True)
    return Dataset(X, np.eye(len(labels))[codes], inputs, tuple(labels.tolist()))

"""`.npy` and `.npz` to a `Table`, never with pickled objects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlp.activations import Array
from mlp.tables.csv_files import MISSING
from mlp.tables.table import DataError, Table, choose_columns, listed


def read_npy(path: Path, targets: Sequence[str], inputs: Sequence[str] | None, labels: bool) -> Table:
    matrix = load(path, [])[""]
    if matrix.ndim != 2:
        raise DataError(f"{path}: expected a matrix with one example a row, got shape {matrix.shape}")
    names = [str(column) for column in range(matrix.shape[1])]
    wanted, answers = choose_columns(str(path), names, inputs, targets, numbered=True)
    X = check_numbers(f"{path}", names, matrix)[:, wanted]
    Y = matrix[:, answers]
    return array_table(str(path), [names[c] for c in wanted], X, [names[c] for c in answers], Y, labels)


def read_npz(path: Path, targets: Sequence[str], inputs: Sequence[str] | None, labels: bool) -> Table:
    if inputs is not None and len(inputs) != 1:
        raise DataError(f"{path}: data.inputs must name one array of a .npz file, got {listed(inputs)}")
    X_name = "X" if inputs is None else inputs[0]
    arrays = load(path, [X_name, *targets])
    X = arrays[X_name]
    if X.ndim != 2:
        raise DataError(f"{path}: array {X_name!r} has shape {X.shape}, expected (N, D) with one example a row")
    Y_parts, Y_names = [np.empty((len(X), 0))], []
    for name in targets:
        y = arrays[name]
        y = y[:, None] if y.ndim == 1 else y
        if y.ndim != 2 or len(y) != len(X):
            raise DataError(f"{path}: {X_name!r} has {len(X)} rows but {name!r} has shape {y.shape}")
        where = f"{path}: array {name!r}"
        Y_parts.append(label_texts(where, y) if labels else check_numbers(where, range(y.shape[1]), y))
        Y_names += [name] if y.shape[1] == 1 else [f"{name}_{k}" for k in range(y.shape[1])]
    names = [str(column) for column in range(X.shape[1])]
    Y = np.concatenate(Y_parts[1:] or Y_parts, axis=1)
    return array_table(str(path), names, check_numbers(f"{path}: array {X_name!r}", names, X), Y_names, Y, labels)


def array_table(source: str, inputs: list[str], X: Array, targets: list[str], Y: Array, labels: bool) -> Table:
    if 0 in X.shape:
        raise DataError(f"{source}: {X.shape[0]} rows and {X.shape[1]} input columns, expected at least one of each")
    if labels:
        Y = label_texts(source, Y)
    return Table(source, tuple(inputs), X, tuple(targets), Y)


def label_texts(source: str, Y: Array) -> Array:
    """Labels of any one kind as text, of Y's shape."""
    if Y.dtype.kind not in "biufU":
        raise DataError(f"{source}: has dtype {Y.dtype}, expected labels that are text or real numbers")
    texts = [label_text(source, value) for value in Y.ravel().tolist()]
    return np.array(texts, dtype=str).reshape(Y.shape)


def label_text(source: str, value: Any) -> str:
    """A label as a person would write it: whole floats without the point, booleans as 0 and 1."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{source}: a label is {value}, expected a class")
    if isinstance(value, str) and value.strip().lower() in MISSING:
        raise DataError(f"{source}: a label is missing ({value!r})")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def load(path: Path, names: Sequence[str]) -> dict[str, Array]:
    """What NumPy finds in the file: the arrays with these names, or the one array of a `.npy` file under ""."""
    name = ""
    try:
        with open(path, "rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray) != (path.suffix == ".npy"):
                found = ".npy" if isinstance(loaded, np.ndarray) else ".npz"
                raise DataError(f"{path}: is a {found} file by its content; rename it")
            if isinstance(loaded, np.ndarray):
                return {"": loaded}
            arrays = {}
            for name in names:
                if name not in loaded.files:
                    raise DataError(f"{path}: no array named {name!r}; the arrays are {listed(loaded.files)}")
                arrays[name] = loaded[name]
                if not isinstance(arrays[name], np.ndarray):
                    raise DataError(f"{path}: member {name!r} is not an array")
            return arrays
    except (OSError, DataError):
        raise
    except Exception as error:  # zipfile and NumPy raise a dozen kinds for damaged bytes
        where = f"array {name!r} cannot be read" if name else f"not a readable {path.suffix} file"
        raise DataError(f"{path}: {where} ({error})") from None


def check_numbers(source: str, names: Sequence[Any], matrix: Array) -> Array:
    if matrix.dtype.kind not in "biuf":
        raise DataError(f"{source}: has dtype {matrix.dtype}, expected real numbers")
    finite = np.isfinite(matrix)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise DataError(
            f"{source}: {int((~finite).sum())} values are not finite, the first is {matrix[row, column]} in row {row} "
            f"(from 0), column {names[column]!r}"
        )
    return matrix

"""`.npy` and `.npz` to a `Table`, never with pickled objects."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlp.activations import Array
from mlp.tables.table import DataError, Table, choose_columns, listed


def read_npy(path: Path, targets: Sequence[str], inputs: Sequence[str] | None, labels: bool) -> Table:
    matrix = load_array(path)
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2:
        raise DataError(f"{path}: expected a matrix with one example a row, got shape {matrix.shape}")
    names = [str(column) for column in range(matrix.shape[1])]
    wanted, answers = choose_columns(str(path), names, inputs, targets, numbered=True)
    X = check_numbers(f"{path}", names, matrix)[:, wanted]
    Y = matrix[:, answers]
    return array_table(str(path), [names[c] for c in wanted], X, [names[c] for c in answers], Y, labels)


def read_npz(path: Path, targets: Sequence[str], inputs: Sequence[str] | None, labels: bool) -> Table:
    arrays = load_array(path)
    for name in (*(inputs or ["X"]), *targets):
        if name not in arrays.files:
            raise DataError(f"{path}: no array named {name!r}; the arrays are {listed(arrays.files)}")
    if inputs is not None and len(inputs) != 1:
        raise DataError(f"{path}: data.inputs must name one array of a .npz file, got {listed(inputs)}")
    X_name = "X" if inputs is None else inputs[0]
    X = load_member(path, arrays, X_name)
    if X.ndim != 2:
        raise DataError(f"{path}: array {X_name!r} has shape {X.shape}, expected (N, D) with one example a row")
    Y_parts, Y_names = [np.empty((len(X), 0))], []
    for name in targets:
        y = load_member(path, arrays, name)
        y = y[:, None] if y.ndim == 1 else y
        if y.ndim != 2 or len(y) != len(X):
            raise DataError(f"{path}: {X_name!r} has {len(X)} rows but {name!r} has shape {y.shape}")
        Y_parts.append(y if labels else check_numbers(f"{path}: array {name!r}", range(y.shape[1]), y))
        Y_names += [name] if y.shape[1] == 1 else [f"{name}_{k}" for k in range(y.shape[1])]
    names = [str(column) for column in range(X.shape[1])]
    Y = np.concatenate(Y_parts[1:] or Y_parts, axis=1)
    return array_table(str(path), names, check_numbers(f"{path}: array {X_name!r}", names, X), Y_names, Y, labels)


def array_table(source: str, inputs: list[str], X: Array, targets: list[str], Y: Array, labels: bool) -> Table:
    if 0 in X.shape:
        raise DataError(f"{source}: {X.shape[0]} rows and {X.shape[1]} input columns, expected at least one of each")
    if labels:
        Y = np.array([[label_text(source, value) for value in row] for row in Y.tolist()], dtype=str)
        Y = Y.reshape(len(X), len(targets))
    return Table(source, tuple(inputs), X, tuple(targets), Y)


def label_text(source: str, value: Any) -> str:
    """A label as a person would write it: whole floats without the point, booleans as 0 and 1."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{source}: a label is {value}, expected a class")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def load_array(path: Path) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a readable {path.suffix} file without pickled objects ({error})") from error


def load_member(path: Path, arrays: Any, name: str) -> Array:
    try:
        member: Array = arrays[name]
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: array {name!r} cannot be read ({error})") from error
    return member


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

"""Read `.npy` and `.npz` files as a `Table`, never with pickled objects."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlp.errors import DataError
from mlp.tables.reading import Reading
from mlp.tables.table import MAX_LABEL, Table, Texts, choose_columns, choose_names, slices, too_long
from mlp.text import listed, quoted
from mlp.types import Array

LARGE = 2**28  # bytes, 256 MiB: a larger `.npy` file is mapped, not loaded


def read_npy(
    path: Path,
    targets: Sequence[str],
    inputs: Sequence[str] | None,
    labels: bool,
    exclude: Sequence[str],
    others: Mapping[str, str | None],
) -> Table:
    """A matrix, one example a row. One of more than LARGE bytes stays in the file, which is mapped into memory.

    The numbers are the same, to the last bit. Such a file may be larger than memory; rows are then read from the disk
    again in each epoch. It must stay as it is while it is used: what is written to it is trained on without a word,
    and the system kills the process when the file is cut short. A matrix in Fortran order is slow.
    """
    matrix = load(path, [])[""]
    if matrix.ndim != 2:
        raise DataError(f"{path}: expected a matrix with one example a row, got shape {matrix.shape}")
    check_not_empty(path, matrix)
    names = [str(column) for column in range(matrix.shape[1])]
    if absent := [name for name in (*exclude, *others) if name not in names]:
        raise DataError(f"{path}: no column {listed(absent)}; the columns are {listed(names)}")
    of_X, of_Y = choose_names(str(path), names, inputs, targets, {*exclude, *others}, numbered=True)
    check_numbers(f"{path}", matrix, gaps=True)
    X, Y = choose_columns(matrix, of_X), matrix[:, of_Y]
    check_numbers(f"{path}", Y)
    Y = label_texts(f"{path}", Y) if labels else Y
    beside = {name: other(f"{path}", matrix[:, int(name)], kind) for name, kind in others.items()}
    return Table(str(path), {names[c]: "number" for c in of_X}, X, {}, tuple(names[c] for c in of_Y), Y, beside)


def read_npz(
    path: Path,
    targets: Sequence[str],
    inputs: Sequence[str] | None,
    labels: bool,
    exclude: Sequence[str],
    others: Mapping[str, str | None],
) -> Table:
    """The array of inputs, N x D, those of the targets, each N or N x K, and others, each N."""
    if exclude:
        raise DataError(f"{path}: data.exclude names columns, but a .npz file has arrays")
    if inputs is not None and len(inputs) != 1:
        raise DataError(f"{path}: data.inputs must name one array of a .npz file, got {listed(inputs)}")
    X_name = "X" if inputs is None else inputs[0]
    arrays = load(path, [X_name, *targets, *others])
    X = arrays[X_name]
    if X.ndim != 2:
        raise DataError(f"{path}: array {quoted(X_name)} has shape {X.shape}, expected (N, D) with one example a row")
    check_not_empty(path, X)
    Y_parts, Y_names = [], []
    for name in targets:
        y = arrays[name]
        y = y[:, None] if y.ndim == 1 else y
        if y.ndim != 2 or len(y) != len(X) or y.shape[1] == 0:
            turned = y.ndim == 2 and len(y) == X.shape[1] != len(X)
            hint = f"; {quoted(X_name)} of shape {X.shape} has its examples in columns, turn it" if turned else ""
            raise DataError(f"{path}: {quoted(X_name)} has {len(X)} rows but {quoted(name)} has shape {y.shape}{hint}")
        where = f"{path}: array {quoted(name)}"
        if labels:
            y = label_texts(where, y)
        else:
            check_numbers(where, y)
        Y_parts.append(y)
        Y_names += [name] if y.shape[1] == 1 else [f"{name}_{k}" for k in range(y.shape[1])]
    if len(set(Y_names)) < len(Y_names):
        raise DataError(f"{path}: two target columns have one name among {listed(Y_names)}; rename an array")
    check_numbers(f"{path}: array {quoted(X_name)}", X, gaps=True)
    Y = np.concatenate(Y_parts, axis=1) if Y_parts else np.empty((len(X), 0))
    kinds = {str(column): "number" for column in range(X.shape[1])}
    for name in others:
        if arrays[name].shape != (len(X),):
            raise DataError(
                f"{path}: {quoted(X_name)} has {len(X)} rows but {quoted(name)} has shape {arrays[name].shape}"
            )
    beside = {name: other(f"{path}: array {quoted(name)}", arrays[name], kind) for name, kind in others.items()}
    return Table(str(path), kinds, X, {}, tuple(Y_names), Y, beside)


def other(source: str, column: Array, kind: str | None) -> Array | Texts:
    """A column that is wanted besides, as text if that is asked for, or if it is no number."""
    if kind == "text" or (kind is None and column.dtype.kind not in "biuf"):
        return Texts.of(label_texts(source, column).tolist())
    check_numbers(source, column[:, None], gaps=True)
    return column.astype(np.float64)


def load(path: Path, names: Sequence[str]) -> dict[str, Array]:
    """The arrays with these names in a file, or the one array of a `.npy` file under ""."""
    name = ""
    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers that Python 2 wrote, or that damage made
        try:
            mapped = path.suffix == ".npy" and os.fstat(file.fileno()).st_size > LARGE
            mapped &= file.peek(6).startswith(np.lib.format.MAGIC_PREFIX)  # or NumPy would not close a damaged file
            found = np.load(path if mapped else file, mmap_mode="r" if mapped else None, allow_pickle=False)
            ending = ".npy" if isinstance(found, np.ndarray) else ".npz"
            if ending != path.suffix:
                raise DataError(f"{path}: is a {ending} file by its content; rename it")
            if ending == ".npy":
                return {"": in_double_precision_at_most(found)}
            arrays = {}
            for name in names:
                if name not in found.files:
                    these = listed(sorted(found.files))
                    raise DataError(f"{path}: no array named {quoted(name)}; the arrays are {these}")
                if not isinstance(array := found[name], np.ndarray):
                    raise DataError(f"{path}: member {quoted(name)} is not an array")
                arrays[name] = in_double_precision_at_most(array)
            return arrays
        except DataError:
            raise
        except Exception as error:  # zipfile and NumPy raise a dozen kinds for damaged bytes
            where = f"array {quoted(name)} cannot be read" if name else f"not a readable {path.suffix} file"
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError(f"{path}: {where} ({reason})") from None


def in_double_precision_at_most(array: Array) -> Array:
    """The array; numbers more precise than a double become doubles, and inf where they are too large for one."""
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        with np.errstate(over="ignore"):
            return array.astype(np.float64)
    return np.asarray(array)


def check_not_empty(path: Path, X: Array) -> None:
    """Before its columns get names: an array without rows can claim any number of columns."""
    if 0 in X.shape:
        raise DataError(f"{path}: {X.shape[0]} rows and {X.shape[1]} input columns, expected at least one of each")


def check_numbers(source: str, matrix: Array, *, gaps: bool = False) -> None:
    """Raises DataError for what is no number, for infinite numbers and, unless there may be `gaps`, for nan."""
    if matrix.dtype.kind not in "biuf":
        raise DataError(f"{source}: has dtype {matrix.dtype}, expected real numbers")
    bad, first = 0, ""
    for piece in slices(matrix) if matrix.dtype.kind == "f" else ():
        wrong = np.isinf(matrix[piece]) if gaps else ~np.isfinite(matrix[piece])
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            number = matrix[piece][row, column]
            first = first or f"{number} in row {piece.start + row} (from 0), column '{column}'"
            bad += int(wrong.sum())
    if bad:
        raise DataError(f"{source}: {bad} values are not finite, the first is {first}")


def label_texts(source: str, Y: Array) -> Array:
    """Labels of any one kind as text, of Y's shape."""
    if Y.dtype.kind not in "biufU":
        raise DataError(f"{source}: has dtype {Y.dtype}, expected labels that are text or real numbers")
    labels, places = np.unique(Y.reshape(-1), return_inverse=True)
    if Y.dtype.kind == "U":
        check_characters(source, labels)
    texts = np.array([label_text(source, label) for label in labels.tolist()], dtype=str)
    return texts[places].reshape(Y.shape)


def label_text(source: str, value: Any) -> str:
    """A label as a person would write it: whole floats without the point, booleans as 0 and 1."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{source}: a label is {value}, expected a class")
    if isinstance(value, str) and Reading().is_missing(value.strip()):
        raise DataError(f"{source}: a label is missing ({value!r})")
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if len(text) > MAX_LABEL:
        raise too_long(source, text)
    return text


def check_characters(source: str, labels: Array) -> None:
    """Raises DataError for numbers that are no characters: NumPy stores text as 32-bit code points and checks none."""
    points = np.frombuffer(labels.tobytes(), dtype=np.dtype(np.uint32).newbyteorder(labels.dtype.byteorder))
    wrong = points[(points > 0x10FFFF) | ((points >= 0xD800) & (points <= 0xDFFF))]
    if wrong.size:
        raise DataError(f"{source}: a label holds U+{wrong[0]:04X}, which is no character; expected text")

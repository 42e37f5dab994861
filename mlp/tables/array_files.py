"""`.npy` and `.npz` to a `Table`, never with pickled objects."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlp.errors import DataError
from mlp.tables.csv_files import MAX_LABEL, MISSING
from mlp.tables.memory import allowed_memory
from mlp.tables.rows import Rows, StoredMatrix, pieces, slices
from mlp.tables.table import Table, choose_columns
from mlp.text import listed, quoted
from mlp.types import Array, Examples

SHARE = 0.25  # of the memory that may be used: a `.npy` file up to this size is loaded


def read_npy(path: Path, targets: Sequence[str], inputs: Sequence[str] | None, labels: bool) -> Table:
    """A file that takes more than SHARE of the memory stays where it is; its rows are read when they are asked for."""
    allowed = allowed_memory()
    large = allowed is not None and os.stat(path).st_size > SHARE * allowed
    matrix = open_matrix(path) if large else load(path, [])[""]
    if matrix.ndim != 2:
        raise DataError(f"{path}: expected a matrix with one example a row, got shape {matrix.shape}")
    check_not_empty(str(path), matrix)
    names = [str(column) for column in range(matrix.shape[1])]
    wanted, answers = choose_columns(str(path), names, inputs, targets, numbered=True)
    check_numbers(f"{path}", names, matrix)
    X, Y = Rows(matrix, columns=wanted), np.asarray(Rows(matrix, columns=answers))
    return array_table(str(path), [names[c] for c in wanted], X, [names[c] for c in answers], Y, labels)


def open_matrix(path: Path) -> Array | StoredMatrix:
    """The matrix in a `.npy` file, which is not loaded; whatever is not a matrix is left to `load`, to refuse it.

    In Fortran order, where the numbers of a row are far apart, it is mapped: that is slow, but takes no memory either.
    """
    try:
        with open(path, "rb") as file, warnings.catch_warnings(action="ignore"):
            version = np.lib.format.read_magic(file)
            read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, fortran_order, dtype = read_header[version](file)
            start = file.tell()
            whole = os.fstat(file.fileno()).st_size >= start + math.prod(shape) * dtype.itemsize
    except Exception:  # of a dozen kinds, as in `load`
        return load(path, [])[""]
    if len(shape) != 2 or dtype.kind not in "biuf" or not whole:
        return load(path, [])[""]
    if fortran_order:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    return StoredMatrix(path, start, shape, dtype)


def read_npz(path: Path, targets: Sequence[str], inputs: Sequence[str] | None, labels: bool) -> Table:
    if inputs is not None and len(inputs) != 1:
        raise DataError(f"{path}: data.inputs must name one array of a .npz file, got {listed(inputs)}")
    X_name = "X" if inputs is None else inputs[0]
    arrays = load(path, [X_name, *targets])
    X = arrays[X_name]
    if X.ndim != 2:
        raise DataError(f"{path}: array {quoted(X_name)} has shape {X.shape}, expected (N, D) with one example a row")
    check_not_empty(str(path), X)
    Y_parts, Y_names = [np.empty((len(X), 0))], []
    for name in targets:
        y = arrays[name]
        y = y[:, None] if y.ndim == 1 else y
        if y.ndim != 2 or len(y) != len(X) or y.shape[1] == 0:
            turned = y.ndim == 2 and len(y) == X.shape[1] != len(X)
            hint = f"; {quoted(X_name)} of shape {X.shape} has its examples in columns, turn it" if turned else ""
            raise DataError(f"{path}: {quoted(X_name)} has {len(X)} rows but {quoted(name)} has shape {y.shape}{hint}")
        where = f"{path}: array {quoted(name)}"
        if not labels:
            check_numbers(where, range(y.shape[1]), y)
        Y_parts.append(label_texts(where, y) if labels else np.asarray(Rows(y)))
        Y_names += [name] if y.shape[1] == 1 else [f"{name}_{k}" for k in range(y.shape[1])]
    if len(set(Y_names)) < len(Y_names):
        raise DataError(f"{path}: two target columns have one name among {listed(Y_names)}; rename an array")
    names = [str(column) for column in range(X.shape[1])]
    Y = np.concatenate(Y_parts[1:] or Y_parts, axis=1)
    check_numbers(f"{path}: array {quoted(X_name)}", names, X)
    return array_table(str(path), names, Rows(X), Y_names, Y, labels)


def check_not_empty(source: str, X: Examples) -> None:
    """Before its columns get names: an array without rows can claim any number of columns."""
    if 0 in X.shape:
        raise DataError(f"{source}: {X.shape[0]} rows and {X.shape[1]} input columns, expected at least one of each")


def array_table(source: str, inputs: list[str], X: Examples, targets: list[str], Y: Array, labels: bool) -> Table:
    if labels:
        Y = label_texts(source, Y)
    return Table(source, tuple(inputs), X, tuple(targets), Y)


def label_texts(source: str, Y: Array) -> Array:
    """Labels of any one kind as text, of Y's shape."""
    if Y.dtype.kind not in "biufU":
        raise DataError(f"{source}: has dtype {Y.dtype}, expected labels that are text or real numbers")
    found = []
    for piece in pieces(Rows(Y)):
        if Y.dtype.kind == "U":
            check_characters(source, piece)
        values, positions = np.unique(piece, return_inverse=True)
        texts = np.array([label_text(source, value) for value in values.tolist()], dtype=str)
        found.append(texts[positions.reshape(piece.shape)])
    return np.concatenate(found) if found else Y.astype(str)


def label_text(source: str, value: Any) -> str:
    """A label as a person would write it: whole floats without the point, booleans as 0 and 1."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{source}: a label is {value}, expected a class")
    if isinstance(value, str) and value.strip().lower() in MISSING:
        raise DataError(f"{source}: a label is missing ({value!r})")
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if len(text) > MAX_LABEL:
        raise DataError(
            f"{source}: a label of {len(text):,} characters, {quoted(text)}; expected a class, in at most {MAX_LABEL} "
            "characters"
        )
    return text


def check_characters(source: str, Y: Array) -> None:
    """Raises DataError for numbers that are no characters: NumPy stores text as 32-bit code points and checks none."""
    points = np.frombuffer(Y.tobytes(), dtype=np.dtype(np.uint32).newbyteorder(Y.dtype.byteorder))
    wrong = points[(points > 0x10FFFF) | ((points >= 0xD800) & (points <= 0xDFFF))]
    if wrong.size:
        raise DataError(f"{source}: a label holds U+{wrong[0]:04X}, which is no character; expected text")


def load(path: Path, names: Sequence[str]) -> dict[str, Array]:
    """What NumPy finds in the file: the arrays with these names, or the one array of a `.npy` file under ""."""
    name = ""
    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers that Python 2 wrote, or that damage made
        try:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray) != (path.suffix == ".npy"):
                found = ".npy" if isinstance(loaded, np.ndarray) else ".npz"
                raise DataError(f"{path}: is a {found} file by its content; rename it")
            if isinstance(loaded, np.ndarray):
                return {"": loaded}
            arrays = {}
            for name in names:
                if name not in loaded.files:
                    raise DataError(
                        f"{path}: no array named {quoted(name)}; the arrays are {listed(sorted(loaded.files))}"
                    )
                arrays[name] = loaded[name]
                if not isinstance(arrays[name], np.ndarray):
                    raise DataError(f"{path}: member {quoted(name)} is not an array")
            return arrays
        except DataError:
            raise
        except Exception as error:  # zipfile and NumPy raise a dozen kinds for damaged bytes
            where = f"array {quoted(name)} cannot be read" if name else f"not a readable {path.suffix} file"
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError(f"{path}: {where} ({reason})") from None


def check_numbers(source: str, names: Sequence[Any], matrix: Examples) -> None:
    if matrix.dtype.kind not in "biuf":
        raise DataError(f"{source}: has dtype {matrix.dtype}, expected real numbers")
    bad, first = 0, ""
    for piece in slices(matrix):
        numbers = Rows(matrix)[piece]
        if not np.isfinite(numbers).all():
            places = np.argwhere(~np.isfinite(numbers))
            bad, (row, column) = bad + len(places), places[0]
            first = first or f"{numbers[row, column]} in row {piece.start + row} (from 0), column {names[column]!r}"
    if bad:
        raise DataError(f"{source}: {bad} values are not finite, the first is {first}")

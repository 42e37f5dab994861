"""Arrays with a JSON header in one `.npz` file: what a model and a checkpoint are written as. Never a pickle."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlp.activations import Array
from mlp.experiments.files import write_file
from mlp.tables import listed

FORMAT_VERSION = 1


class ModelFileError(ValueError):
    """A model file or checkpoint that cannot be used, and why."""


def write_arrays(path: Path, kind: str, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write arrays to a `.npz` file whose member "header" is JSON as bytes: what the file is, and everything else."""
    text = json.dumps({"kind": kind, "format_version": FORMAT_VERSION, **header}, allow_nan=False)
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(text.encode(), dtype=np.uint8), **dict(arrays))  # type: ignore[arg-type]
    write_file(path, buffer.getvalue())


def read_arrays(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """The header and the arrays of a file that `write_arrays` wrote as this kind; never unpickles.

    Raises ModelFileError when the file is missing, damaged, of another kind or of another format version.
    """
    member = ""
    try:
        if path.is_dir():
            raise ModelFileError(f"{path}: is a directory, expected a file ({kind})")
        with open(path, "rb") as file:
            start = file.read(4)
            if not start:
                raise ModelFileError(f"{path}: the file is empty")
            if start != b"PK\x03\x04":
                raise ModelFileError(f"{path}: not an {kind} file")
            with zipfile.ZipFile(file) as members:
                broken = members.testzip()  # every checksum, also of bytes that NumPy would not read
            if broken:
                raise ModelFileError(f"{path}: the file is damaged (checksum of {broken})")
            file.seek(0)
            archive = np.load(file, allow_pickle=False)
            if "header" not in archive.files:
                raise ModelFileError(f"{path}: not an {kind} file: it has no header")
            arrays = {}
            for member in archive.files:
                arrays[member] = archive[member]
                if not isinstance(arrays[member], np.ndarray):
                    raise ModelFileError(f"{path}: member {member!r} is not an array")
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror or error}") from None
    except ModelFileError:
        raise
    except Exception as error:  # zipfile and NumPy raise a dozen kinds for damaged bytes
        where = f"array {member!r}: " if member else ""
        raise ModelFileError(f"{path}: the file is damaged or cut short ({where}{error})") from None
    return read_header(path, kind, arrays.pop("header")), arrays


def read_header(path: Path, kind: str, array: Array) -> dict[str, Any]:
    try:
        header = json.loads(array.tobytes())
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or "kind" not in header:
        raise ModelFileError(f"{path}: not an {kind} file: its header says nothing")
    if header["kind"] != kind:
        raise ModelFileError(f"{path}: not an {kind} file but an {header['kind']!s:.40}")
    if header.get("format_version") != FORMAT_VERSION:
        raise ModelFileError(
            f"{path}: has format_version {header.get('format_version')!s:.40}, but this mlp reads {FORMAT_VERSION}; "
            "install the version of mlp that wrote it"
        )
    return header


def check_arrays(path: Path, arrays: Mapping[str, Array], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse, by name, arrays that are missing, unknown, of a wrong shape, not floats, or not finite."""
    for what, names in (("missing", expected.keys() - arrays.keys()), ("unknown", arrays.keys() - expected.keys())):
        if names:
            raise ModelFileError(f"{path}: {what} array {listed(sorted(names))}")
    for name, shape in expected.items():
        found = arrays[name]
        if found.shape != shape:
            raise ModelFileError(f"{path}: array {name!r} has shape {found.shape}, expected {shape}")
        if found.dtype.kind != "f":
            raise ModelFileError(f"{path}: array {name!r} has dtype {found.dtype}, expected floats")
        if not np.isfinite(found).all():
            raise ModelFileError(f"{path}: array {name!r} holds values that are not finite")

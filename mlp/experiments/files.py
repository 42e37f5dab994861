"""Files that are whole or absent: written under a temporary name and renamed; arrays with a JSON header in `.npz`."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlp.activations import Array

FORMAT_VERSION = 1


class ModelFileError(ValueError):
    """A model file or checkpoint that cannot be used, and why."""


def write_file(path: Path, content: bytes) -> None:
    """Replace the file in one step: readers see the old content or the new, never a part."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~current_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, data: Any) -> None:
    write_file(path, (json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def write_arrays(path: Path, kind: str, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write arrays to a `.npz` file whose member "header" is JSON as bytes: what the file is, and everything else."""
    text = json.dumps({"kind": kind, "format_version": FORMAT_VERSION, **header}, allow_nan=False)
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(text.encode(), dtype=np.uint8), **dict(arrays))  # type: ignore[arg-type]
    write_file(path, buffer.getvalue())


def read_arrays(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """The header and the arrays of a file that `write_arrays` wrote as this kind; never unpickles.

    Raises ModelFileError when the file is missing, damaged, of another kind or of a newer format.
    """
    try:
        if path.is_dir():
            raise ModelFileError(f"{path}: is a directory, expected a file ({kind})")
        with open(path, "rb") as file:
            start = file.read(4)
        if not start:
            raise ModelFileError(f"{path}: the file is empty")
        if start != b"PK\x03\x04":
            raise ModelFileError(f"{path}: not an {kind} file")
        with np.load(path, allow_pickle=False) as archive:
            if "header" not in archive.files:
                raise ModelFileError(f"{path}: not an {kind} file: it has no header")
            header = json.loads(archive["header"].tobytes())
            if not isinstance(header, dict) or header.get("kind") != kind:
                found = header.get("kind") if isinstance(header, dict) else header
                raise ModelFileError(f"{path}: not an {kind} file but {found!r}")
            version = header.get("format_version")
            if version != FORMAT_VERSION:
                raise ModelFileError(
                    f"{path}: has format_version {version}, but this mlp reads {FORMAT_VERSION}; "
                    "install the version of mlp that wrote it"
                )
            return header, {name: archive[name] for name in archive.files if name != "header"}
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror or error}") from None
    except (ValueError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path}: the file is damaged or cut short ({error})") from None


def current_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask

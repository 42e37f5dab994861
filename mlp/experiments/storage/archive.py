"""Store arrays with a JSON header in one `.npz` file, which is what a model and a checkpoint are. Never a pickle.

A file may come from a stranger. Reading it gives arrays and plain data or a FileError, runs nothing, and takes memory
in proportion to the file: all sizes are compared with those of the file before anything is allocated for them.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from reprlib import repr as brief
from typing import IO, Any

import numpy as np

from mlp.errors import FileError
from mlp.experiments.storage.files import irregular
from mlp.text import listed
from mlp.types import Array

FORMAT_VERSION = 7
ARRAY_NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")  # of an array: never a path
DTYPES = ("float16", "float32", "float64", "int64")  # parameters, and the count of an optimizer's steps
MAX_HEADER = 2**24  # bytes of JSON: the names of a million columns
MAX_MEMBERS = 20_000  # a config has room for 6,700 layers, with two arrays each
MAX_DIRECTORY = 128 * MAX_MEMBERS  # bytes; for each 46 of them zipfile makes an object of half a kB
LONGEST_END = 2**17  # bytes after the directory, all of which zipfile reads: a record with a comment of 64 kB
MAX_NPY_HEADER = 512  # bytes; NumPy writes 118
MAX_DIMENSIONS = 32  # which every NumPy can hold


class ForeignFile(ValueError):
    """A file that may be whole, but that `archive_bytes` does not write."""


def archive_bytes(kind: str, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """A `.npz` file of arrays whose member "header" is JSON as bytes: what the file is, and everything else.

    Equal arguments give equal bytes. Raises FileError for what `read_arrays` would refuse.
    """
    text = json.dumps({"kind": kind, "format_version": FORMAT_VERSION, **header}, allow_nan=False).encode()
    if len(text) > MAX_HEADER or len(arrays) >= MAX_MEMBERS:
        raise FileError(
            f"an {kind} of {len(arrays):,} arrays with a header of {len(text):,} bytes cannot be saved: "
            f"at most {MAX_MEMBERS - 1:,} arrays and {MAX_HEADER:,} bytes"
        )
    for name, array in arrays.items():
        if not ARRAY_NAME.fullmatch(name) or array.dtype.name not in DTYPES or array.size == 0:
            raise FileError(
                f"array {name!r} of dtype {array.dtype} and shape {array.shape} cannot be saved in an {kind} file"
            )
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(text, dtype=np.uint8), **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def read_arrays(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """The header (without kind and version) and the arrays of a file of `archive_bytes`; never unpickles.

    The arrays are writable and own their memory.
    """
    try:
        if what := irregular(path):
            raise FileError(f"{path}: {what}, expected a file ({kind})")
        with open(path, "rb") as file:
            return read_archive(path, kind, file)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None


def read_archive(path: Path, kind: str, file: IO[bytes]) -> tuple[dict[str, Any], dict[str, Array]]:
    """The same of an open file, or of bytes in memory; `path` is for messages."""
    start = file.read(4)
    if start != b"PK\x03\x04":
        raise FileError(f"{path}: not an {kind} file" if start else f"{path}: the file is empty")
    try:
        with zipfile.ZipFile(Bounded(file)) as archive:
            members = check_members(archive.infolist(), size=file.seek(0, os.SEEK_END))
            header = read_header(path, kind, read_member(archive, members.pop("header"), ["uint8"]))
            return header, {name: read_member(archive, member, DTYPES) for name, member in members.items()}
    except ForeignFile as error:
        raise FileError(f"{path}: not an {kind} file: {error}") from None
    except (FileError, MemoryError):
        raise
    except Exception as error:  # zipfile and NumPy meet a stranger's bytes with errors of a dozen kinds
        raise FileError(f"{path}: the file is damaged or cut short ({error})") from None


class Bounded:
    """A file of which nobody reads more than MAX_DIRECTORY bytes at once: zipfile reads a directory in one piece, and
    makes an object of each entry before it can be asked how many there are."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def read(self, size: int = -1) -> bytes:
        if size > MAX_DIRECTORY:
            raise ForeignFile(f"its directory has {size:,} bytes, expected at most {MAX_DIRECTORY:,}")
        return self.file.read(LONGEST_END if size < 0 else size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def check_members(infos: Collection[zipfile.ZipInfo], size: int) -> dict[str, zipfile.ZipInfo]:
    """The members by the names of their arrays. All are stored as they are, and together not larger than the file."""
    members: dict[str, zipfile.ZipInfo] = {}
    if len(infos) > MAX_MEMBERS:
        raise ForeignFile(f"it has {len(infos):,} members, expected at most {MAX_MEMBERS:,}")
    for info in infos:
        name = info.filename.removesuffix(".npy")
        if name == info.filename or not ARRAY_NAME.fullmatch(name):
            raise ForeignFile(f"it has a member {brief(info.filename)}, expected names such as 'W1.npy'")
        if name in members:
            raise ForeignFile(f"it has two members {info.filename!r}")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.compress_size != info.file_size:
            raise ForeignFile(
                f"member {info.filename!r} is compressed or encrypted, expected members as they are "
                "(np.savez, not np.savez_compressed)"
            )
        members[name] = info
    if sum(info.file_size for info in infos) > size:
        raise zipfile.BadZipFile("its members have more bytes than it has")
    if "header" not in members:
        raise ForeignFile("it has no header")
    if members["header"].file_size > MAX_HEADER + MAX_NPY_HEADER:
        raise ForeignFile(f"its header has {members['header'].file_size:,} bytes, expected at most {MAX_HEADER:,}")
    return members


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, dtypes: Collection[str]) -> Array:
    """The array of a member, writable and with memory of its own, in the byte order of this machine.

    `dtypes` are the names of those that it may have, and none of them is "object": nothing is unpickled.
    """
    with archive.open(info) as file:
        shape, dtype = read_npy_header(info.filename, file)
        if dtype.name not in dtypes:
            raise ForeignFile(f"array {info.filename!r} has dtype {dtype}, expected {' or '.join(dtypes)}")
        if len(shape) > MAX_DIMENSIONS or not all(type(n) is int and n > 0 for n in shape):
            raise ForeignFile(
                f"array {info.filename!r} has shape {shape}, expected at most {MAX_DIMENSIONS} numbers above 0"
            )
        needed, there = math.prod(shape) * dtype.itemsize, info.file_size - file.tell()
        if needed != there:
            raise zipfile.BadZipFile(
                f"array {info.filename!r} of {dtype} and shape {shape} takes {needed:,} bytes, got {there:,}"
            )
    with archive.open(info) as file:  # again, since after a seek zipfile would not compare the checksum
        array = np.lib.format.read_array(file, allow_pickle=False, max_header_size=MAX_NPY_HEADER)
        file.read()  # to the end, where zipfile compares it
    return np.require(array, dtype.newbyteorder("="), ["C", "O", "W"])


def read_npy_header(name: str, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype from the start of a `.npy` file."""
    try:
        with warnings.catch_warnings(action="error"):  # NumPy warns of what only others write
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("not of version 1.0")
            shape, _, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=MAX_NPY_HEADER)
    except zipfile.BadZipFile:  # the checksum of a member that was read to its end
        raise
    except Exception as error:  # a literal is evaluated and a dtype made of it
        raise zipfile.BadZipFile(f"array {name!r} has no .npy header: {error}") from None
    return shape, dtype


def read_header(path: Path, kind: str, array: Array) -> dict[str, Any]:
    """The header, without its kind and version, which must be these."""
    try:
        header = json.loads(array.tobytes().decode())
    except (ValueError, RecursionError) as error:
        raise ForeignFile(f"its header is not JSON: {error}") from None
    if not isinstance(header, dict) or "kind" not in header:
        raise ForeignFile("its header says nothing")
    found = header.pop("kind")
    if found != kind:
        raise FileError(f"{path}: not an {kind} file but an {brief(found)}")
    version = header.pop("format_version", None)
    if type(version) is not int or version != FORMAT_VERSION:
        raise FileError(
            f"{path}: has format_version {brief(version)}, but this mlp reads {FORMAT_VERSION}; "
            "install the version of mlp that wrote it, or train again"
        )
    return header


def check_arrays(arrays: Mapping[str, Array], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Raises ValueError, by name, for an array that is missing, unknown, of a wrong shape, or not of finite floats."""
    for what, names in (("missing", expected.keys() - arrays.keys()), ("unknown", arrays.keys() - expected.keys())):
        if names:
            raise ValueError(f"{what} array {listed(sorted(names))}")
    for name, shape in expected.items():
        found = arrays[name]
        if found.shape != shape:
            raise ValueError(f"array {name!r} has shape {found.shape}, expected {shape}")
        if found.dtype.kind != "f":
            raise ValueError(f"array {name!r} has dtype {found.dtype}, expected floats")
        if not np.isfinite(found).all():
            raise ValueError(f"array {name!r} holds values that are not finite")

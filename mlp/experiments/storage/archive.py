"""Arrays with a JSON header in one `.npz` file: what a model and a checkpoint are written as. Never a pickle.

A file may come from a stranger. Reading it gives arrays and plain data or a FileError, runs nothing, and takes
memory in proportion to the file: what cannot be right is refused before anything is allocated for it.
"""

from __future__ import annotations

import io
import json
import math
import re
import stat
from collections import Counter
from collections.abc import Mapping
from io import BufferedReader, BytesIO
from pathlib import Path
from reprlib import repr as brief
from typing import Any

import numpy as np

from mlp.errors import FileError
from mlp.experiments.storage.npy_member import MAX_NPY_HEADER, read_array
from mlp.experiments.storage.stored_zip import MAX_MEMBERS, DamagedFile, ForeignFile, Member, read_members
from mlp.text import listed, quoted
from mlp.types import Array

FORMAT_VERSION = 3
ARRAY_NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")  # of an array: never a path
DTYPES = ("float16", "float32", "float64", "int64")  # parameters, and the count of an optimizer's steps
MAX_HEADER = 2**24  # bytes of JSON: the names of a million columns
MAX_DIGITS = 40


def archive_bytes(kind: str, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """A `.npz` file of arrays whose member "header" is JSON as bytes: what the file is, and everything else.

    Equal arguments give equal bytes. Raises FileError for what `read_arrays` would refuse: names that are more
    than letters, digits, "_" and single dots, dtypes that are not among DTYPES, empty arrays, too many arrays, or a
    header beyond MAX_HEADER.
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

    The arrays are writable and own their memory. Raises FileError when the file is missing, no regular file,
    damaged, of another kind or of another format version.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise FileError(f"{path}: is a directory, expected a file ({kind})")
        if not stat.S_ISREG(mode):  # to open a pipe would wait for somebody who writes to it
            raise FileError(f"{path}: is a pipe or a device, expected a file ({kind})")
        with open(path, "rb") as file:
            return read_archive(path, kind, file)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None
    except ForeignFile as error:
        raise FileError(f"{path}: not an {kind} file: {error}") from None
    except DamagedFile as error:
        raise FileError(f"{path}: the file is damaged or cut short ({error})") from None


def read_archive(path: Path, kind: str, file: BufferedReader | BytesIO) -> tuple[dict[str, Any], dict[str, Array]]:
    start = file.read(4)
    if not start:
        raise FileError(f"{path}: the file is empty")
    if start != b"PK\x03\x04":
        raise FileError(f"{path}: not an {kind} file")
    members = by_name(read_members(file))
    if "header" not in members:
        raise ForeignFile("it has no header")
    if members["header"].size > MAX_HEADER + MAX_NPY_HEADER:
        raise ForeignFile(f"its header has {members['header'].size:,} bytes, expected at most {MAX_HEADER:,}")
    header = read_header(path, kind, read_array(file, members.pop("header"), ["uint8"]))
    return header, {name: read_array(file, member, DTYPES) for name, member in members.items()}


def by_name(members: list[Member]) -> dict[str, Member]:
    """The members by the names of their arrays, each of which there must be once."""
    found: dict[str, Member] = {}
    for member in members:
        name = member.name.removesuffix(".npy")
        if name == member.name or not ARRAY_NAME.fullmatch(name):
            raise ForeignFile(f"it has a member {member.name!r}, expected names such as 'W1.npy'")
        if name in found:
            raise ForeignFile(f"it has two members {member.name!r}")
        found[name] = member
    return found


def read_header(path: Path, kind: str, array: Array) -> dict[str, Any]:
    try:
        header = json.loads(
            array.tobytes().decode(),
            object_pairs_hook=without_repeats,
            parse_int=whole_number,
            parse_float=finite_number,
            parse_constant=finite_number,
        )
    except (ValueError, RecursionError) as error:
        raise ForeignFile(f"its header is not JSON as mlp writes it: {error}") from None
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


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"key {quoted(key)} is repeated")
    return found


def whole_number(text: str) -> int:
    """An integer of the header; the longest, of 128 bits, are the state of a generator of random numbers."""
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a whole number of {len(text):,} digits")
    return int(text)


def finite_number(text: str) -> float:
    """A float of the header, or one of the words NaN, Infinity and -Infinity."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{quoted(text)} is not a finite number")
    return number


def check_arrays(path: Path, arrays: Mapping[str, Array], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse, by name, arrays that are missing, unknown, of a wrong shape, not floats, or not finite."""
    for what, names in (("missing", expected.keys() - arrays.keys()), ("unknown", arrays.keys() - expected.keys())):
        if names:
            raise FileError(f"{path}: {what} array {listed(sorted(names))}")
    for name, shape in expected.items():
        found = arrays[name]
        if found.shape != shape:
            raise FileError(f"{path}: array {name!r} has shape {found.shape}, expected {shape}")
        if found.dtype.kind != "f":
            raise FileError(f"{path}: array {name!r} has dtype {found.dtype}, expected floats")
        if not np.isfinite(found).all():
            raise FileError(f"{path}: array {name!r} holds values that are not finite")

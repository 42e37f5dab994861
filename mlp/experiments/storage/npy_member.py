"""A member of a stored zip as an array: the `.npy` format, refused before memory is taken unless its numbers agree."""

from __future__ import annotations

import io
import math
import warnings
import zlib
from collections.abc import Collection
from io import BufferedReader, BytesIO
from typing import Any

import numpy as np

from mlp.experiments.storage.stored_zip import DamagedFile, ForeignFile, Member
from mlp.types import Array

MAX_NPY_HEADER = 512  # bytes; NumPy writes 128
MAX_DIMENSIONS = 32  # which every NumPy can hold


def read_array(file: BufferedReader | BytesIO, member: Member, dtypes: Collection[str]) -> Array:
    """The array, writable and with memory of its own, in the byte order of this machine.

    `dtypes` are the names of those that it may have, and none of them is "object": nothing is unpickled. Raises
    ForeignFile for another dtype or a shape that is none, DamagedFile when the bytes that are there are not as many as
    shape and dtype need, or not those of the checksum.
    """
    file.seek(member.start)
    head = file.read(min(member.size, MAX_NPY_HEADER))
    shape, fortran_order, dtype, length = read_npy_header(member.name, head)
    if dtype.name not in dtypes:
        raise ForeignFile(f"array {member.name!r} has dtype {dtype}, expected {' or '.join(dtypes)}")
    if len(shape) > MAX_DIMENSIONS or not all(type(n) is int and n > 0 for n in shape):
        raise ForeignFile(f"array {member.name!r} has shape {shape}, expected at most {MAX_DIMENSIONS} numbers above 0")
    needed, there = math.prod(shape) * dtype.itemsize, member.size - length
    if needed != there:
        raise DamagedFile(f"array {member.name!r} of {dtype} and shape {shape} takes {needed:,} bytes, got {there:,}")
    array = np.empty(shape, dtype, order="F" if fortran_order else "C")
    content = array.ravel(order="K").view(np.uint8).data  # the array's own memory, as bytes
    file.seek(member.start + length)
    file.readinto(content)
    if zlib.crc32(content, zlib.crc32(head[:length])) != member.crc:
        raise DamagedFile(f"checksum of {member.name!r}")
    return array.astype(dtype.newbyteorder("="), copy=False)


def read_npy_header(name: str, head: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, Fortran order and dtype from the start of a `.npy` file, and how many bytes they took."""
    file = io.BytesIO(head)
    try:
        with warnings.catch_warnings(action="error"):  # NumPy warns of what only others write
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("not of version 1.0")
            shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    except Exception as error:  # a literal is evaluated and a dtype made of it: errors of a dozen kinds
        raise DamagedFile(f"array {name!r} has no .npy header: {error}") from None
    return shape, fortran_order, dtype, file.tell()

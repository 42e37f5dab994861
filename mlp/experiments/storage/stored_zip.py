"""The directory of a zip file whose members are stored as they are, one after another; every other zip is refused.

Python's zipfile is made to open whatever can be opened: it reads a directory of any length, takes members that overlap,
unpacks a thousand bytes from one, and does some of this differently in every version. In a file from a stranger each
is a way to take more memory than the file has bytes. Here the members fill the file from its first byte to its
directory, so that all of them together are never larger than the file. The layout is that of the .ZIP File Format
Specification (APPNOTE), sec. 4.3 and 4.5.3, as far as our writer uses it.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, NamedTuple

MAX_MEMBERS = 60_000  # Adam's checkpoint has 8 arrays a layer, and a config has room for 6,700 layers
LOCAL = struct.Struct("<4s5H3L2H")  # before each member
ENTRY = struct.Struct("<4s6H3L5H2L")  # of each member, in the directory
END64 = struct.Struct("<4sQ2H2L4Q")  # after a directory that starts beyond 2 GiB
LOCATOR = struct.Struct("<4sLQL")  # after that: where it is
END = struct.Struct("<4s4H2LH")  # at the end of the file
BEYOND = 0xFFFFFFFF  # stands for a number that needs more than 32 bits: the extra field has it


class DamagedFile(ValueError):
    """A file whose parts do not fit together."""


class ForeignFile(ValueError):
    """A file that may be whole, but that our writer does not write."""


class Member(NamedTuple):
    """`size` bytes from `start` on, whose CRC-32 is `crc`."""

    name: str
    start: int
    size: int
    crc: int


class Entry(NamedTuple):
    """What the directory says about a member; `place` is where its local header starts."""

    name: bytes
    place: int
    size: int
    crc: int


def read_members(file: BinaryIO) -> list[Member]:
    """The members of a zip file, in order; of their content nothing is read.

    Raises ForeignFile for more than MAX_MEMBERS members and for encrypted or compressed ones. Raises DamagedFile when
    the directory is not at the end of the file, when a member is not where the one before it ends, or when what the
    directory says is not what stands before the member.
    """
    start, end, count = find_directory(file)
    if count > MAX_MEMBERS:
        raise ForeignFile(f"it has {count:,} members, expected at most {MAX_MEMBERS:,}")
    file.seek(start)
    entries = [read_entry(file) for _ in range(count)]
    if file.tell() != end:
        raise DamagedFile(f"its directory is not that of {count} members")
    if sum(entry.size for entry in entries) > start:
        raise DamagedFile("its members have more bytes than it has")
    members = []
    place = 0
    for entry in entries:
        members.append(locate(file, entry, place))
        place = members[-1].start + entry.size
    if place != start:
        raise DamagedFile(f"its members end at byte {place:,}, but its directory starts at {start:,}")
    return members


def find_directory(file: BinaryIO) -> tuple[int, int, int]:
    """Where the directory starts and ends, and how many members it says there are."""
    size = file.seek(0, os.SEEK_END)
    longest = END64.size + LOCATOR.size + END.size
    file.seek(max(0, size - longest))
    tail = file.read(longest).rjust(longest, b"\0")
    signature, _, _, _, count, length, start, comment = END.unpack(tail[-END.size :])
    end = size - END.size
    if signature != b"PK\5\6" or comment:
        raise DamagedFile("it has no directory at its end")
    if start + length != end and tail.startswith(b"PK\6\6"):
        count, length, start = END64.unpack(tail[: END64.size])[-3:]
        end -= END64.size + LOCATOR.size
    if start + length != end:
        raise DamagedFile("its directory is not where it says")
    return start, end, count


def read_entry(file: BinaryIO) -> Entry:
    """The next entry of the directory, of a member that is neither encrypted nor compressed."""
    signature, _, _, flags, method, _, _, crc, packed, size, *lengths, _, _, _, place = ENTRY.unpack(
        read(file, ENTRY.size)
    )
    if signature != b"PK\1\2":
        raise DamagedFile("its directory has fewer members than it says")
    name, extra, _ = (read(file, length) for length in lengths)
    size, packed, place = long_numbers(extra, size, packed, place)
    if flags:
        raise ForeignFile(f"member {named(name)} is encrypted or streamed (flags {flags:#x}), expected neither")
    if method or packed != size:
        raise ForeignFile(
            f"member {named(name)} is compressed, expected members as they are (np.savez, not np.savez_compressed)"
        )
    return Entry(name, place, size, crc)


def long_numbers(extra: bytes, *numbers: int) -> list[int]:
    """The numbers, with those that are BEYOND taken from the extra field, in order; it must start with them."""
    beyond = numbers.count(BEYOND)
    if not beyond:
        return list(numbers)
    if extra[:4] != struct.pack("<HH", 1, 8 * beyond) or len(extra) < 4 + 8 * beyond:
        raise DamagedFile("a size is missing in its directory")
    long = iter(struct.unpack_from(f"<{beyond}Q", extra, 4))
    return [next(long) if number == BEYOND else number for number in numbers]


def locate(file: BinaryIO, entry: Entry, place: int) -> Member:
    """The member of an entry, which must be at `place` and have there what the directory says of it."""
    if entry.place != place:
        raise DamagedFile(f"member {named(entry.name)} starts at byte {entry.place:,}, expected {place:,}")
    file.seek(place)
    signature, _, flags, method, _, _, crc, _, _, name_length, extra_length = LOCAL.unpack(read(file, LOCAL.size))
    name = read(file, name_length)
    if (signature, flags, method, crc, name) != (b"PK\3\4", 0, 0, entry.crc, entry.name):
        raise DamagedFile(f"member {named(entry.name)} is not what the directory says")
    return Member(name.decode("ascii", "backslashreplace"), file.tell() + extra_length, entry.size, crc)


def read(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise DamagedFile("it ends too early")
    return content


def named(name: bytes) -> str:
    return repr(name[:60].decode("ascii", "backslashreplace"))

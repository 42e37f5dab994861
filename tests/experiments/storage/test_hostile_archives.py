"""Archives that a stranger made: each loads or is refused, runs nothing, and takes memory as its bytes do."""

import contextlib
import io
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from model_files import Planted, contents, npy_bytes, refusal, rewrite

from mlp.errors import FileError
from mlp.experiments.model import load_model


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members, *, end=(), before=b"", between=b"", after=b""):
    """A zip of (name, content, lies): by itself what NumPy writes, but any field can be a lie.

    A lie about "local_..." is told before the member, one about "directory_..." in the directory, others in both;
    `end` are lies in the last record.
    """
    body, directory = bytearray(before), bytearray()
    for name, content, lies in members:
        true = {"name": name, "flags": 0, "method": 0, "crc": zlib.crc32(content), "extra": b"", "place": len(body)}
        true |= {"packed": len(content), "size": len(content)}
        body += fields(b"PK\3\4", told(true, lies, "local")) + content + between
        directory += fields(b"PK\1\2", told(true, lies, "directory"))
    last = {"count": len(members), "length": len(directory), "start": len(body), "comment": b""} | dict(end)
    count, length, start, comment = last.values()
    record = b""
    if count > 0xFFFF:
        record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, start)
        record += struct.pack("<4sLQL", b"PK\6\7", 0, start + length, 1)
        count = 0xFFFF
    record += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, length, start, len(comment))
    return bytes(body + directory) + record + comment + after


def told(true, lies, where):
    here = {key.removeprefix(f"{where}_"): value for key, value in lies.items()}
    return true | {key: value for key, value in here.items() if key in true}


def fields(signature, told):
    """The record before a member or, longer, in the directory."""
    name = told["name"].encode()
    inside = signature == b"PK\1\2"
    numbers = [told[key] for key in ("crc", "packed", "size")]
    record = signature + bytes([20, 0] * (1 + inside)) + struct.pack("<2HL", told["flags"], told["method"], 33 << 16)
    record += struct.pack("<3L2H", *numbers, len(name), len(told["extra"]))
    record += struct.pack("<3H2L", 0, 0, 0, 0, told["place"]) if inside else b""
    return record + name + told["extra"]


def npy(text, data=b"", version=(1, 0), length=None):
    """A `.npy` file with any header."""
    text = text.encode("latin1")
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(text) if length is None else length) + text + data


def described(shape="(3, 2)", descr="'<f4'", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


@pytest.fixture
def write(run):
    """Write model.npz: the members of the run's model, some of them changed, as (name, content, lies)."""
    good = members_of(run / "model.npz")

    def write_members(changes=(), more=(), **outside):
        members = [(name, content, {}) for name, content in (good | dict(changes)).items()]
        Path("model.npz").write_bytes(packed([*members, *more], **outside))
        return "model.npz"

    return write_members


def lying(name, **lies):
    """The model's members with lies about one of them."""
    return lambda good: packed([(n, content, lies if n == name else {}) for n, content in good.items()])


def joined(more, **outside):
    return lambda good: packed([*((name, content, {}) for name, content in good.items()), *more], **outside)


def compressed(good):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (good | {"W1.npy": npy_bytes(np.zeros((3, 1_000_000), np.float32))}).items():
            archive.writestr(name, content)
    assert len(buffer.getvalue()) < 20_000  # of 12 MB
    return buffer.getvalue()


def overlapping(good):
    """Twenty members of a megabyte each in a file of one megabyte: the directory names one place for all of them."""
    content = npy_bytes(np.zeros(250_000, np.float32))
    body = packed([("x00.npy", content, {})])
    start = body.rindex(b"PK\1\2")
    entry, end = body[start:-22], body[-22:]
    entries = b"".join(entry.replace(b"x00", b"x%02d" % number) for number in range(20))
    return body[:start] + entries + end[:8] + struct.pack("<2HLL", 20, 20, 20 * len(entry), start) + end[20:]


def twice_the_same(good):
    """The second member is at the place of the first, and bytes that no member has make up for it."""
    [(name, content), *others] = good.items()
    where = {"directory_place": 0}
    return packed([(name, content, {}), (name, content, where), *((name, content, {}) for name, content in others)])


MANY = [("x.npy", b"", {})] * 100_000
EXTRA = struct.pack("<HH2Q", 1, 16, 2**62, 2**62)
DAMAGED = "damaged or cut short"
ATTACKS = {
    "a zip bomb": (compressed, "'header.npy' is compressed"),
    "one compressed member": (lying("W1.npy", method=8), "'W1.npy' is compressed"),
    "a size that unpacks to more": (lying("W1.npy", size=2**30), "'W1.npy' is compressed"),
    "an encrypted member": (lying("W1.npy", flags=1), "'W1.npy' is compressed or encrypted"),
    "another name where the member is": (lying("W1.npy", local_name="W2.npy"), DAMAGED),
    "a wrong checksum": (lying("W1.npy", crc=1), "damaged or cut short (Bad CRC-32 for file 'W1.npy')"),
    "a size that is too small": (lying("W1.npy", size=100, packed=100), DAMAGED),
    "a size that is too large": (lying("W1.npy", size=10**6, packed=10**6), "its members have more bytes than it has"),
    "a size of 4 EiB": (
        lying("W1.npy", size=2**32 - 1, packed=2**32 - 1, directory_extra=EXTRA),
        "its members have more bytes than it has",
    ),
    "a size that is nowhere": (lying("W1.npy", size=2**32 - 1, packed=2**32 - 1), DAMAGED),
    "a size that is cut short": (
        lying("W1.npy", size=2**32 - 1, packed=2**32 - 1, directory_extra=EXTRA[:12]),
        DAMAGED,
    ),
    "overlapping members": (overlapping, "its members have more bytes than it has"),
    "a member twice": (twice_the_same, "it has two members 'header.npy'"),
    "two members of one name": (joined([("W1.npy", npy_bytes(np.ones((3, 2))), {})]), "it has two members 'W1.npy'"),
    "40,000 members": (lambda good: packed(MANY[:40_000]), "it has 40,000 members, expected at most 20,000"),
    "100,000 members": (lambda good: packed(MANY), "its directory has 5,100,000 bytes, expected at most 2,560,000"),
    "100,000 members that call themselves 7": (
        lambda good: packed(MANY, end={"count": 7}),
        "its directory has 5,100,0",
    ),
    "a program before the members": (joined([], before=b"#!/bin/sh\n"), "not an mlp model file"),
    "a member that starts with something else": (
        lambda good: b"PK\3\5".join(joined([])(good).rsplit(b"PK\3\4", 1)),
        DAMAGED,
    ),
    "a directory entry that is none": (lambda good: joined([])(good).replace(b"PK\1\2", b"PK\1\3", 1), DAMAGED),
    "a directory beyond the end": (joined([], end={"start": 2**32 - 2}), DAMAGED),
    "a directory of 4 GiB": (joined([], end={"length": 2**32 - 2}), DAMAGED),
    "a header of 17 MB": (
        lambda good: packed([("header.npy", bytes(17_000_000), {})]),
        "its header has 17,000,000 bytes, expected at most 16,777,216",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_zip_that_lies_is_refused_before_memory_is_taken(run, attack):
    make, words = ATTACKS[attack]
    Path("model.npz").write_bytes(make(members_of(run / "model.npz")))
    assert words in refusal(most=50_000_000 if "000 members" in attack else 1_000_000)


def test_a_directory_takes_no_more_memory_than_that_of_the_most_members(run):
    """Half a kB for each of 46 bytes, which is why its bytes are bounded, whatever it says about their number."""
    entry = packed([("x.npy", b"", {})], end={"count": 0})
    start = entry.index(b"PK\1\2")
    directory = entry[start:-22] * 49_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(directory), start, 0)
    Path("model.npz").write_bytes(entry[:start] + directory + end)
    assert "it has 49,000 members" in refusal(most=50_000_000)


HARMLESS = {
    "a comment": joined([], end={"comment": b"hello"}),
    "bytes between the members": lambda good: packed([(n, c, {}) for n, c in good.items()], between=b"gap"),
    "a flag that only the member has": lying("W1.npy", local_flags=1),
    "a method that only the member says": lying("W1.npy", local_method=8),
    "a checksum that only the member says": lying("W1.npy", local_crc=1),
    "a count that is not that of the members": joined([], end={"count": 8}),
}


@pytest.mark.parametrize("oddity", HARMLESS)
def test_a_zip_that_is_odd_is_the_same_model(run, oddity):
    Path("model.npz").write_bytes(HARMLESS[oddity](members_of(run / "model.npz")))
    assert load_model("model.npz").to_bytes() == (run / "model.npz").read_bytes()


def test_what_the_attacks_change_is_a_good_model(run, write):
    assert load_model(write()).to_bytes() == (run / "model.npz").read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        *("../W9.npy", "/W9.npy", "a/W9.npy", "..\\W9.npy", "C:W9.npy", "W9.npy\n", "W9", "W9.pkl"),
        *("", ".npy", "..npy", "W..9.npy", ".W9.npy", "W9..npy", "W 9.npy", "W9.NPY", "\x1b[31mW9.npy", "\uff379.npy"),
    ],
    ids=repr,
)  # fmt: skip
def test_members_are_called_as_arrays_are(write, name):
    line = refusal(write(more=[(name, npy_bytes(np.ones(3)), {})]))
    assert "not an mlp model file: it has a member '" in line
    assert not Path("../W9.npy").exists()


FLOATS = np.ones((3, 2), np.float32).tobytes()
TIB = str(2**40)
NO_NPY = "no .npy header"
NPY_ATTACKS = {
    "TiB without data": (npy(described(f"({TIB},)")), f"shape ({TIB},) takes {2**42:,} bytes, got 0"),
    "TiB with some data": (npy(described(f"({TIB},)"), FLOATS), f"takes {2**42:,} bytes, got 24"),
    "one row too many": (npy(described("(4, 2)"), FLOATS), "takes 32 bytes, got 24"),
    "one row too few": (npy(described("(2, 2)"), FLOATS), "takes 16 bytes, got 24"),
    "a number too many": (npy(described(), FLOATS + b"1234"), "takes 24 bytes, got 28"),
    "2^32 x 2^32": (npy(described(f"({2**32}, {2**32})")), f"takes {2**66:,} bytes, got 0"),
    "a size beyond 64 bits": (npy(described(f"({2**64}, 2)"), FLOATS), f"takes {2**67:,} bytes, got 24"),
    "a size of 400 digits": (npy(described(f"({'9' * 400},)"), FLOATS), "bytes, got 24"),
    "a negative size": (npy(described("(-3, 2)"), FLOATS), "has shape (-3, 2)"),
    "two negative sizes": (npy(described("(-3, -2)"), FLOATS), "has shape (-3, -2)"),
    "no size": (npy(described("(0, 2)")), "has shape (0, 2)"),
    "no size by a large one": (npy(described(f"(0, {10**30})")), "has shape (0, "),
    "a true size": (npy(described("(True, 6)"), FLOATS), "has shape (True, 6)"),
    "sixty sizes": (npy(described("(3, 2, " + "1, " * 58 + ")"), FLOATS), "expected at most 32 numbers"),
    "a size that is no whole number": (npy(described("(3.0, 2)"), FLOATS), NO_NPY),
    "a size of Python 2": (npy(described("(3L, 2L)"), FLOATS), NO_NPY),
    "a size that is no tuple": (npy(described("6"), FLOATS), NO_NPY),
    "objects": (npy(described(descr="'|O'"), pickle.dumps(Planted())), "has dtype object, expected float16 or"),
    "objects by another name": (npy(described("()", descr="'O'"), pickle.dumps(Planted())), "has dtype object"),
    "an object as the header": (npy(described("()", descr="'|O'"), pickle.dumps(Planted())), "has dtype object"),
    "a structure": (npy(described(descr="[('a', '<f2'), ('b', '<f2')]"), FLOATS), "has dtype [('a', '<f2'), ('b'"),
    "a structure in one word": (npy(described(descr="'<f2,<f2'"), FLOATS), "has dtype [('f0', '<f2'), ('f1'"),
    "a structure of objects": (npy(described(descr="[('a', 'O')]"), pickle.dumps(Planted())), "has dtype [('a', 'O')]"),
    "pairs": (npy(described("(3,)", descr="'(2,)<f4'"), FLOATS), "has dtype ('<f4', (2,))"),
    "complex": (npy(described("(3,)", descr="'<c8'"), FLOATS), "has dtype complex64"),
    "booleans": (npy(described("(24,)", descr="'|b1'"), FLOATS), "has dtype bool"),
    "short integers": (npy(described(descr="'<i4'"), FLOATS), "has dtype int32"),
    "bytes": (npy(described("(24,)", descr="'|u1'"), FLOATS), "has dtype uint8"),
    "raw bytes": (npy(described(descr="'|V4'"), FLOATS), "has dtype |V4"),
    "text": (npy(described(descr="'<U1'"), FLOATS), "has dtype <U1"),
    "dates": (npy(described("(3,)", descr="'<M8[s]'"), FLOATS), "has dtype datetime64[s]"),
    "two gigabytes an item": (npy(described("(1,)", descr="'|V2000000000'")), "has dtype |V2000000000"),
    "no dtype": (npy(described(descr="'nonsense'"), FLOATS), NO_NPY),
    "a number for a dtype": (npy(described(descr="[5]"), FLOATS), NO_NPY),
    "an order that is neither": (npy(described(order="2"), FLOATS), NO_NPY),
    "another key": (npy(described()[:-2] + "'x': 1}", FLOATS), NO_NPY),
    "nothing": (b"", NO_NPY),
    "no magic": (b"X" + npy(described(), FLOATS), NO_NPY),
    "half a header": (npy(described(), length=400), NO_NPY),
    "a header of 60 kB": (npy(described() + " " * 60_000, FLOATS), NO_NPY),
    "a header of version 2": (npy("\0\0" + described(), FLOATS, version=(2, 0), length=len(described())), NO_NPY),
    "a header of version 9": (npy(described(), FLOATS, version=(9, 9)), NO_NPY),
    "code": (npy("__import__('os').mkdir('planted')", FLOATS), NO_NPY),
    "brackets": (npy("[" * 450, FLOATS), NO_NPY),
    "signs": (npy("-" * 450 + "1", FLOATS), NO_NPY),
    "a pickle": (pickle.dumps(Planted()), NO_NPY),
    "two megabytes of nothing": (bytes(2_000_000), NO_NPY),
}  # fmt: skip


@pytest.mark.filterwarnings("default")  # as for a person: a warning of NumPy's alone refuses nothing
@pytest.mark.parametrize("attack", NPY_ATTACKS)
def test_an_array_that_cannot_be_right_is_refused_before_memory_is_taken(write, attack):
    content, words = NPY_ATTACKS[attack]
    name = "header.npy" if attack == "an object as the header" else "W1.npy"
    line = refusal(write({name: content}), most=400_000)
    assert words in line
    assert name in line
    assert not Path("planted").exists()


def test_the_array_that_the_attacks_change_is_a_good_one(write):
    W = load_model(write({"W1.npy": npy(described(), FLOATS)})).network.layers[0].W
    assert np.array_equal(W, np.ones((3, 2)))


def test_numbers_beyond_32_bits_are_read_where_the_format_puts_them(run, monkeypatch):
    header, arrays = contents(run / "model.npz")
    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZIP64_LIMIT", 100)  # the writer takes everything above for larger than 2 GiB
        rewrite("model.npz", header, arrays)
    whole = Path("model.npz").read_bytes()
    assert whole.count(b"PK\6\6") == whole.count(b"PK\6\7") == 1
    assert whole.count(struct.pack("<L", 2**32 - 1)) > 2 * len(arrays)
    assert load_model("model.npz").to_bytes() == (run / "model.npz").read_bytes() != whole
    for place in range(whole.index(b"PK\1\2"), len(whole)):
        Path("model.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with contextlib.suppress(FileError):
            assert load_model("model.npz").inputs == ("a", "b")

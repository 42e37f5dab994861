"""Make plain UTF-8 text of a table's file, whatever it is packed and encoded in, and refuse what is no text."""

from __future__ import annotations

import codecs
import gzip
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mlp.errors import DataError
from mlp.tables.reading import Reading

PIECE = 2**20  # bytes
FIRST = 512  # bytes, which show what a file is
CONTENT = {
    b"\x1f\x8b": "a gzip file: name it .gz, or unpack it",
    b"\x28\xb5\x2f\xfd": "a zstd file: name it .zst, or unpack it",
    b"PK\x03\x04": "a zip archive, or a spreadsheet: unpack it, or save it as CSV or Parquet",
    b"\xd0\xcf\x11\xe0": "a spreadsheet: save it as CSV or Parquet",
    b"PAR1": "a Parquet file: name it .parquet",
    b"ARROW1": "an Arrow file: save it as Parquet",
    b"SQLite format 3": "a database: save the table as CSV or Parquet",
    b"\x80\x04": "a pickle, which could run anything: save the table as CSV or Parquet",
    b"BZh": "a bzip2 file: unpack it",
    b"\xfd7zXZ": "an xz file: unpack it",
}
BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@contextmanager
def plain_text(source: str, path: Path | BinaryIO, reading: Reading) -> Iterator[Path]:
    """A file of UTF-8 text with what the table's file holds: the file itself where it is that already.

    Raises DataError for what is no text in the encoding that `reading` says, or that its first bytes say.
    """
    with tempfile.TemporaryDirectory() as folder:
        name = Path(folder) / "table"
        if not isinstance(path, Path):
            copy(path, name)
        elif not path.is_file():  # a pipe is read once
            with open(path, "rb") as pipe:
                copy(pipe, name)
        elif path.suffix == ".gz":
            unpack_gzip(source, path, name)
        elif path.suffix == ".zst":
            unpack_zstd(source, path, name)
        else:
            name = path
        with open(name, "rb") as file:
            first = file.read(FIRST)
        if what := next((words for start, words in CONTENT.items() if first.startswith(start)), None):
            raise DataError(f"{source}: is {what}")
        encoding = reading.encoding or next((each for bom, each in BOMS.items() if first.startswith(bom)), "utf-8")
        if encoding == "utf-16" and not first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16-be" if first[:1] == b"\0" else "utf-16-le"
        if encoding != "utf-8":
            name = transcode(source, name, Path(folder) / "text", encoding)
        yield name


def copy(file: BinaryIO, out: Path) -> None:
    with open(out, "wb") as to:
        shutil.copyfileobj(file, to)


def unpack_gzip(source: str, path: Path, out: Path) -> None:
    try:
        with gzip.open(path, "rb") as packed, open(out, "wb") as file:
            shutil.copyfileobj(packed, file, PIECE)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{source}: is not a whole gzip file ({error})") from None


def unpack_zstd(source: str, path: Path, out: Path) -> None:
    """Python has no zstd before 3.14, and DuckDB gives the lines of such a file."""
    from mlp.tables.duck import Problem, connect, literals, problem

    options = "auto_detect=false, header=false, delim='\x01', quote='', escape='', compression='zstd'"
    try:
        lines = connect().execute(f"FROM read_csv({literals([path])}, columns={{'line': 'VARCHAR'}}, {options})")
        with open(out, "w", encoding="utf-8", newline="") as file:
            while some := lines.fetchmany(10_000):
                file.writelines(f"{line or ''}\n" for (line,) in some)
    except Problem as error:
        raise DataError(f"{source}: is not a readable zstd file ({problem(error)})") from None


def transcode(source: str, path: Path, out: Path, encoding: str) -> Path:
    """A copy of a text in UTF-8."""
    try:
        with open(path, encoding=encoding, newline="") as text, open(out, "w", encoding="utf-8", newline="") as file:
            shutil.copyfileobj(text, file, PIECE)
    except UnicodeError as error:
        raise DataError(
            f"{source}: not {encoding.upper()[:6]} text ({error}); data.encoding says which it is"
        ) from None
    return out

"""Get MNIST, 70,000 images of handwritten digits, and write it as one table, data/mnist.npz.

The data are not the project's to ship (data/README.md), so whoever wants them fetches them:

    python scripts/get_mnist.py                    # from a public mirror
    python scripts/get_mnist.py --from downloads   # from files that are there already, as they are or as .gz

The table has the training images first and the test images after them, both in their own order:

    X      70000 x 784 bytes, one image a row: pixel (r, c) of 28 x 28 is column 28 r + c, 0 (paper) to 255 (ink)
    digit  70000 bytes, 0 to 9

Nothing is trusted but the SHA-256 of the four files as they are without compression, so that it makes no difference who
gave them or how they were packed; the official .gz files unpack to exactly these bytes. The table is written when all
four are right, in one step (`write_file`): whatever fails before leaves what was there.

Format of the files (IDX): two zero bytes, 8 for unsigned bytes, the number of dimensions, the length of each as a
32-bit number with its highest byte first, and then the values, the last dimension fastest.
"""

import gzip
import hashlib
import io
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import click
import numpy as np

from mlp.experiments.storage.files import write_file
from mlp.text import one_line
from mlp.types import Array

OUT = Path(__file__).resolve().parent.parent / "data/mnist.npz"
MIRRORS = (  # of PyTorch, and of the CVDF; the authors' own page has the files no longer (PyTorch pull request 164238)
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


class IdxFile(NamedTuple):
    """What a file must be: an array of bytes of this shape, and the SHA-256 of header and array."""

    shape: tuple[int, ...]
    sha256: str

    @property
    def header(self) -> bytes:
        return struct.pack(f">HBB{len(self.shape)}I", 0, 8, len(self.shape), *self.shape)

    @property
    def size(self) -> int:
        return len(self.header) + math.prod(self.shape)

    @property
    def most(self) -> int:
        """Bytes that no compressed form of it exceeds: incompressible data grow by five bytes in thousands."""
        return self.size + self.size // 100 + 1000


OFFICIAL = {  # images and labels to train on, then those to test on
    "train-images-idx3-ubyte": IdxFile(
        (60000, 28, 28), "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    ),
    "train-labels-idx1-ubyte": IdxFile((60000,), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": IdxFile(
        (10000, 28, 28), "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    ),
    "t10k-labels-idx1-ubyte": IdxFile((10000,), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}


class UnusableFile(ValueError):
    """A file that is not to be had, or not the official one, and why: one line, whatever a server answered."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def unpacked(content: bytes, size: int) -> bytes:
    """The content without gzip's compression, if it has that; of more than `size` bytes only one more."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            return file.read(size + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise UnusableFile(f"its compressed data are cut off or damaged ({error})") from None


def checked(content: bytes, file: IdxFile) -> Array:
    """The array in the content, compressed or not, of a file. Raises UnusableFile for content that is not `file`'s."""
    if len(content) > file.most:
        raise UnusableFile(f"it has more than {file.most:,} bytes, too many for {file.size:,}, compressed or not")
    content = unpacked(content, file.size)
    if not content.startswith(file.header):
        begin, expected = content[: len(file.header)].hex(), file.header.hex()
        raise UnusableFile(f"it begins with the bytes {begin or '(none)'}, expected {expected}")
    if len(content) != file.size:
        found = f"more than {file.size:,}" if len(content) > file.size else f"{len(content):,}"
        raise UnusableFile(f"it has {found} bytes when unpacked, expected {file.size:,}")
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != file.sha256:
        raise UnusableFile(f"its SHA-256 when unpacked is {sha256}, expected {file.sha256}")
    return np.frombuffer(content, np.uint8, offset=len(file.header)).reshape(file.shape)


def download(url: str, most: int, timeout: float) -> bytes:
    """What is at this address, up to one byte more than `most`. Raises UnusableFile when it cannot be had whole."""
    try:
        with urlopen(url, timeout=timeout) as response:
            content: bytes = response.read(most + 1)
            missing = response.length if len(content) <= most else 0
    except HTTPError as error:
        error.close()
        raise UnusableFile(f"HTTP {error.code} {error.reason}") from None
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, TimeoutError):
            raise UnusableFile(f"no answer for {timeout:g} s") from None
        raise UnusableFile(getattr(reason, "strerror", None) or str(reason) or type(reason).__name__) from None
    if missing:
        raise UnusableFile(f"cut off after {len(content):,} of {len(content) + missing:,} bytes")
    return content


def fetch(mirrors: Sequence[str], files: Mapping[str, IdxFile], timeout: float) -> list[Array]:
    """The arrays of all files from the first mirror that has them; the next one gives what that one could not.

    Raises click.ClickException, with the reason of each mirror, when something is missing after the last.
    """
    arrays: dict[str, Array] = {}
    reasons: list[str] = []
    for mirror in mirrors:
        for name in [name for name in files if name not in arrays]:
            url = f"{mirror.rstrip('/')}/{name}.gz"
            click.echo(url, err=True)
            try:
                arrays[name] = checked(download(url, files[name].most, timeout), files[name])
            except UnusableFile as error:
                reasons.append(f"{url}: {error}")
                break
    if len(arrays) < len(files):
        raise click.ClickException(
            f"no mirror gave what was missing: {'; '.join(reasons)}; try --mirror URL, or --from FOLDER with files "
            "from elsewhere"
        )
    for reason in reasons:
        click.echo(f"note: {reason}", err=True)
    return [arrays[name] for name in files]


def read(folder: Path, files: Mapping[str, IdxFile]) -> list[Array]:
    """The arrays of the files in a folder, each under its own name or with .gz after it.

    Raises click.ClickException, naming the file, when one is missing, cannot be read, or is not the official one.
    """
    arrays = []
    for name, file in files.items():
        places = [place for place in (folder / name, folder / f"{name}.gz") if place.exists()]
        if not places:
            raise click.ClickException(f"{folder / name}: no such file, nor {name}.gz")
        try:
            with places[0].open("rb") as opened:
                arrays.append(checked(opened.read(file.most + 1), file))
        except (OSError, UnusableFile) as error:
            raise click.ClickException(f"{places[0]}: {getattr(error, 'strerror', None) or error}") from None
    return arrays


def table_bytes(arrays: Sequence[Array]) -> bytes:
    """Images and labels to train on and images and labels to test on as one .npz file: equal arrays give equal bytes.

    It is not compressed: 55 MB are read many times for each time that they are written.
    """
    buffer = io.BytesIO()
    X = np.concatenate([images.reshape(len(images), -1) for images in arrays[0::2]])
    np.savez(buffer, X=X, digit=np.concatenate(arrays[1::2]))
    return buffer.getvalue()


def check_mirrors(context: click.Context, parameter: click.Parameter, urls: tuple[str, ...]) -> tuple[str, ...]:
    for url in urls:
        if not url.startswith(("https://", "http://")):
            raise click.BadParameter(f"{url!r}, expected an address that begins with https:// or http://")
    return urls


@click.command()
@click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Take the four files from this folder, as they are or as .gz, and fetch nothing.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=OUT,
    help="The .npz file to write.  [default: mnist.npz in the project's data folder]",
)
@click.option(
    "--mirror",
    "mirrors",
    metavar="URL",
    multiple=True,
    callback=check_mirrors,
    help="Fetch from here instead of the public mirrors; several are tried in turn.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds without an answer before the next mirror.",
)
def main(folder: Path | None, out: Path, mirrors: tuple[str, ...], timeout: float) -> None:
    """Get MNIST from a mirror or a folder, check it, and write it as a table of 70,000 rows."""
    if folder is not None and mirrors:
        raise click.UsageError("--from takes the files from a folder and --mirror from the network: give one of them")
    if out.suffix != ".npz":
        raise click.UsageError(f"--out {out}: expected a name that ends with .npz")
    arrays = read(folder, OFFICIAL) if folder is not None else fetch(mirrors or MIRRORS, OFFICIAL, timeout)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_file(out, table_bytes(arrays))
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    click.echo(f"{out}: {len(arrays[0])} training rows, then {len(arrays[2])} test rows; X is pixels, digit the target")


if __name__ == "__main__":
    main()

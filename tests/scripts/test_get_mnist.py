"""The MNIST script: what it makes of files from a server and from a folder, and that nothing else is ever left behind.

Small files of the same format stand for the official ones: 5 and 3 images of 4 x 3 pixels. Every failure is met twice,
with nothing there before and with a table that must stay.
"""

import gzip
import hashlib
import http.server
import importlib.util
import struct
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mlp.tables import read_table

PATH = Path(__file__).parents[2] / "scripts/get_mnist.py"
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
rng = np.random.default_rng(0)
IMAGES, LABELS = rng.integers(0, 256, (8, 4, 3), np.uint8), np.array([3, 1, 4, 1, 5, 9, 2, 6], np.uint8)
ARRAYS = dict(zip(NAMES, (IMAGES[:5], LABELS[:5], IMAGES[5:], LABELS[5:]), strict=True))


def idx(array, kind=8):
    return bytes([0, 0, kind, array.ndim]) + b"".join(struct.pack(">I", n) for n in array.shape) + array.tobytes()


RAW = {name: idx(array) for name, array in ARRAYS.items()}
PACKED = {f"{name}.gz": gzip.compress(content) for name, content in RAW.items()}


def load():
    spec = importlib.util.spec_from_file_location("get_mnist", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def script(monkeypatch):
    module = load()
    files = {name: module.IdxFile(a.shape, hashlib.sha256(RAW[name]).hexdigest()) for name, a in ARRAYS.items()}
    monkeypatch.setattr(module, "OFFICIAL", files)
    monkeypatch.setattr(module, "MIRRORS", ())  # no test reaches for the network
    monkeypatch.setenv("no_proxy", "*")
    return module


class Server(http.server.ThreadingHTTPServer):
    """Two mirrors, /a/ and /b/: `files` by their path; a value that is a function answers by itself."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        """Nothing: that a client has gone is what some tests are about."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.asked = []
        self.done = threading.Event()

    def mirror(self, name, **changed):
        """The address of a mirror with the four files, but for those `changed`, "_" standing for "-"; None: missing."""
        changed = {f"{key.replace('_', '-')}-ubyte.gz": content for key, content in changed.items()}
        assert changed.keys() <= PACKED.keys()
        for file, content in {**PACKED, **changed}.items():
            self.files[f"/{name}/{file}"] = content
        return f"http://127.0.0.1:{self.server_port}/{name}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        content = self.server.files.get(self.path)
        if callable(content):
            content(self)
        elif content is None:
            self.send_error(404)
        else:
            self.answer(len(content), content)

    def answer(self, length, content):
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.done.set()
        server.shutdown()
        thread.join()


def run(script, *arguments):
    done = CliRunner().invoke(script.main, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def check_table(path):
    """The table is that of the eight images, by its arrays and as `mlp` reads it."""
    with np.load(path) as arrays:
        assert sorted(arrays.files) == ["X", "digit"]
        assert arrays["X"].dtype == arrays["digit"].dtype == np.uint8
        assert np.array_equal(arrays["X"], IMAGES.reshape(8, 12))
        assert np.array_equal(arrays["digit"], LABELS)
    table = read_table(path, targets=["digit"], labels=True)
    assert table.X[6, 3 * 2 + 1] == IMAGES[6, 2, 1]
    assert table.Y[:, 0].tolist() == list("31415926")


def refused(script, tmp_path, *arguments, exit_code=1):
    """The one line of a failure that leaves nothing behind, and leaves alone what was there."""
    new, old = tmp_path / "new", tmp_path / "old"
    old.mkdir()
    (old / "mnist.npz").write_bytes(b"of before")
    lines = []
    for folder in (new, old):
        done = run(script, *arguments, "--out", folder / "mnist.npz")
        assert done.exit_code == exit_code, done.output
        assert done.stdout == ""
        lines += [line for line in done.stderr.splitlines() if not line.startswith("http")]
    assert not new.exists()
    assert [path.name for path in old.iterdir()] == ["mnist.npz"]
    assert (old / "mnist.npz").read_bytes() == b"of before"
    assert len(lines) == 2, lines
    assert lines[0] == lines[1]
    return lines[0]


def test_a_mirror_has_all_files(script, server, tmp_path):
    mirror = server.mirror("a")
    for name in ("one", "two"):  # the folder is made, and equal files give equal bytes
        done = run(script, "--mirror", mirror, "--out", tmp_path / name / "mnist.npz")
        assert done.exit_code == 0, done.output
        assert done.stdout == (
            f"{tmp_path / name / 'mnist.npz'}: 5 training rows, then 3 test rows; X is pixels, digit the target\n"
        )
        assert done.stderr.splitlines() == [f"{mirror}{file}.gz" for file in NAMES]
        assert [path.name for path in (tmp_path / name).iterdir()] == ["mnist.npz"]
    check_table(tmp_path / "one/mnist.npz")
    assert (tmp_path / "one/mnist.npz").read_bytes() == (tmp_path / "two/mnist.npz").read_bytes()


def test_the_next_mirror_gives_what_the_first_one_could_not(script, server, tmp_path):
    first, second = server.mirror("a", t10k_images_idx3=None), server.mirror("b", train_images_idx3=None).rstrip("/")
    done = run(script, "--mirror", first, "--mirror", second, "--out", tmp_path / "mnist.npz")
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines()[-1] == f"note: {first}t10k-images-idx3-ubyte.gz: HTTP 404 Not Found"
    assert server.asked == [f"/a/{name}.gz" for name in NAMES[:3]] + [f"/b/{name}.gz" for name in NAMES[2:]]
    check_table(tmp_path / "mnist.npz")


def test_a_file_that_the_server_sends_without_compression_is_as_good(script, server, tmp_path):
    mirror = server.mirror("a", train_images_idx3=RAW[NAMES[0]])
    assert run(script, "--mirror", mirror, "--out", tmp_path / "mnist.npz").exit_code == 0
    check_table(tmp_path / "mnist.npz")


def test_every_mirror_is_listed_with_its_reason(script, server, tmp_path):
    first, second = server.mirror("a", train_labels_idx1=None), server.mirror("b", train_labels_idx1=b"")
    third = "http://127.0.0.1:1"
    line = refused(script, tmp_path, "--mirror", first, "--mirror", second, "--mirror", third)
    assert line == (
        f"Error: no mirror gave what was missing: {first}train-labels-idx1-ubyte.gz: HTTP 404 Not Found; "
        f"{second}train-labels-idx1-ubyte.gz: it begins with the bytes (none), expected 0000080100000005; "
        f"{third}/train-labels-idx1-ubyte.gz: Connection refused; "
        "try --mirror URL, or --from FOLDER with files from elsewhere"
    )


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


IMAGE_FILE = RAW[NAMES[0]]
WRONG = {
    "a byte of the compressed data": (flipped(gzip.compress(IMAGE_FILE), -12), "its compressed data are cut off or"),
    "the end of the compressed data": (gzip.compress(IMAGE_FILE)[:-3], "its compressed data are cut off or damaged"),
    "all of the compressed data": (
        gzip.compress(b"")[:10] + b"\xff" * 30,
        "its compressed data are cut off or damaged",
    ),
    "more after it": (gzip.compress(IMAGE_FILE) + b"more", "its compressed data are cut off or damaged"),
    "a pixel": (flipped(IMAGE_FILE, 20), "its SHA-256 when unpacked is "),
    "a pixel, compressed": (gzip.compress(flipped(IMAGE_FILE, 75)), "its SHA-256 when unpacked is "),
    "the kind of numbers": (gzip.compress(idx(IMAGES[:5], kind=9)), "it begins with the bytes 00000903"),
    "another number of images": (gzip.compress(idx(IMAGES[:4])), "it begins with the bytes 0000080300000004"),
    "turned images": (
        gzip.compress(idx(IMAGES[:5].transpose(0, 2, 1))),
        "0000000300000004, expected 0000080300000005000000040000000",
    ),
    "labels": (PACKED["train-labels-idx1-ubyte.gz"], "it begins with the bytes 0000080100000005"),
    "a missing pixel": (gzip.compress(IMAGE_FILE[:-1]), "it has 75 bytes when unpacked, expected 76"),
    "one pixel more": (gzip.compress(IMAGE_FILE + b"\0"), "it has more than 76 bytes when unpacked, expected 76"),
    "two files in one": (gzip.compress(IMAGE_FILE) * 2, "it has more than 76 bytes when unpacked, expected 76"),
    "a page about an error": (b"<html>\n\x1b[31mno such thing</html>", "it begins with the bytes 3c68746d6c3e0a1b"),
    "far too much": (bytes(2000), "it has more than 1,076 bytes, too many for 76, compressed or not"),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_a_file_that_is_not_the_official_one_is_refused(script, server, tmp_path, content, message):
    mirror = server.mirror("a", train_images_idx3=content)
    line = refused(script, tmp_path, "--mirror", mirror)
    assert line.startswith(f"Error: no mirror gave what was missing: {mirror}train-images-idx3-ubyte.gz: it")
    assert message in line


def test_what_unpacks_to_gigabytes_is_not_unpacked(script):
    file = script.IdxFile((5, 4, 3), "")
    content = gzip.compress(bytes(10**7), 9) * 20
    with pytest.raises(script.UnusableFile, match="too many for 76"):
        script.checked(content, file)
    assert len(script.unpacked(content, 76)) == 77


def test_a_download_that_ends_early(script, server, tmp_path):
    content = PACKED["t10k-labels-idx1-ubyte.gz"]
    mirror = server.mirror("a", t10k_labels_idx1=lambda request: request.answer(len(content), content[:-9]))
    line = refused(script, tmp_path, "--mirror", mirror)
    assert f"t10k-labels-idx1-ubyte.gz: cut off after {len(content) - 9} of {len(content)} bytes;" in line


def test_a_server_that_does_not_answer_or_not_in_http(script, server, tmp_path):
    def late(request):
        server.done.wait(5)
        request.answer(len(PACKED[f"{NAMES[0]}.gz"]), PACKED[f"{NAMES[0]}.gz"])

    silent = server.mirror("a", train_images_idx3=late)
    other = server.mirror("b", train_images_idx3=lambda request: request.wfile.write(b"\x1b[31m of this\r\n"))
    line = refused(script, tmp_path, "--mirror", silent, "--mirror", other, "--timeout", 1)
    assert "a/train-images-idx3-ubyte.gz: no answer for 1 s; " in line
    assert "b/train-images-idx3-ubyte.gz: \\x1b[31m of this" in line


@pytest.mark.parametrize("files", [RAW, PACKED, {**RAW, **dict(list(PACKED.items())[:2])}], ids=["idx", "gz", "both"])
def test_files_from_a_folder(script, tmp_path, files):
    (tmp_path / "in").mkdir()
    for name, content in files.items():
        (tmp_path / "in" / name).write_bytes(content)
    done = run(script, "--from", tmp_path / "in", "--out", tmp_path / "mnist.npz")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    check_table(tmp_path / "mnist.npz")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t10k-labels-idx1-ubyte", None, "t10k-labels-idx1-ubyte: no such file, nor t10k-labels-idx1-ubyte.gz"),
        ("t10k-images-idx3-ubyte", flipped(RAW[NAMES[2]], 30), "t10k-images-idx3-ubyte: its SHA-256 when unpacked is "),
        ("train-labels-idx1-ubyte", RAW[NAMES[1]][:-1], "train-labels-idx1-ubyte: it has 12 bytes when unpacked, expe"),
        ("train-labels-idx1-ubyte", "folder", "train-labels-idx1-ubyte: Is a directory"),
    ],
)
def test_files_from_a_folder_that_are_not_right(script, tmp_path, name, content, message):
    (tmp_path / "in").mkdir()
    for each in NAMES:
        place = tmp_path / "in" / each
        if each != name:
            place.write_bytes(RAW[each])
        elif content == "folder":
            place.mkdir()
        elif content is not None:
            place.write_bytes(content)
    line = refused(script, tmp_path, "--from", tmp_path / "in")
    assert line.startswith(f"Error: {tmp_path / 'in'}/{message}")


def test_a_place_that_cannot_be_written_to(script, server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    done = run(script, "--mirror", server.mirror("a"), "--out", tmp_path / "file/mnist.npz")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == f"Error: {tmp_path / 'file'}: File exists"


def test_a_disk_that_is_full(script, server, tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    done = run(script, "--mirror", server.mirror("a"), "--out", tmp_path / "mnist.npz")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == f"Error: {tmp_path / 'mnist.npz'}: No space left on device"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mirror", "ftp://127.0.0.1/"], "expected an address that begins with https:// or http://"),
        (["--mirror", "http://127.0.0.1/", "--from", "."], "give one of them"),
        (["--out", "mnist.csv"], "--out mnist.csv: expected a name that ends with .npz"),
        (["--from", "nowhere"], "'nowhere' does not exist"),
    ],
)
def test_wrong_use(script, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = run(script, *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_the_official_files_are_those_of_the_data_readme():
    module = load()
    text = (PATH.parents[1] / "data/README.md").read_text("utf-8")
    assert tuple(module.OFFICIAL) == NAMES
    for name, file in module.OFFICIAL.items():
        assert f"| `{name}` | {file.size} | `{file.sha256}` |" in text
    assert all(mirror.startswith("https://") and mirror in text for mirror in module.MIRRORS)

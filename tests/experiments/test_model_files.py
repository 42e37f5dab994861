"""Model files: saved and loaded they predict the same to the last bit; damaged or foreign they are refused in one line.

Numbers in comments are those of the list of bad inputs that the project was checked against.
"""

import contextlib
import copy
import hashlib
import io
import json
import os
import pickle
import shutil
import struct
import threading
import tracemalloc
import zipfile
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from mlp import ACTIVATIONS, Activation, Layer, Network
from mlp.cli.commands import cli
from mlp.errors import DataError, FileError
from mlp.experiments import model as model_module
from mlp.experiments.model import KIND, Model, load_model
from mlp.experiments.storage import archive as archives
from mlp.experiments.storage.archive import archive_bytes, read_arrays
from mlp.losses import LOSSES
from mlp.tables import Table
from mlp.tables.columns import Classes, Scaler
from mlp.tables.targets import MulticlassTarget, MultilabelTarget, RegressionTarget

CONFIG = """
data: {path: d.csv, target: y}
task: classification
network: {layers: [{units: 3, activation: tanh}]}
optimizer: {name: sgd, momentum: 0.9}
training: {epochs: 2, batch_size: 4, seed: 0}
"""
TABLE = "a,b,y\n" + "".join(f"{i},{i * i % 7},{'pq'[i % 2]}\n" for i in range(12))

MODEL = ("model.npz", ["predict", "run", "d.csv"])
MODEL_BY_NAME = ("model.npz", ["evaluate", "run/model.npz", "d.csv"])
CHECKPOINT = ("last.npz", ["resume", "run", "--set", "training.epochs=4", "--no-plot"])
BOTH = pytest.mark.parametrize(("name", "command"), [MODEL, MODEL_BY_NAME, CHECKPOINT], ids=lambda value: value[0])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "c.yaml").write_text(CONFIG)
    (folder / "d.csv").write_text(TABLE)
    with contextlib.chdir(folder):
        result = CliRunner().invoke(cli, ["train", "c.yaml", "--out", "run", "--no-plot"])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(autouse=True)
def run(trained, tmp_path, monkeypatch):
    """A folder with a trained run of two epochs, "run"; the working directory of every test."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


@pytest.fixture
def refused(tmp_path):
    """Run a command that must fail in one line and change no file; returns the line."""

    def listing():
        paths = sorted(tmp_path.rglob("*"))
        return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "folder" for p in paths}

    def run_command(command):
        before = listing()
        result = CliRunner().invoke(cli, command)
        assert result.exit_code == 3, result.output
        assert result.output.count("\n") == 1, result.output
        assert "Traceback" not in result.output
        assert len(result.output) < 500
        assert listing() == before
        return result.output

    return run_command


def contents(path):
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return json.loads(arrays.pop("header").tobytes()), arrays


def rewrite(path, header, arrays):
    text = json.dumps(header).encode()
    np.savez(path, header=np.frombuffer(text, dtype=np.uint8), **arrays)


class Planted:
    """Unpickling it would make a folder."""

    def __reduce__(self):
        return os.mkdir, ("planted",)


# What comes back

CONFIG_DATA = {"path": "d.csv", "target": ["y"]}
PLAIN_CONFIG = {"data": CONFIG_DATA, "task": "classification", "network": {"layers": []}, "training": {"epochs": 1}}
NUMBERS = np.random.default_rng(0).normal(size=(50, 4)) * [1, 1e3, 1e-3, 1e12]
TARGETS = {
    "classes": ("softmax_cross_entropy", MulticlassTarget((Classes("y", ("01", "1.0", 'a, "b"', "c\nd", "é", " ")),))),
    "binary": ("logistic_cross_entropy", MultilabelTarget((Classes("u", ("0", "1")), Classes("名前", ("nein", "ja"))))),
    "quantities": ("squared_error", RegressionTarget(("p", "q"), Scaler(np.array([1e6, 0.1]), np.array([3.0, 1e-9])))),
}


NAMES = ("a", "größe", "c d", 'e"f,g')


def make_model(loss, target, activation="tanh", dtype=np.float32):
    rng = np.random.default_rng(1)
    sizes = [4, 5, 3, target.size]
    layers = [Layer.initialize(*pair, activation, rng=rng, dtype=dtype) for pair in pairwise(sizes)]
    for layer in layers:
        layer.b += rng.normal(size=layer.b.shape).astype(dtype)
    scaler = Scaler.fit(NUMBERS, NAMES)
    return Model(Network(layers), LOSSES[loss], NAMES, scaler, target, 7, copy.deepcopy(PLAIN_CONFIG))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("loss", "target"), TARGETS.values(), ids=TARGETS)
def test_a_loaded_model_predicts_the_same_to_the_last_bit(tmp_path, loss, target, activation, dtype):
    model = make_model(loss, target, activation, dtype)
    layers = model.network.layers
    model.save(tmp_path / "m.npz")
    loaded = load_model(tmp_path / "m.npz")
    before, after = model.predict(NUMBERS), loaded.predict(NUMBERS)
    assert list(before) == list(after)
    for name, column in before.items():
        assert column.dtype == after[name].dtype
        assert np.array_equal(column, after[name])
    assert (loaded.inputs, loaded.epoch, loaded.config, loaded.loss) == (NAMES, 7, PLAIN_CONFIG, LOSSES[loss])
    assert loaded.to_bytes() == model.to_bytes() == (tmp_path / "m.npz").read_bytes()
    for layer, same in zip(layers, loaded.network.layers, strict=True):
        assert (layer.g, layer.W.dtype) == (same.g, same.W.dtype)
        assert np.array_equal(layer.W, same.W)
        assert np.array_equal(layer.b, same.b)
    if isinstance(target, RegressionTarget):
        assert np.array_equal(target.scaler.mean, loaded.target.scaler.mean)
        assert np.array_equal(target.scaler.std, loaded.target.scaler.std)
    else:
        assert loaded.target == target  # labels as they were written


def test_a_model_moves_without_its_run(run, tmp_path):
    with_run = CliRunner().invoke(cli, ["predict", "run", "d.csv"]).output
    (run / "model.npz").rename(tmp_path / "moved.npz")
    for path in run.iterdir():
        path.unlink()
    alone = CliRunner().invoke(cli, ["predict", "moved.npz", "d.csv"])
    assert alone.exit_code == 0
    assert alone.output == with_run
    assert alone.output.count("\n") == 13


def test_a_model_needs_no_pickle(run):
    for name in ("model.npz", "last.npz"):
        with np.load(run / name, allow_pickle=False) as archive:
            assert all(archive[member].dtype.kind in "uif" for member in archive.files)


def test_saving_replaces_the_file_in_one_step_and_leaves_nothing_else(run):
    files = sorted(path.name for path in run.iterdir())
    model = load_model(run)
    model.save(run / "model.npz")
    assert sorted(path.name for path in run.iterdir()) == files
    assert load_model(run).inputs == model.inputs


def test_a_model_that_cannot_be_saved_leaves_the_old_file(run):
    before = (run / "model.npz").read_bytes()
    files = sorted(path.name for path in run.iterdir())
    model = load_model(run)
    model.config["not"] = {"JSON"}
    with pytest.raises(FileError, match=r"this model cannot be saved: config\.not: "):
        model.save(run / "model.npz")
    assert (run / "model.npz").read_bytes() == before
    assert sorted(path.name for path in run.iterdir()) == files


# 54: missing or damaged files


@BOTH
def test_a_missing_file_is_refused(run, refused, name, command):
    (run / name).unlink()
    line = refused(command)
    assert name in line
    assert "No such file" in line


@BOTH
def test_a_folder_is_refused(run, refused, name, command):
    (run / name).unlink()
    (run / name).mkdir()
    line = refused(command)
    assert name in line
    assert "is a directory" in line or "No such file" in line


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_what_is_no_run_is_refused(refused, tmp_path, command):
    (tmp_path / "nothing").mkdir()
    assert "No such file" in refused([command, "missing", "d.csv"])
    assert "nothing" in refused([command, "nothing", "d.csv"])
    assert "not an mlp model file" in refused([command, "d.csv", "d.csv"])
    assert "not an mlp model file" in refused([command, "run/last.npz", "d.csv"])


@BOTH
def test_an_empty_file_is_refused(run, refused, name, command):
    (run / name).write_bytes(b"")
    line = refused(command)
    assert name in line
    assert "empty" in line


@BOTH
def test_a_file_cut_short_at_any_length_is_refused(run, refused, name, command):
    whole = (run / name).read_bytes()
    lengths = {1, 2, 3, 4, 5, 22, 30, 64, len(whole) - 1, len(whole) - 2, len(whole) - 22, len(whole) - 60}
    for length in sorted(lengths | set(range(100, len(whole), 150))):
        (run / name).write_bytes(whole[:length])
        line = refused(command)
        assert name in line
        if length > 4:
            assert "damaged or cut short" in line


def test_a_model_cut_short_at_every_length_is_refused(tmp_path, run):
    whole = (run / "model.npz").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "cut.npz").write_bytes(whole[:length])
        with pytest.raises(FileError, match=r"cut\.npz"):
            load_model(tmp_path / "cut.npz")


@pytest.mark.parametrize("mask", [0xFF, 0x01])
def test_a_flipped_byte_is_refused_or_makes_no_difference(tmp_path, run, mask):
    whole = (run / "model.npz").read_bytes()
    wanted = load_model(run)
    X = np.arange(6.0).reshape(3, 2)
    answers = wanted.predict(X)
    refusals = 0
    for place in range(len(whole)):
        (tmp_path / "flipped.npz").write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
        try:
            found = load_model(tmp_path / "flipped.npz")
        except FileError:
            refusals += 1
            continue
        assert (found.inputs, found.target, found.config) == (wanted.inputs, wanted.target, wanted.config)
        for name, column in found.predict(X).items():
            assert np.array_equal(column, answers[name])
    assert refusals > len(whole) / 2  # the others are dates and the like, which nobody reads


@BOTH
def test_a_flipped_byte_in_an_array_is_refused(run, refused, name, command):
    whole = (run / name).read_bytes()
    _, arrays = contents(run / name)
    for array in arrays.values():
        place = whole.index(array.tobytes()) + 1
        (run / name).write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        line = refused(command)
        assert name in line
        assert "damaged" in line


def test_a_flipped_type_that_shortens_an_array_is_refused(tmp_path):
    names = tuple(map(str, range(100)))
    layers = [Layer(np.ones((60, 100), np.float32), np.ones((60, 1), np.float32), "tanh")]
    target = RegressionTarget(names[:60], Scaler.identity(60))
    Model(Network(layers), LOSSES["squared_error"], names, Scaler.identity(100), target).save(tmp_path / "m.npz")
    whole = (tmp_path / "m.npz").read_bytes()
    place = whole.index(b"<f4", whole.index(b"W1.npy")) + 2
    (tmp_path / "m.npz").write_bytes(whole[:place] + b"2" + whole[place + 1 :])  # ends before the checksum
    with pytest.raises(FileError, match=r"m\.npz"):
        load_model(tmp_path / "m.npz")


def test_a_model_that_cannot_be_read_leaves_the_answers_that_were_there(run, refused, tmp_path):
    (tmp_path / "answers.csv").write_text("older answers")
    (run / "model.npz").write_bytes(b"PK\x03\x04 and nothing more")
    refused(["predict", "run", "d.csv", "--out", "answers.csv"])


# 55: other kinds of files


def zip_bytes(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def npz_bytes(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy_bytes(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header_bytes(text):
    return np.frombuffer(text, dtype=np.uint8)


FOREIGN = {
    "text": lambda: TABLE.encode(),
    "one letter": lambda: b"P",
    "pickle": lambda: pickle.dumps(Planted()),
    "PNG": lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89",
    "npy": lambda: npy_bytes(np.ones((3, 2))),
    "npy of objects": lambda: npy_bytes(np.array([Planted()])),
    "zip without members": lambda: zip_bytes(),
    "zip that is no npz": lambda: zip_bytes(readme="hello"),
    "zip of a pickle": lambda: zip_bytes(**{"archive/data.pkl": pickle.dumps(Planted())}),  # as torch.save makes them
    "npz without a header": lambda: npz_bytes(X=np.ones((3, 2)), y=np.arange(3)),
    "npz with a header that is no array": lambda: zip_bytes(header=b'{"kind": "mlp model", "format_version": 1}'),
    "npz with a pickled header": lambda: npz_bytes(header=np.array([Planted()])),
    "npz with a header that is no JSON": lambda: npz_bytes(header=header_bytes(b"hello")),
    "npz with a header that is a list": lambda: npz_bytes(header=header_bytes(b"[1]")),
    "npz with a header that is deep": lambda: npz_bytes(header=header_bytes(b"[" * 100_000)),
    "npz with a header of one word": lambda: npz_bytes(header=header_bytes(b'"kind"')),
    "npz with a header of one number": lambda: npz_bytes(header=header_bytes(b"5")),
    "npz with a header without a kind": lambda: npz_bytes(header=header_bytes(b"{}")),
    "npz of another program": lambda: npz_bytes(header=header_bytes(b'{"kind": "other"}')),
    "npz with a header of numbers": lambda: npz_bytes(header=np.arange(3.0)),
}
BAD_HEADERS = {kind for kind in FOREIGN if kind.startswith("npz with a")}  # may as well be called damaged


@BOTH
@pytest.mark.parametrize("kind", FOREIGN)
def test_other_kinds_of_files_are_refused_and_never_unpickled(run, refused, tmp_path, name, command, kind):
    (run / name).write_bytes(FOREIGN[kind]())
    line = refused(command)
    assert name in line
    if kind not in BAD_HEADERS:
        assert "not an mlp" in line
    assert "pickle" not in line or kind == "npz with a pickled header"
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize("loads", [True, False])
def test_the_planted_pickle_does_what_it_says(tmp_path, loads):
    content = pickle.dumps(Planted())
    if loads:
        pickle.loads(content)
    assert (tmp_path / "planted").exists() == loads


def test_a_checkpoint_is_no_model_and_a_model_no_checkpoint(run, refused):
    model, checkpoint = (run / "model.npz").read_bytes(), (run / "last.npz").read_bytes()
    (run / "model.npz").write_bytes(checkpoint)
    assert "mlp checkpoint" in refused(MODEL[1])
    (run / "model.npz").write_bytes(model)
    (run / "last.npz").write_bytes(model)
    assert "mlp model" in refused(CHECKPOINT[1])


# 56: other versions of the format


@BOTH
@pytest.mark.parametrize("version", [1, 3, 99, 0, -1, None, "2", 2.0, True, [2]], ids=repr)
def test_other_versions_of_the_format_are_refused_with_both_versions(run, refused, name, command, version):
    header, arrays = contents(run / name)
    assert header["format_version"] == 2
    rewrite(run / name, header | {"format_version": version}, arrays)
    line = refused(command)
    for word in (name, f"format_version {version!r}", "this mlp reads 2", "install", "train again"):
        assert word in line


# 57: arrays that do not fit

WRONG = {
    "missing": lambda arrays, name: arrays.pop(name),
    "extra": lambda arrays, name: arrays.update({name + "0": np.ones(3, np.float32)}),
    "transposed": lambda arrays, name: arrays.update({name: np.ones((*arrays[name].shape[::-1], 1), np.float32)}),
    "empty": lambda arrays, name: arrays.update({name: arrays[name][:0]}),
    "integer": lambda arrays, name: arrays.update({name: arrays[name].astype(int)}),
    "complex": lambda arrays, name: arrays.update({name: arrays[name] * 1j}),
    "text": lambda arrays, name: arrays.update({name: arrays[name].astype(str)}),
    "nan": lambda arrays, name: arrays.update({name: np.where(arrays[name] == arrays[name].max(), np.nan, 1)}),
    "inf": lambda arrays, name: arrays.update({name: np.full_like(arrays[name], np.inf)}),
    "objects": lambda arrays, name: arrays.update({name: np.full(arrays[name].shape, Planted(), dtype=object)}),
}


@pytest.mark.parametrize("array", ["W1", "b1", "W2", "b2", "input_mean", "input_std"])
@pytest.mark.parametrize("wrong", WRONG)
def test_arrays_of_a_model_that_do_not_fit_are_named(run, refused, tmp_path, wrong, array):
    header, arrays = contents(run / "model.npz")
    WRONG[wrong](arrays, array)
    rewrite(run / "model.npz", header, arrays)
    line = refused(MODEL[1])
    assert "model.npz" in line
    assert array in line
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize("array", ["parameters.W1", "parameters.b2", "best.b1", "best.W2", "optimizer.velocity.W1"])
@pytest.mark.parametrize("wrong", WRONG)
def test_arrays_of_a_checkpoint_that_do_not_fit_are_named(run, refused, tmp_path, wrong, array):
    header, arrays = contents(run / "last.npz")
    WRONG[wrong](arrays, array)
    rewrite(run / "last.npz", header, arrays)
    line = refused(CHECKPOINT[1])
    assert "last.npz" in line
    assert array.removeprefix("optimizer.") in line
    assert not (tmp_path / "planted").exists()


def test_weights_and_biases_that_do_not_fit_each_other_are_named(run, refused):
    header, arrays = contents(run / "model.npz")
    arrays["W1"] = np.ones((4, 2), np.float32)
    rewrite(run / "model.npz", header, arrays)
    line = refused(MODEL[1])
    for word in ("'W1'", "(4, 2)", "(3, 2)"):
        assert word in line


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": ["a"]},
        {"inputs": None},
        {"layers": []},
        {"layers": "three"},
        {"layers": [{"n_in": 2, "n_out": 3, "activation": "tanh"}]},
        {"layers": [{"n_in": 2, "n_out": 3, "activation": "thanh"}, {"n_in": 3, "n_out": 2, "activation": "identity"}]},
        {"loss": "hinge"},
        {"target": {}},
        {"target": {"kind": "multiclass", "columns": []}},
        {"target": {"kind": "multiclass", "columns": [{"name": "y", "labels": ["p", "q", "r"]}]}},
        {"target": {"kind": "other", "columns": []}},
    ],
    ids=str,
)
def test_headers_that_do_not_fit_the_arrays_are_refused(run, refused, changes):
    header, arrays = contents(run / "model.npz")
    rewrite(run / "model.npz", header | changes, arrays)
    assert "model.npz" in refused(MODEL[1])


@pytest.mark.parametrize("key", ["layers", "loss", "inputs", "target", "epoch", "config"])
def test_a_header_without_one_of_its_keys_is_refused(run, refused, key):
    header, arrays = contents(run / "model.npz")
    del header[key]
    rewrite(run / "model.npz", header, arrays)
    line = refused(MODEL[1])
    assert "model.npz" in line
    assert key in line


@pytest.mark.parametrize("key", ["epoch", "best_epoch", "best_loss", "rng"])
@pytest.mark.parametrize("value", ["missing", "x"])
def test_the_state_of_a_run_that_does_not_fit_is_refused(run, refused, key, value):
    header, arrays = contents(run / "last.npz")
    if value == "missing":
        del header[key]
    else:
        header[key] = value
    rewrite(run / "last.npz", header, arrays)
    line = refused(CHECKPOINT[1])
    assert "last.npz" in line
    assert key in line or "rng" in key


def test_a_checkpoint_of_another_network_is_refused(run, refused, tmp_path):
    other = CONFIG.replace("units: 3", "units: 4")
    (tmp_path / "c.yaml").write_text(other)
    assert CliRunner().invoke(cli, ["train", "c.yaml", "--out", "other", "--no-plot"]).exit_code == 0
    rewrite(run / "last.npz", contents(run / "last.npz")[0], contents("other/last.npz")[1])
    line = refused(CHECKPOINT[1])
    for word in ("last.npz", "parameters.W1", "(4, 2)", "(3, 2)"):
        assert word in line


def test_a_run_goes_on_when_its_files_are_whole(run):
    result = CliRunner().invoke(cli, CHECKPOINT[1])
    assert result.exit_code == 0, result.output
    assert contents(run / "last.npz")[0]["epoch"] == 4


# 58: files that a stranger made: they load or are refused, and take no more memory than they have bytes


def refusal(path="model.npz", most=1_000_000):
    """The line that a model file is refused with, after no more than `most` bytes of memory."""
    tracemalloc.start()
    try:
        with pytest.raises(FileError) as caught:
            load_model(path)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert line.isprintable()
    assert len(line) <= 450
    return line


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


@pytest.mark.parametrize(
    "turn",
    [np.asfortranarray, lambda W: W.astype(W.dtype.newbyteorder(">")), lambda W: np.repeat(W, 2, axis=0)[::2]],
    ids=["Fortran order", "big-endian", "not contiguous"],
)
def test_weights_in_another_order_are_the_same_weights(run, turn):
    header, arrays = contents(run / "model.npz")
    rewrite("model.npz", header, {name: turn(array) for name, array in arrays.items()})
    model, wanted = load_model("model.npz"), load_model(run)
    for name, W in wanted.network.parameters().items():
        assert np.array_equal(model.network.parameters()[name], W)
    X = np.arange(6.0).reshape(3, 2)
    for name, column in wanted.predict(X).items():
        assert np.array_equal(column, model.predict(X)[name])
    for array in read_arrays(Path("model.npz"), KIND)[1].values():
        assert array.flags.writeable
        assert array.flags.owndata
        assert array.dtype.isnative


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


def within(seconds, function):
    """What a function that might wait for ever gives or raises."""
    found = []

    def call():
        try:
            found.append(function())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "still waiting"
    return found[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have no names on this system")
@BOTH
def test_a_pipe_is_refused_without_waiting(run, refused, name, command):
    (run / name).unlink()
    os.mkfifo(run / name)
    line = within(10, lambda: refused(command))
    assert isinstance(line, str), line
    assert name in line
    assert "is a pipe or a device" in line


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device on this system")
def test_a_device_is_refused(run):
    for path in ("/dev/zero", "zero.npz"):
        if path == "zero.npz":
            Path(path).symlink_to("/dev/zero")
        assert "is a pipe or a device, expected a file (mlp model)" in refusal(path)


def test_a_link_to_a_model_is_that_model(run, tmp_path):
    Path("link.npz").symlink_to(run / "model.npz")
    Path("folder").symlink_to(run)
    assert load_model("link.npz").to_bytes() == load_model("folder").to_bytes() == (run / "model.npz").read_bytes()
    (run / "model.npz").unlink()
    assert "No such file" in refusal("link.npz")


# Headers that a stranger made


def header_text(run):
    return contents(run / "model.npz")[1], json.dumps(contents(run / "model.npz")[0])


JSON_ATTACKS = {
    "NaN": (('"epoch": 2', '"epoch": NaN'), "epoch: expected"),
    "Infinity": (('"epoch": 2', '"epoch": Infinity'), "epoch: expected"),
    "minus Infinity": (('"epoch": 2', '"epoch": -Infinity'), "epoch: expected"),
    "1e999": (('"epoch": 2', '"epoch": 1e999'), "epoch: expected"),
    "a million digits": (('"epoch": 2', f'"epoch": {"9" * 10**6}'), "header is not JSON"),
    "41 digits": (('"epoch": 2', f'"epoch": {"9" * 41}'), "epoch: expected"),
    "a million nines": (('"epoch": 2', f'"epoch": 0.{"9" * 10**6}'), "epoch: expected a whole number"),
    "deep lists": (('"epoch": 2', f'"epoch": {"[" * 100_000}{"]" * 100_000}'), "recursion"),
    "deep mappings": (
        ('"epoch": 2', f'"epoch": {"{" + chr(34) + "a" + chr(34) + ":"}' * 100_000),
        "header is not JSON",
    ),
    "deep but not too deep": (('"epoch": 2', f'"epoch": {"[" * 300}{"]" * 300}'), "epoch: expected a whole number"),
    "a comment": (('"epoch": 2', '"epoch": 2 // two'), "header is not JSON"),
    "something after it": (("}}}}", "}}}} x"), "header is not JSON"),
    "half a surrogate pair": (('"a"', '"\\ud800"'), "inputs.0: expected text"),
    "a line end in a kind": (("mlp model", "mlp\\n\\u001b[31m"), "but an 'mlp\\n\\x1b[31m'"),
    "a kind of no kind": (('"mlp model"', '["mlp model"]'), "but an ['mlp model']"),
    "a long kind": (("mlp model", "x" * 10**6), "but an 'xxx"),
}


@pytest.mark.parametrize("attack", JSON_ATTACKS)
def test_a_header_that_mlp_would_not_write_is_refused(run, attack):
    (old, new), words = JSON_ATTACKS[attack]
    arrays, text = header_text(run)
    text += "" if old in text else old
    np.savez("model.npz", header=header_bytes(text.replace(old, new, 1).encode()), **arrays)
    assert words in refusal(most=20_000_000)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "latin1"])
def test_a_header_in_another_encoding_is_refused(run, encoding):
    arrays, text = header_text(run)
    np.savez("model.npz", header=header_bytes(text.replace('"a"', '"ä"').encode(encoding)), **arrays)
    assert "header is not JSON" in refusal()


WRONG_VALUES = [None, True, 0, -1, 1.5, 10**10, "", "x", "\ud800", [], [1], ["x", "x"], [[]], {}, {"a": 1}, [{"a": 1}]]
COUNTS, TEXT = "a whole number from", "expected text that is not empty"
FIELDS = {
    "layers": "layers",
    "layers.0": "layers.0",
    "layers.0.n_in": COUNTS,
    "layers.1.n_out": COUNTS,
    "layers.1.activation": "layers.1.activation: expected identity or",
    "loss": "loss: expected",
    "inputs": "inputs",
    "inputs.1": TEXT,
    "target": "target: expected a mapping",
    "target.kind": "target.kind: expected multiclass or multilabel or regression",
    "target.columns": "target.columns",
    "target.columns.0": "target.columns.0",
    "target.columns.0.name": TEXT,
    "target.columns.0.labels": "target.columns.0.labels",
    "target.columns.0.labels.1": TEXT,
    "target.names": "target.names",
    "target.names.1": TEXT,
    "epoch": "epoch: expected a whole number from 0",
    "config": "config",
    "config.data": "config.data",
    "config.data.path": "config.data.path",
    "config.data.target": "config.data.target",
    "config.data.inputs": "config.data.inputs",
    "config.data.delimiter": "config.data.delimiter",
    "config.data.header": "config.data.header",
    "config.training": "config.training",
    "config.more": "config.more",
    "more": "more: is unknown",
    "layers.0.more": "layers.0.more: is unknown",
    "target.more": "target.more: is unknown",
    "target.columns.0.more": "target.columns.0.more: is unknown",
}
GOOD = {
    "epoch": [0],
    "config": [None],
    "config.data.path": ["x"],  # a name that is not looked for
    "config.data.target": [0, -1, 10**10, "x", [1], ["x", "x"]],
    "config.data.inputs": [None, 0, -1, 10**10, "x", [1], ["x", "x"]],
    "config.data.delimiter": ["x"],
    "config.data.header": [None, True],
}
NAME_FIELDS = ("inputs.1", "target.columns.0.name", "target.columns.0.labels.1", "target.names.1")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_header_with_a_wrong_value_is_refused_and_the_key_is_named(target, field):
    make_model(*TARGETS[target]).save(Path("good.npz"))
    header, arrays = contents("good.npz")
    *above, last = (int(step) if step.isdecimal() else step for step in field.split("."))
    if ("names" if target != "quantities" else "columns") in [*above, last]:
        return
    place = header
    for step in above:
        place = place[step]
    for value in WRONG_VALUES:
        if isinstance(place, list):
            place[last] = value
        else:
            place |= {last: value}
        rewrite("model.npz", header, arrays)
        good = ["x"] if field in NAME_FIELDS else GOOD.get(field, [])
        if any(value is one or (type(value) is type(one) and value == one) for one in good):
            assert load_model("model.npz").inputs
            continue
        line = refusal()
        assert "the header does not describe a model: " in line, value
        assert FIELDS[field] in line, value


CONTRADICTIONS = {
    "a layer that does not fit the one below": (
        "classes",
        lambda header: header["layers"][1].update(n_in=4),
        "layers.1.n_in: is 4, but the layer below it has 5 outputs",
    ),
    "a column more than the network takes": (
        "classes",
        lambda header: header["inputs"].append("more"),
        "a network of 4 inputs and 6 outputs, but 5 input columns and 6 outputs for the target",
    ),
    "a label less than the network tells": (
        "classes",
        lambda header: header["target"]["columns"][0]["labels"].pop(),
        "a network of 4 inputs and 6 outputs, but 4 input columns and 5 outputs for the target",
    ),
    "a column of answers less": (
        "binary",
        lambda header: header["target"]["columns"].pop(),
        "4 inputs and 2 outputs, but 4 input columns and 1 outputs",
    ),
    "a quantity less": (
        "quantities",
        lambda header: header["target"]["names"].pop(),
        "4 inputs and 2 outputs, but 4 input columns and 1 outputs",
    ),
    "the loss of another kind of target": (
        "classes",
        lambda header: header.update(loss="logistic_cross_entropy"),
        "loss: expected softmax_cross_entropy, got 'logistic_cross_entropy'",
    ),
    "the loss of quantities for answers": (
        "binary",
        lambda header: header.update(loss="squared_error"),
        "loss: expected logistic_cross_entropy, got 'squared_error'",
    ),
    "the loss of classes for quantities": (
        "quantities",
        lambda header: header.update(loss="softmax_cross_entropy"),
        "loss: expected squared_error, got 'softmax_cross_entropy'",
    ),
    "an input twice": (
        "classes",
        lambda header: header["inputs"].__setitem__(1, "a"),
        "inputs: 'a' is listed 2 times",
    ),
    "a label twice": (
        "classes",
        lambda header: header["target"]["columns"][0]["labels"].__setitem__(1, "01"),
        "target.columns.0.labels: '01' is listed 2 times",
    ),
    "a column of answers twice": (
        "binary",
        lambda header: header["target"]["columns"][1].update(name="u"),
        "target.columns: 'u' is listed 2 times",
    ),
    "a quantity twice": (
        "quantities",
        lambda header: header["target"].update(names=["p", "p"]),
        "target.names: 'p' is listed 2 times",
    ),
    "a single class": (
        "classes",
        lambda header: header["target"]["columns"][0].update(labels=["x"]),
        "target.columns.0.labels: expected a list of at least 2 texts, got ['x']",
    ),
    "three answers": (
        "binary",
        lambda header: header["target"]["columns"][1].update(labels=["x", "y", "z"]),
        "target.columns.1.labels: 3 labels, expected 2",
    ),
    "two columns of classes": (
        "classes",
        lambda header: header["target"].update(columns=2 * header["target"]["columns"]),
        "target.columns: expected a list of one column",
    ),
    "no column of answers": (
        "binary",
        lambda header: header["target"].update(columns=[]),
        "target.columns: expected a list of at least one column, got []",
    ),
    "labels that NumPy would pad to 200 MB": (
        "classes",
        lambda header: header["target"]["columns"][0].update(labels=["x" * 10_000, *map(str, range(5000))]),
        "target.columns.0.labels: 5,001 labels of up to 10,000 characters are too long",
    ),
    "more layers than arrays": (
        "classes",
        lambda header: header.update(layers=60_000 * header["layers"][:1]),
        "layers: expected a list of at least one layer",
    ),
    "a config of a million mistakes": (
        "classes",
        lambda header: header["config"]["network"].update(layers=100_000 * [{}]),
        "config: more than 40,000 values",
    ),
    "a scale of a weight that no float can hold": (
        "classes",
        lambda header: header["config"]["network"].update(output={"initialization": {"normal": 10**39}, "x": 1}),
        "config.network.output.x: ",
    ),
}


@pytest.mark.parametrize("attack", CONTRADICTIONS)
def test_a_header_that_contradicts_itself_is_refused(attack):
    target, change, words = CONTRADICTIONS[attack]
    make_model(*TARGETS[target]).save(Path("good.npz"))
    header, arrays = contents("good.npz")
    change(header)
    rewrite("model.npz", header, arrays)
    assert words in refusal(most=30_000_000)


def test_the_largest_config_that_there_can_be_is_read(run):
    """Its YAML may have 20,000 nodes, and a hidden layer of three nodes has four values when its defaults are there."""
    make_model(*TARGETS["classes"]).save(Path("good.npz"))
    header, arrays = contents("good.npz")
    layer = {"units": 1, "activation": "relu", "initialization": None}
    header["config"]["network"]["layers"] = 20_000 // 3 * [layer]
    rewrite("model.npz", header, arrays)
    assert len(load_model("model.npz").config["network"]["layers"]) == 6666
    header["config"]["network"]["layers"] *= 2
    rewrite("model.npz", header, arrays)
    assert "config: more than 40,000 values" in refusal(most=8_000_000)


@pytest.mark.parametrize(("target", "array"), [("classes", "input_std"), ("quantities", "target_std")])
@pytest.mark.parametrize("value", [0.0, -0.0, -1.0])
def test_a_scale_that_is_not_above_0_is_refused(target, array, value):
    make_model(*TARGETS[target]).save(Path("good.npz"))
    header, arrays = contents("good.npz")
    arrays[array][-1] = value
    rewrite("model.npz", header, arrays)
    assert f"array '{array}' holds values that are not above 0" in refusal()


NASTY = "a\x1b[2J\n\r\0\u202e\x07b"


def test_names_that_a_terminal_would_obey_load_and_are_shown_escaped(run, refused, tmp_path):
    header, arrays = contents(run / "model.npz")
    header["inputs"][0] = NASTY
    header["target"]["columns"][0] |= {"name": NASTY, "labels": [NASTY, "q"]}
    header["layers"][0]["activation"] = "tanh"
    rewrite(run / "model.npz", header, arrays)
    assert load_model(run).inputs == (NASTY, "b")
    for command in ("predict", "evaluate"):
        line = refused([command, "run/model.npz", "d.csv"])
        assert "a\\x1b[2J\\n\\r\\x00\\u202e\\x07b" in line
        assert line[:-1].isprintable()
    header["layers"][0]["activation"] = NASTY
    rewrite(run / "model.npz", header, arrays)
    assert "got 'a\\x1b[2J\\n\\r\\x00\\u202e\\x07b'" in refused(MODEL[1])
    header[NASTY] = 1
    rewrite(run / "model.npz", header, arrays)
    assert "a\\x1b[2J\\n\\r\\x00\\u202e\\x07b: is unknown" in refused(MODEL[1])


# What loads does no harm afterwards


def changed(target, **changes):
    """A model of a kind with arrays that are filled with other values, as it is after it was saved and loaded."""
    make_model(*TARGETS[target], activation="relu").save(Path("good.npz"))
    header, arrays = contents("good.npz")
    filled = {name: np.full(arrays[name].shape, value) for name, value in changes.items()}
    rewrite("model.npz", header, arrays | filled)
    return load_model("model.npz")


HUGE, TINY = np.float64(1e308), np.float64(5e-324)


@pytest.mark.parametrize(
    ("target", "changes"),
    [
        ("quantities", {"target_std": HUGE, "W3": np.float32(1e3)}),
        ("quantities", {"target_mean": HUGE, "target_std": HUGE, "b3": np.float32(1e3)}),
        ("quantities", {"input_std": TINY}),
        ("quantities", {"input_mean": -HUGE, "input_std": TINY}),
        ("classes", {"W2": np.float32(3e38), "W3": np.float32(3e38)}),
        ("binary", {"W1": np.float32(3e38), "W2": np.float32(3e38), "W3": np.float32(3e38)}),
        ("quantities", {"W3": np.float16(6e4), "b3": np.float16(6e4)}),
    ],
)
def test_numbers_that_overflow_are_a_data_error_and_no_warning(target, changes):
    model = changed(target, **changes)
    with contextlib.suppress(DataError):
        for column in model.predict(NUMBERS * 1e30).values():
            assert column.dtype.kind != "f" or np.isfinite(column).all()
    Y = np.ones((50, 2)) if target == "quantities" else np.tile(["nein", "nein"], (50, 1))
    if target == "classes":
        Y = np.full((50, 1), "é")
    if target == "binary":
        Y = np.tile(["0", "ja"], (50, 1))
    with contextlib.suppress(DataError):
        scores, _ = model.score(model.encode(Table("rows", NAMES, NUMBERS, model.target.names, Y), "evaluated"), "rows")
        assert "loss" in scores


def test_answers_that_no_float_can_hold_are_refused():
    model = changed("quantities", target_std=HUGE, b3=np.float32(1e3))
    with pytest.raises(DataError, match="rows: answers too large for float64 in 'p'"):
        model.predict(NUMBERS, source="rows")


def test_a_config_that_names_other_answers_is_refused_when_a_table_is_read():
    model = make_model(*TARGETS["binary"])
    model.config["data"] |= {"path": "d.npz", "target": ["y"]}
    np.savez("d.npz", X=np.ones((3, 4)), y=np.array(["0", "1", "0"]), Z=np.ones((3, 5)))
    assert len(model.predict(model.read("d.npz", with_targets=False).X)) == 4
    with pytest.raises(DataError, match=r"d\.npz: 1 target columns, but the model has 2"):
        model.read("d.npz", with_targets=True)
    model.config["data"]["inputs"] = ["Z"]
    with pytest.raises(DataError, match=r"d\.npz: 5 input columns, but the model has 4"):
        model.read("d.npz", with_targets=False)


def test_a_model_that_was_put_into_a_run_is_not_evaluated_on_its_rows(run, refused):
    replace(make_model(*TARGETS["classes"]), config=load_model(run).config).save(run / "model.npz")
    line = refused(["evaluate", "run"])
    for word in ("2 input columns and 2 outputs", "the model has 4 and 6"):
        assert word in line


def test_more_classes_than_anybody_reads_have_no_confusion_matrix(monkeypatch):
    model = make_model(*TARGETS["classes"])
    data = np.ones((3, 4), np.float32), np.eye(6, dtype=np.float32)[:3]
    assert model.score(data, "rows")[1]["y"].shape == (6, 6)
    monkeypatch.setattr(model_module, "MOST_CONFUSED", 5)
    scores, confusion = model.score(data, "rows")
    assert "accuracy" in scores
    assert confusion == {}


# What is written can be read


def test_the_bytes_are_those_of_the_file():
    arrays = {"W1": np.ones((3, 2)), "optimizer.steps": np.array(7)}
    Path("a.npz").write_bytes(archive_bytes("mlp thing", {"x": [1, None, 0.1]}, arrays))
    assert Path("a.npz").read_bytes() == archive_bytes("mlp thing", {"x": [1, None, 0.1]}, arrays)
    header, found = read_arrays(Path("a.npz"), "mlp thing")
    assert header == {"x": [1, None, 0.1]}
    assert found.keys() == arrays.keys()
    assert found["optimizer.steps"] == 7
    assert found["optimizer.steps"].shape == ()


@pytest.mark.parametrize(
    "arrays",
    [
        {"W1": np.array([Planted()])},
        {"W1": np.array([1j])},
        {"W1": np.array(["x"])},
        {"W1": np.array([True])},
        {"W1": np.empty((0, 3))},
        {"../W1": np.ones(3)},
        {"W 1": np.ones(3)},
        {"größe": np.ones(3)},
        {"": np.ones(3)},
    ],
    ids=str,
)
def test_arrays_that_would_not_be_read_are_not_written(arrays):
    with pytest.raises(FileError, match="cannot be saved in an mlp thing file"):
        archive_bytes("mlp thing", {}, arrays)


def test_what_is_too_large_to_be_read_is_not_written(monkeypatch):
    text = json.dumps({"kind": "mlp thing", "format_version": 2, "x": ""})
    monkeypatch.setattr(archives, "MAX_HEADER", 100)
    Path("a.npz").write_bytes(archive_bytes("mlp thing", {"x": "y" * (100 - len(text))}, {}))
    assert len(read_arrays(Path("a.npz"), "mlp thing")[0]["x"]) == 100 - len(text)
    with pytest.raises(FileError, match=r"of 0 arrays with a header of 1\d\d bytes cannot be saved: .* 100 bytes"):
        archive_bytes("mlp thing", {"x": "y" * 100}, {})
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    archive_bytes("mlp thing", {}, {"a": np.ones(1), "b": np.ones(1)})
    with pytest.raises(FileError, match="at most 2 arrays"):
        archive_bytes("mlp thing", {}, {"a": np.ones(1), "b": np.ones(1), "c": np.ones(1)})


def test_a_model_with_parts_of_its_own_is_not_written():
    model = make_model(*TARGETS["quantities"])
    sine = Activation("sine", value=np.sin, slope=lambda A, H: np.cos(A))
    model.network.layers[1] = Layer(np.ones((3, 5)), np.ones((3, 1)), sine)
    with pytest.raises(FileError, match=r"cannot be saved: layers\.1\.activation: .*, got 'sine'"):
        model.to_bytes()
    model.network.layers[1] = SimpleNamespace(parameters=())
    with pytest.raises(FileError, match="only networks of Layer can be saved"):
        model.to_bytes()

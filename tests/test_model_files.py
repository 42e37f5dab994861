"""Model files: saved and loaded they predict the same to the last bit; damaged or foreign they are refused in one line.

Numbers in comments are those of the list of bad inputs that the project was checked against.
"""

import hashlib
import io
import json
import os
import pickle
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mlp import ACTIVATIONS, Layer, Network
from mlp.cli import cli
from mlp.datasets import Classes, Scaler
from mlp.experiments.archives import ModelFileError
from mlp.experiments.model import Model, load_model
from mlp.losses import LOSSES
from mlp.targets import Binary, Exclusive, Quantities

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


@pytest.fixture(autouse=True)
def run(tmp_path, monkeypatch):
    """A folder with a trained run of two epochs, "run"; the working directory of every test."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "d.csv").write_text(TABLE)
    result = CliRunner().invoke(cli, ["train", "c.yaml", "--out", "run", "--no-plot"])
    assert result.exit_code == 0, result.output
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

NUMBERS = np.random.default_rng(0).normal(size=(50, 4)) * [1, 1e3, 1e-3, 1e12]
TARGETS = {
    "classes": ("softmax_cross_entropy", Exclusive(Classes("y", ("01", "1.0", 'a, "b"', "c\nd", "é", " ")))),
    "binary": ("logistic_cross_entropy", Binary((Classes("u", ("0", "1")), Classes("名前", ("nein", "ja"))))),
    "quantities": ("squared_error", Quantities(("p", "q"), Scaler(np.array([1e6, 0.1]), np.array([3.0, 1e-9])))),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("loss", "target"), TARGETS.values(), ids=TARGETS)
def test_a_loaded_model_predicts_the_same_to_the_last_bit(tmp_path, loss, target, activation, dtype):
    rng = np.random.default_rng(1)
    sizes = [4, 5, 3, target.size]
    layers = [Layer.initialize(*pair, activation, rng=rng, dtype=dtype) for pair in pairwise(sizes)]
    for layer in layers:
        layer.b += rng.normal(size=layer.b.shape).astype(dtype)
    names = ("a", "größe", "c d", 'e"f,g')
    model = Model(Network(layers), LOSSES[loss], names, Scaler.fit(NUMBERS, names), target, 7, {"a": [1, None, 0.1]})
    model.save(tmp_path / "m.npz")
    loaded = load_model(tmp_path / "m.npz")
    before, after = model.predict(NUMBERS), loaded.predict(NUMBERS)
    assert list(before) == list(after)
    for name, column in before.items():
        assert column.dtype == after[name].dtype
        assert np.array_equal(column, after[name])
    assert (loaded.inputs, loaded.epoch, loaded.config, loaded.loss) == (names, 7, {"a": [1, None, 0.1]}, LOSSES[loss])
    for layer, same in zip(layers, loaded.network.layers, strict=True):
        assert (layer.g, layer.W.dtype) == (same.g, same.W.dtype)
        assert np.array_equal(layer.W, same.W)
        assert np.array_equal(layer.b, same.b)
    if isinstance(target, Quantities):
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
    with pytest.raises(TypeError):
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
        with pytest.raises(ModelFileError, match=r"cut\.npz"):
            load_model(tmp_path / "cut.npz")


@pytest.mark.parametrize("mask", [0xFF, 0x01])
def test_a_flipped_byte_is_refused_or_makes_no_difference(tmp_path, run, mask):
    whole = (run / "model.npz").read_bytes()
    wanted = load_model(run)
    X = np.arange(6.0).reshape(3, 2)
    refusals = 0
    for place in range(len(whole)):
        (tmp_path / "flipped.npz").write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
        try:
            found = load_model(tmp_path / "flipped.npz")
        except ModelFileError:
            refusals += 1
            continue
        assert (found.inputs, found.target, found.config) == (wanted.inputs, wanted.target, wanted.config)
        for name, column in wanted.predict(X).items():
            assert np.array_equal(column, found.predict(X)[name])
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
    target = Quantities(names[:60], Scaler.identity(60))
    Model(Network(layers), LOSSES["squared_error"], names, Scaler.identity(100), target).save(tmp_path / "m.npz")
    whole = (tmp_path / "m.npz").read_bytes()
    place = whole.index(b"<f4", whole.index(b"W1.npy")) + 2
    (tmp_path / "m.npz").write_bytes(whole[:place] + b"2" + whole[place + 1 :])  # ends before the checksum
    with pytest.raises(ModelFileError, match=r"m\.npz"):
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
@pytest.mark.parametrize("version", [2, 99, 0, -1, None, "1", 1.5, [1]])
def test_other_versions_of_the_format_are_refused_with_both_versions(run, refused, name, command, version):
    header, arrays = contents(run / name)
    assert header["format_version"] == 1
    rewrite(run / name, header | {"format_version": version}, arrays)
    line = refused(command)
    for word in (name, "format_version", str(version), "reads 1", "mlp"):
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
        {"target": {"kind": "exclusive", "columns": []}},
        {"target": {"kind": "exclusive", "columns": [{"name": "y", "labels": ["p", "q", "r"]}]}},
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
    Path("other/last.npz").replace(run / "last.npz")
    line = refused(CHECKPOINT[1])
    for word in ("last.npz", "parameters.W1", "(4, 2)", "(3, 2)"):
        assert word in line


def test_a_run_goes_on_when_its_files_are_whole(run):
    result = CliRunner().invoke(cli, CHECKPOINT[1])
    assert result.exit_code == 0, result.output
    assert contents(run / "last.npz")[0]["epoch"] == 4

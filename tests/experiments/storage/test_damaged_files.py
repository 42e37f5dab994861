"""Files that are missing, damaged, of another kind or version, or do not fit: each is refused in one line."""

import os
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from model_files import (
    BOTH,
    CHECKPOINT,
    CONFIG,
    MODEL,
    TABLE,
    Planted,
    contents,
    header_bytes,
    npy_bytes,
    npz_bytes,
    refusal,
    rewrite,
    zip_bytes,
)

from mlp.cli.commands import cli
from mlp.errors import FileError
from mlp.experiments.model import load_model


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
def test_a_file_cut_short_at_any_length_is_refused(run, refused, name, command):
    whole = (run / name).read_bytes()
    lengths = {0, 1, 2, 3, 4, 5, 22, 30, 64, len(whole) - 1, len(whole) - 2, len(whole) - 22, len(whole) - 60}
    for length in sorted(lengths | set(range(100, len(whole), 150))):
        (run / name).write_bytes(whole[:length])
        line = refused(command)
        assert name in line
        assert "empty" in line or length
        assert "damaged or cut short" in line or length <= 4


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


def test_a_model_that_cannot_be_read_leaves_the_answers_that_were_there(run, refused, tmp_path):
    (tmp_path / "answers.csv").write_text("older answers")
    (run / "model.npz").write_bytes(b"PK\x03\x04 and nothing more")
    refused(["predict", "run", "d.csv", "--out", "answers.csv"])


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


@BOTH
@pytest.mark.parametrize("version", [1, 2, 99, 0, -1, None, "2", 2.0, True, [2]], ids=repr)
def test_other_versions_of_the_format_are_refused_with_both_versions(run, refused, name, command, version):
    header, arrays = contents(run / name)
    assert header["format_version"] == 7
    rewrite(run / name, header | {"format_version": version}, arrays)
    line = refused(command)
    for word in (name, f"format_version {version!r}", "this mlp reads 7", "install", "train again"):
        assert word in line


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


@pytest.mark.parametrize("array", ["theta", "best_theta", "optimizer.velocity"])
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
    for word in ("'W1'", "(4, 2)", "(3, 1)"):
        assert word in line


@pytest.mark.parametrize("key", ["layers", "loss", "inputs", "target", "epoch", "config"])
def test_a_header_without_one_of_its_keys_is_refused(run, refused, key):
    header, arrays = contents(run / "model.npz")
    del header[key]
    rewrite(run / "model.npz", header, arrays)
    line = refused(MODEL[1])
    assert "model.npz" in line
    assert key in line


@pytest.mark.parametrize("key", ["epoch", "best_epoch", "best_since", "rng"])
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
    for word in ("last.npz", "'theta'", "(22,)", "(17,)"):
        assert word in line

"""Model files: saved and loaded they predict the same to the last bit, and what is written can be read."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from model_files import NAMES, NUMBERS, PLAIN_CONFIG, TARGETS, Planted, contents, make_model, refusal, rewrite

from mlp import ACTIVATIONS, Activation, Layer, Network
from mlp.cli.commands import cli
from mlp.errors import DataError, FileError
from mlp.experiments import model as model_module
from mlp.experiments.model import KIND, load_model
from mlp.experiments.storage import archive as archives
from mlp.experiments.storage.archive import archive_bytes, read_arrays
from mlp.layers import Coupling
from mlp.losses import LOSSES
from mlp.tables import Table
from mlp.tables.targets import RegressionTarget


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


def test_a_link_to_a_model_is_that_model(run, tmp_path):
    Path("link.npz").symlink_to(run / "model.npz")
    Path("folder").symlink_to(run)
    assert load_model("link.npz").to_bytes() == load_model("folder").to_bytes() == (run / "model.npz").read_bytes()
    (run / "model.npz").unlink()
    assert "No such file" in refusal("link.npz")


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
    lowest, _, *rest = model.network.layers
    model = replace(model, network=Network([lowest, Layer(np.ones((3, 5)), np.ones((3, 1)), sine), *rest]))
    with pytest.raises(FileError, match=r"cannot be saved: layers\.1\.activation: .*, got 'sine'"):
        model.to_bytes()
    model = replace(model, network=Network([Coupling(Layer(np.ones((2, 2)), np.ones((2, 1)), "tanh"))]))
    with pytest.raises(FileError, match="only layers of mlp"):
        model.to_bytes()


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
        rows = Table("rows", dict.fromkeys(NAMES, "number"), NUMBERS, {}, model.target.names, Y)
        scores, *_ = model.score(model.encode(rows, "evaluated"), "rows")
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
    assert "run: its model is not of this run" in line


def test_more_classes_than_anybody_reads_have_no_confusion_matrix(monkeypatch):
    model = make_model(*TARGETS["classes"])
    data = np.ones((3, 4), np.float32), np.eye(6, dtype=np.float32)[:3]
    assert model.score(data, "rows")[1]["y"].shape == (6, 6)
    monkeypatch.setattr(model_module, "MOST_CONFUSED", 5)
    scores, confusion, reports = model.score(data, "rows")
    assert "accuracy" in scores
    assert (confusion, reports) == ({}, {})

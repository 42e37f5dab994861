"""A run on quantiles: an answer for each level, none of which cross, their coverage, folds and model files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mlp.cli.commands import cli
from mlp.errors import FileError
from mlp.experiments.model import KIND, load_model
from mlp.experiments.storage.archive import archive_bytes, read_arrays
from mlp.losses import Quantile
from mlp.tables.intervals import QuantileTarget


def mlp(*args, code=0):
    done = CliRunner().invoke(cli, args, prog_name="mlp", catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


@pytest.fixture
def x(tmp_path, monkeypatch):
    """y is normal around 5 x with the deviation 1 + x."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 2, size=2000)
    y = 5 * x + (1 + x) * rng.normal(size=2000)
    Path("t.csv").write_text("x,y\n" + "".join(f"{a:.4f},{b:.4f}\n" for a, b in zip(x, y, strict=True)))
    Path("c.yaml").write_text(
        "data: {path: t.csv, target: y, split: {valid: 0.2, test: 0.2}}\ntask: regression\n"
        "loss: {name: quantile, levels: [0.1, 0.5, 0.9]}\nnetwork: {layers: [{units: 16, activation: tanh}]}\n"
        "optimizer: {name: adam, learning_rate: 0.01}\ntraining: {epochs: 30, seed: 0, monitor: error}\n"
    )
    return x


def answers(*args):
    rows = list(csv.DictReader(mlp("predict", *args, "t.csv").stdout.splitlines()))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def test_the_answers_are_the_quantiles(x):
    assert " 0 FAIL" in mlp("check", "c.yaml").stdout
    assert "validation pinball" in mlp("train", "c.yaml", "--out", "run", "-q").stdout
    found = answers("run")
    assert list(found) == ["y_0.1", "y_0.5", "y_0.9"]
    for name, z in (("y_0.1", -1.2816), ("y_0.5", 0), ("y_0.9", 1.2816)):
        assert np.abs(found[name] - (5 * x + z * (1 + x))).mean() < 0.35
    scores = json.loads(mlp("evaluate", "run", "--json").stdout)
    assert 0.74 < scores["coverage"] < 0.86
    assert scores["r2"] > 0.6
    assert (found["y_0.1"] <= found["y_0.5"]).all()
    assert (found["y_0.5"] <= found["y_0.9"]).all()
    assert scores["loss"] == json.loads(Path("run/run.json").read_text())["scores"]["test"]["loss"]
    assert "identical" in mlp("train", "--replay", "run", "-q").stdout


def test_answers_never_cross_and_stay_in_their_limits(x):
    mlp("train", "c.yaml", "--out", "run", "-q", "--set", "training.epochs=1", "--set", "data.clip_answers=true")
    Path("t.csv").write_text("x,y\n" + "".join(f"{a},0\n" for a in (-90, -9, 0, 9, 90)))
    assert "answers for 'y_0.1' are at an end of the training range" in mlp("predict", "run", "t.csv").stderr
    found = answers("run")
    assert (np.diff(np.stack(list(found.values())), axis=0) >= 0).all()
    target = load_model("run").target
    assert target.limits.ravel()[0] - 1e-3 <= min(map(np.min, found.values()))


def test_folds_of_quantiles_are_averaged(x):
    mlp("train", "c.yaml", "--out", "f", "-q", "--folds", "2", "--set", "training.epochs=3")
    single = [answers(f"f/fold-{k}") for k in (1, 2)]
    for name, found in answers("f").items():
        np.testing.assert_allclose(found, np.mean([each[name] for each in single], axis=0), rtol=1e-4, atol=1e-4)


def test_models_of_other_levels_are_not_averaged(x):
    mlp("train", "c.yaml", "--out", "one", "-q", "--set", "training.epochs=1")
    mlp("train", "c.yaml", "--out", "two", "-q", "--set", "training.epochs=1", "--set", "loss.levels=[0.2, 0.8]")
    assert "the same labels, or levels" in mlp("predict", "one", "two", "t.csv", code=3).stderr


def test_several_columns(x):
    rows = Path("t.csv").read_text().splitlines()
    Path("t.csv").write_text("\n".join(["x,y,z", *(f"{row},{i % 7}" for i, row in enumerate(rows[1:]))]))
    mlp("train", "c.yaml", "--out", "run", "-q", "--set", "data.target=[y, z]", "--set", "training.epochs=2")
    assert list(answers("run")) == ["y_0.1", "y_0.5", "y_0.9", "z_0.1", "z_0.5", "z_0.9"]
    assert {"pinball_y", "coverage_z"} <= json.loads(mlp("evaluate", "run", "--json").stdout).keys()


def test_the_pinball_loss_by_hand():
    loss = Quantile([0.25, 0.75])
    F, Y = np.array([[3.0, 1.0], [3.0, 1.0]]), np.array([[1.0, 2.0], [1.0, 2.0]])
    np.testing.assert_allclose(loss.costs(F, Y), [0.75 * 2 + 0.25 * 2, 0.25 + 0.75])
    np.testing.assert_allclose(loss.seed(F, Y) * 2, [[0.75, -0.25], [0.25, -0.75]])
    y = np.random.default_rng(0).normal(size=2001)
    Y = np.stack([y, y])
    best = np.quantile(y, [0.25, 0.75])[:, None] * np.ones((2, 2001))
    for shift in (-0.1, 0.1):  # the quantiles cost least
        assert loss.cost(best, Y) < loss.cost(best + shift, Y)
    np.testing.assert_allclose(loss.chance(Y), loss.cost(best, Y))


@pytest.mark.parametrize("levels", [[], [0.5, 0.1], [0.5, 0.5], [0, 0.5], [0.5, 1.0], [-1.0]])
def test_levels_that_are_none(levels, x):
    with pytest.raises(ValueError, match="levels must rise"):
        Quantile(levels)
    said = mlp("train", "c.yaml", "--set", f"loss.levels={levels}", code=2).stderr
    assert "loss: levels" in said


def test_rows_that_are_no_multiple_of_the_levels():
    with pytest.raises(ValueError, match="multiple of 3"):
        Quantile().cost(np.zeros((4, 2)), np.zeros((4, 2)))


def test_a_strangers_levels_are_refused(x):
    mlp("train", "c.yaml", "--out", "run", "-q", "--set", "training.epochs=1")
    header, arrays = read_arrays(Path("run/model.npz"), KIND)
    assert isinstance(load_model("run").target, QuantileTarget)
    for levels in ([0.5, 0.1, 0.9], [], [2.0], "x", [0.5]):
        Path("m.npz").write_bytes(
            archive_bytes(KIND, header | {"target": header["target"] | {"levels": levels}}, arrays)
        )
        with pytest.raises(FileError, match="does not hold a model"):
            load_model("m.npz")
    Path("m.npz").write_bytes(archive_bytes(KIND, header | {"loss": {"name": "quantile", "levels": [3.0]}}, arrays))
    with pytest.raises(FileError, match="does not hold a model"):
        load_model("m.npz")

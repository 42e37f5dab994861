"""Runs whose answers are intervals: quantiles, none of which cross, or a mean and a deviation; folds, model files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from command_line import mlp

from mlp.errors import FileError
from mlp.experiments.model import KIND, load_model
from mlp.experiments.storage.archive import archive_bytes, read_arrays
from mlp.losses import Gaussian, Quantile
from mlp.tables.intervals import QuantileTarget


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


GAUSSIAN = ("--set", "loss=gaussian")


def test_the_answers_are_the_mean_and_the_deviation(x):
    assert " 0 FAIL" in mlp("check", "c.yaml", *GAUSSIAN).stdout
    mlp("train", "c.yaml", "--out", "run", "-q", *GAUSSIAN)
    found = answers("run")
    assert list(found) == ["y", "y_std", "y_0.05", "y_0.95"]
    assert np.abs(found["y"] - 5 * x).mean() < 0.35
    assert np.abs(found["y_std"] / (1 + x) - 1).mean() < 0.15
    np.testing.assert_allclose(found["y_0.95"], found["y"] + 1.64485 * found["y_std"], rtol=1e-4)
    np.testing.assert_allclose(found["y_0.05"], found["y"] - 1.64485 * found["y_std"], rtol=1e-4, atol=1e-4)
    scores = json.loads(mlp("evaluate", "run", "--json").stdout)
    assert 0.86 < scores["coverage"] < 0.94
    assert scores["r2"] > 0.6
    assert "identical" in mlp("train", "--replay", "run", "-q").stdout


def test_means_stay_in_the_limits_and_deviations_need_none(x):
    clip = ("--set", "data.clip_answers=true", "--set", "training.epochs=5")
    mlp("train", "c.yaml", "--out", "run", "-q", *GAUSSIAN, *clip)
    Path("t.csv").write_text("x,y\n" + "".join(f"{a},0\n" for a in (-90, -9, 0, 9, 90)))
    said = mlp("predict", "run", "t.csv").stderr
    assert "answers for 'y' are at an end of the training range" in said
    assert "y_std" not in said
    low, high = load_model("run").target.limits.ravel()
    found = answers("run")["y"]
    assert (low - 1e-3 <= found).all()
    assert (found <= high + 1e-3).all()


def test_folds_of_means_and_deviations_of_several_columns(x):
    rows = Path("t.csv").read_text().splitlines()
    Path("t.csv").write_text("\n".join(["x,y,z", *(f"{row},{i % 7}" for i, row in enumerate(rows[1:]))]))
    few = ("--set", "data.target=[y, z]", "--set", "training.epochs=2")
    mlp("train", "c.yaml", "--out", "f", "-q", "--folds", "2", *GAUSSIAN, *few)
    single = [answers(f"f/fold-{k}") for k in (1, 2)]
    found = answers("f")
    assert list(found)[:4] == ["y", "y_std", "z", "z_std"]
    for name in list(found)[:4]:
        np.testing.assert_allclose(found[name], np.mean([each[name] for each in single], axis=0), rtol=1e-4, atol=1e-4)


def test_the_likelihood_by_hand():
    """A target of 3 with the mean 1 and the variance 4, and one that is met with the variance 1."""
    loss, Y = Gaussian(), np.array([[3.0, 5.0], [3.0, 5.0]])
    F = np.array([[1.0, 5.0], [np.log(4 - 1e-6), np.log(1 - 1e-6)]])
    np.testing.assert_allclose(loss.costs(F, Y) - np.log(2 * np.pi) / 2, [np.log(4) / 2 + 4 / 8, 0], atol=1e-12)
    np.testing.assert_allclose(2 * loss.seed(F, Y), [[-0.5, 0], [0, 0.5]], atol=1e-6)
    np.testing.assert_allclose(loss.predict(F), [[1, 5], [2, 1]])
    np.testing.assert_allclose(loss.chance(Y), np.log(2 * np.pi * np.e) / 2, atol=1e-5)  # the variance is 1
    steep = np.array([[3.0], [-500.0]])  # a target that is met, and a variance of nearly 0
    assert np.isfinite(loss.cost(steep, Y[:, :1]))
    assert loss.seed(steep, Y[:, :1]).tolist() == [[0], [pytest.approx(0)]]
    with pytest.raises(ValueError, match="two rows for each target"):
        loss.cost(np.zeros((3, 2)), np.zeros((3, 2)))


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
    with pytest.raises(ValueError, match="levels must be numbers that rise"):
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

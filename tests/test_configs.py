"""Each shipped config, in its shipped form, reaches its line; the data sets are what their README says."""

import csv
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mlp.cli import cli
from mlp.experiments.config import load_config
from mlp.experiments.folder import read_facts
from mlp.experiments.prepare import prepare

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """Train every shipped config once by the command line; the scores of run.json by config and split."""
    folder = tmp_path_factory.mktemp("runs")
    found = {}
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        done = CliRunner().invoke(cli, ["train", str(path), "--out", str(folder / path.stem), "--quiet"])
        assert done.exit_code == 0, done.output
        found[path.stem] = read_facts(folder / path.stem)["scores"]
    return found


def test_digits(scores):
    assert scores["digits"]["test"]["accuracy"] >= 0.97


def test_iris(scores):
    assert scores["iris"]["test"]["accuracy"] >= 0.93


@pytest.mark.parametrize("name", ["xor", "spirals"])
def test_classes_that_a_line_cannot_part(scores, name):
    assert scores[name]["train"]["accuracy"] >= 0.99


def test_diabetes_is_no_worse_than_ordinary_least_squares(scores):
    prepared = prepare(load_config(ROOT / "configs/diabetes.yaml"))
    inverse = prepared.model.target.scaler.inverse
    (X, Y), (X_test, Y_test) = prepared.splits["train"], prepared.splits["test"]
    with_one = np.hstack([X, np.ones((len(X), 1))]).astype(float)
    coefficients, *_ = np.linalg.lstsq(with_one, inverse(Y), rcond=None)
    residual = np.hstack([X_test, np.ones((len(X_test), 1))]).astype(float) @ coefficients - inverse(Y_test)
    assert scores["diabetes"]["test"]["rmse"] <= np.sqrt(np.mean(residual**2))


def test_sine_is_close_to_its_noise(scores):
    prepared = prepare(load_config(ROOT / "configs/sine.yaml"))
    X, Y = prepared.splits["test"]
    x, y = prepared.model.input_scaler.inverse(X), prepared.model.target.scaler.inverse(Y)
    noise = np.sqrt(np.mean((y - np.sin(x)) ** 2))  # what even the true curve leaves on these rows, about 0.1
    assert 0.08 < noise < 0.13
    assert scores["sine"]["test"]["rmse"] < 1.1 * noise


def test_every_data_set_has_a_config_and_every_config_is_commented():
    configs = {path.stem for path in (ROOT / "configs").glob("*.yaml")}
    data = {path.stem for path in (ROOT / "data").glob("*.csv")}
    assert configs == data == {"digits", "iris", "diabetes", "xor", "spirals", "sine"}
    for path in (ROOT / "configs").glob("*.yaml"):
        assert path.read_text("utf-8").count("#") >= 1


def test_the_synthetic_data_sets_are_what_their_script_writes(tmp_path):
    spec = importlib.util.spec_from_file_location("make_synthetic_data", ROOT / "scripts/make_synthetic_data.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    done = CliRunner().invoke(script.main, ["--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    for name in ("xor", "spirals", "sine"):
        assert (tmp_path / f"{name}.csv").read_bytes() == (ROOT / f"data/{name}.csv").read_bytes(), name


def test_the_data_readme_counts_right():
    text = (ROOT / "data/README.md").read_text("utf-8")
    counted = dict(re.findall(r"\| `(\w+)\.csv` \| (\d+) \|", text))
    for name, rows in counted.items():
        with open(ROOT / f"data/{name}.csv", encoding="utf-8", newline="") as file:
            assert sum(1 for _ in csv.reader(file)) - 1 == int(rows), name
    assert len(counted) == 6

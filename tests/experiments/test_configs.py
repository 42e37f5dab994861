"""Each shipped config, in its shipped form, reaches its line; the data sets are what their README says."""

import csv
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from shipped import CONFIGS, MNIST, ROOT

from mlp.cli.commands import cli
from mlp.experiments.assemble import prepare
from mlp.experiments.config.load import load_config, validate
from mlp.experiments.config.yaml_text import parse_yaml
from mlp.experiments.storage.run_folder import read_facts
from mlp.records import Progress
from mlp.tables.splitting import split_rows


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """Train every config with shipped data once by the command line; the scores of run.json by config and split."""
    folder = tmp_path_factory.mktemp("runs")
    found = {}
    for path in CONFIGS:
        done = CliRunner().invoke(cli, ["train", str(path), "--out", str(folder / path.stem), "--quiet"])
        assert done.exit_code == 0, done.output
        found[path.stem] = read_facts(folder / path.stem)["scores"]
    return found


def test_digits(scores):
    assert scores["digits"]["test"]["accuracy"] >= 0.97


def test_iris(scores):
    assert scores["iris"]["test"]["accuracy"] >= 0.93


def test_an_interval_for_a_regression(scores):
    assert 0.7 < scores["diabetes_intervals"]["test"]["coverage"] < 0.9


def test_a_count(scores):
    assert scores["namesakes"]["test"]["deviance"] < 2.1  # the mean of the training rows has 2.26


def test_a_rare_class(scores):
    assert scores["eights"]["test"]["accuracy"] >= 0.96


@pytest.mark.parametrize("name", ["xor", "spirals"])
def test_classes_that_a_line_cannot_part(scores, name):
    assert scores[name]["train"]["accuracy"] >= 0.99


def test_diabetes_is_no_worse_than_ordinary_least_squares(scores):
    experiment = prepare(load_config(ROOT / "configs/diabetes.yaml"))
    inverse = experiment.model.target.scaler.inverse
    (X, Y), (X_test, Y_test) = experiment.splits["train"], experiment.splits["test"]
    with_one = np.hstack([X, np.ones((len(X), 1))]).astype(float)
    coefficients, *_ = np.linalg.lstsq(with_one, inverse(Y), rcond=None)
    residual = np.hstack([X_test, np.ones((len(X_test), 1))]).astype(float) @ coefficients - inverse(Y_test)
    assert scores["diabetes"]["test"]["rmse"] <= np.sqrt(np.mean(residual**2))


def test_tables_with_text_and_gaps(scores):
    assert scores["titanic"]["test"]["accuracy"] >= 0.79
    assert scores["penguins"]["test"]["r2"] >= 0.87


@pytest.mark.parametrize(("name", "target"), [("titanic", "survived"), ("penguins", "body_mass_g")])
def test_configs_that_init_made_are_as_it_makes_them(name, target, monkeypatch):
    """But for the words."""
    monkeypatch.chdir(ROOT / "configs")
    text = CliRunner().invoke(cli, ["init", f"../data/{name}.csv", "--target", target]).stdout
    made, shipped = (parse_yaml(each, name) for each in (text.encode(), Path(f"{name}.yaml").read_bytes()))
    assert validate(made) == validate(shipped)


def test_sine_is_close_to_its_noise(scores):
    experiment = prepare(load_config(ROOT / "configs/sine.yaml"))
    X, Y = experiment.splits["test"]
    x, y = experiment.model.coding.scaler.inverse(X), experiment.model.target.scaler.inverse(Y)
    noise = np.sqrt(np.mean((y - np.sin(x)) ** 2))  # what even the true curve leaves on these rows, about 0.1
    assert 0.08 < noise < 0.13
    assert scores["sine"]["test"]["rmse"] < 1.1 * noise


def test_the_mnist_config_names_its_network_and_tests_on_the_official_rows():
    config = load_config(MNIST).config
    assert [layer.units for layer in config.network.layers] == [300, 100]
    assert Path(config.data.path).resolve() == ROOT.resolve() / "data/mnist.npz"
    split = config.data.split
    train, valid, test = split_rows(70000, split.valid, split.test, method=split.method, rng=np.random.default_rng(0))
    assert (train[0], train[-1], valid[0], valid[-1], test[0], test[-1]) == (0, 54999, 55000, 59999, 60000, 69999)


def test_layers_whose_values_are_computed_again_end_with_the_same_bits():
    """`recompute` in a config saves memory and changes no bit; one may stand inside another."""
    layers = "{units: 5, activation: tanh}, {units: 4}"
    thetas = []
    for written in (f"[{layers}, {{units: 3}}]", f"[{{recompute: [{layers}, {{recompute: [{{units: 3}}]}}]}}]"):
        overrides = [f"network.layers={written}", "training.epochs=3"]
        run = prepare(load_config(ROOT / "configs/iris.yaml", overrides))
        assert len(list(run.epochs(Progress()))) == 3
        thetas.append(run.model.network.theta)
        summary = CliRunner().invoke(cli, ["summary", str(ROOT / "configs/iris.yaml"), "--set", overrides[0]])
        assert "76 parameters" in summary.output
        assert summary.output.count("Recompute(") == 2 * (len(thetas) == 2)
    np.testing.assert_array_equal(*thetas)


@pytest.mark.long
@pytest.mark.skipif(
    not (ROOT / "data/mnist.npz").exists(), reason="data/mnist.npz is absent: python scripts/get_mnist.py fetches it"
)
def test_mnist(tmp_path):
    done = CliRunner().invoke(cli, ["train", str(MNIST), "--out", str(tmp_path / "run"), "--no-plot"])
    assert done.exit_code == 0, done.output
    assert "note:" not in done.stderr
    facts = read_facts(tmp_path / "run")
    assert facts["rows"] == {"train": 55000, "valid": 5000, "test": 10000}
    assert facts["scores"]["test"]["accuracy"] >= 0.98
    checked = CliRunner().invoke(cli, ["check", str(MNIST)])
    assert checked.exit_code == 0, checked.output
    assert checked.stderr == ""


def test_the_seeds_script_goes_on_after_a_config_whose_data_are_absent(tmp_path):
    text = (ROOT / "configs/iris.yaml").read_text("utf-8").replace("../data/", "")
    (tmp_path / "absent.yaml").write_text(text, encoding="utf-8")
    xor = ROOT / "configs/xor.yaml"
    done = CliRunner().invoke(script("seeds").main, [str(tmp_path / "absent.yaml"), str(xor), "--seeds", "1"])
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("absent is left out: ")
    assert "iris.csv: No such file or directory" in line
    assert [row.split()[:2] for row in done.stdout.splitlines()] == [["xor", "loss"], ["xor", "accuracy"]]


def test_every_data_set_has_a_config_and_every_config_is_commented():
    configs = {path.stem for path in CONFIGS}
    data = {path.stem for path in (ROOT / "data").glob("*.csv")}
    assert data == {"digits", "iris", "diabetes", "xor", "spirals", "sine", "titanic", "penguins"}
    assert configs == data | {"diabetes_intervals", "eights", "namesakes"}  # other questions to the same tables
    for path in (*CONFIGS, MNIST):
        assert path.read_text("utf-8").count("#") >= 1


def test_the_synthetic_data_sets_are_what_their_script_writes(tmp_path):
    done = CliRunner().invoke(script("make_synthetic_data").main, ["--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    for name in ("xor", "spirals", "sine"):
        assert (tmp_path / f"{name}.csv").read_bytes() == (ROOT / f"data/{name}.csv").read_bytes(), name


def test_the_data_readme_counts_right():
    text = (ROOT / "data/README.md").read_text("utf-8")
    counted = dict(re.findall(r"\| `(\w+)\.csv` \| (\d+) \|", text))
    for name, rows in counted.items():
        with open(ROOT / f"data/{name}.csv", encoding="utf-8", newline="") as file:
            assert sum(1 for _ in csv.reader(file)) - 1 == int(rows), name
    assert len(counted) == 8

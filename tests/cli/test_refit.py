"""Which epoch answers, a refit on all rows, and outputs that are bounded."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from command_line import mlp
from small_runs import ADAM, assert_same, write_problem

from mlp.experiments.checkpoint import KIND
from mlp.experiments.model import load_model
from mlp.experiments.storage.archive import read_arrays


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_problem(ADAM, "schedule: {name: cycles}, monitor: accuracy", epochs=9)


def facts(folder):
    return json.loads(Path(folder, "run.json").read_text())


def test_a_refit_adds_the_validation_rows_and_stops_at_the_best_epoch(path):
    mlp("train", path, "--out", "run", "-q")
    best = facts("run")["best_epoch"]
    assert 0 < best < 9
    assert "(the last)" in mlp("train", "--refit", "run", "-q").stdout
    assert facts("run")["rows"] == {"train": 36, "valid": 12, "test": 12}
    assert facts("run-refit")["rows"] == {"train": 48, "test": 12}
    assert (facts("run-refit")["epochs_done"], facts("run-refit")["best_epoch"]) == (best, best)
    with open("run/metrics.csv", newline="") as one, open("run-refit/metrics.csv", newline="") as other:
        rates = [[row["learning_rate"] for row in csv.DictReader(file)] for file in (one, other)]
    assert len(rates[1]) == best
    np.testing.assert_allclose(
        np.array(rates[1], float), np.array(rates[0][:best], float), rtol=0.2
    )  # more minibatches
    assert "2 runs, 12 rows of test" in mlp("evaluate", "run", "run-refit").stdout  # the same rows
    assert "identical" in mlp("train", "--replay", "run-refit", "-q").stdout


def test_a_refit_of_a_fold(path):
    mlp("train", path, "--out", "f", "-q", "--folds", "2")
    mlp("train", "--refit", "f/fold-1", "-q", "--out", "all")
    assert facts("all")["rows"] == {"train": 48, "test": 12}


def test_what_cannot_be_refitted(path):
    mlp("train", path, "--out", "run", "-q", "--set", "data.split.valid=0", "--set", "training.monitor=loss")
    assert "nothing to add" in mlp("train", "--refit", "run", code=2).stderr
    mlp("train", path, "--out", "falls", "-q", "--set", "training.plateau={patience: 2}", "--set", "training.epochs=1")
    assert "plateau followed its validation rows" in mlp("train", "--refit", "falls", code=2).stderr
    assert "leave out CONFIG" in mlp("train", path, "--refit", "run", code=2).stderr
    assert "No such file" in mlp("train", "--refit", "none", code=3).stderr


def test_the_last_epoch_answers_if_it_is_asked_for(path):
    mlp("train", path, "--out", "run", "-q")
    _, arrays = read_arrays(Path("run/last.npz"), KIND)
    model = load_model("run")
    best = json.loads(mlp("evaluate", "run", "--json").stdout)
    last = json.loads(mlp("evaluate", "run", "--epoch", "last", "--json").stdout)
    assert (best["epoch"], last["epoch"]) == (facts("run")["best_epoch"], 9)
    assert best["loss"] != last["loss"]
    model.network.theta[...] = arrays["theta"]
    mlp("predict", "run", "table.csv", "--epoch", "last", "--out", "answers.csv")
    with open("answers.csv", newline="") as file:
        found = np.array([row["probability_yes"] for row in csv.DictReader(file)], float)
    table = model.read("table.csv", with_targets=False)
    np.testing.assert_allclose(found, model.predict(table)["probability_yes"], rtol=1e-6)


def test_a_last_epoch_that_is_not_there(path):
    mlp("train", path, "--out", "run", "-q")
    assert "--epoch last is for one run" in mlp("evaluate", "run", "run", "--epoch", "last", code=2).stderr
    Path("run/last.npz").write_bytes(b"PK")
    assert "last.npz" in mlp("evaluate", "run", "--epoch", "last", code=3).stderr
    Path("run/last.npz").unlink()
    assert "last.npz: No such file" in mlp("predict", "run", "table.csv", "--epoch", "last", code=3).stderr


def test_a_run_that_follows_its_epochs_is_not_extended(path):
    mlp("train", path, "--out", "run", "-q")
    said = mlp("resume", "run", "--set", "training.epochs=20", code=2).stderr
    assert "training.epochs: 20, was 9; its schedule follows them" in said
    assert "and its schedule with them" in mlp("resume", "run").stderr
    mlp("train", path, "--out", "own", "-q", "--set", "training.schedule.epochs=9")
    mlp("resume", "own", "-q", "--set", "training.epochs=10")


def test_outputs_that_are_bounded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("x,y\n" + "".join(f"{i / 10},{np.exp(i / 10 - 3):.4f}\n" for i in range(60)))
    Path("c.yaml").write_text(
        "data: {path: t.csv, target: y, standardize_target: false}\ntask: regression\n"
        "network: {layers: [{units: 8}], output: {activation: softplus, bias: {normal: 1}}}\n"
        "optimizer: {name: adam, learning_rate: 0.01}\ntraining: {epochs: 20, seed: 0}\n"
    )
    assert "the last layer is softplus" in mlp("train", "c.yaml", "--out", "run").stderr
    assert load_model("run").network.layers[-1].g.name == "softplus"
    Path("far.csv").write_text("x\n-9\n-99\n")
    assert all(float(answer) >= 0 for answer in mlp("predict", "run", "far.csv").stdout.split()[1:])
    assert (
        "is for regressions" in mlp("train", write_problem(), "--set", "network.output.activation=tanh", code=2).stderr
    )


def test_a_run_with_a_moving_average_is_resumed_and_replayed(path):
    mlp("train", path, "--out", "whole", "-q", "--set", "training.ema=0.9", "--set", "training.schedule.epochs=9")
    changes = ["--set", "training.ema=0.9", "--set", "training.schedule.epochs=9", "--set", "training.epochs=4"]
    mlp("train", path, "--out", "parts", "-q", *changes)
    mlp("resume", "parts", "-q", "--set", "training.epochs=9")
    assert_same("whole", "parts")
    assert "identical" in mlp("train", "--replay", "whole", "-q").stdout
    _, arrays = read_arrays(Path("whole/last.npz"), KIND)
    assert not np.array_equal(arrays["average"], arrays["theta"])
    mlp("predict", "whole", "table.csv", "--epoch", "last")

"""A run on counts: the log link, its metrics, and targets that are none."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from command_line import mlp

from mlp.losses import Poisson, cost_and_seed


@pytest.fixture
def rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=600)
    y = rng.poisson(np.exp(1 + 1.5 * x))
    Path("t.csv").write_text("x,y\n" + "".join(f"{a:.4f},{n}\n" for a, n in zip(x, y, strict=True)))
    Path("c.yaml").write_text(
        "data: {path: t.csv, target: y, split: {valid: 0.2, test: 0.2}}\ntask: regression\nloss: poisson\n"
        "network: {layers: [{units: 16, activation: tanh}]}\noptimizer: {name: adam, learning_rate: 0.01}\n"
        "training: {epochs: 60, seed: 0, monitor: deviance}\n"
    )
    return x


def test_the_answers_are_the_means_of_the_counts(rows):
    assert " 0 FAIL" in mlp("check", "c.yaml").stdout
    mlp("train", "c.yaml", "--out", "run", "-q")
    scores = json.loads(mlp("evaluate", "run", "--json").stdout)
    assert 0.8 < scores["deviance"] < 1.5  # a Poisson variable has a mean deviance of about 1
    np.testing.assert_allclose(scores["loss"], scores["deviance"] / 2, rtol=1e-5)
    answers = csv.DictReader(mlp("predict", "run", "t.csv").stdout.splitlines())
    found = np.array([float(row["y"]) for row in answers])
    assert np.median(np.abs(found / np.exp(1 + 1.5 * rows) - 1)) < 0.1
    assert "identical" in mlp("train", "--replay", "run", "-q").stdout


def test_folds_of_counts_are_averaged(rows):
    mlp("train", "c.yaml", "--out", "f", "-q", "--folds", "2", "--set", "training.epochs=5")
    scores = json.loads(mlp("evaluate", "f", "--json").stdout)["scores"]
    assert scores["average"]["deviance"] <= scores["mean"]["deviance"]


def test_counts_over_an_exposure_are_rates_that_weigh_as_much():
    """The mean of a count is exp(F) e: its bars are those of the rate Y / e with the weight e."""
    rng, loss = np.random.default_rng(1), Poisson()
    F, e = rng.normal(size=(1, 7)), rng.uniform(0.1, 9, size=7)
    Y = rng.poisson(np.exp(F) * e).astype(float)
    rates = cost_and_seed(loss, F, Y / e, e)
    counts = cost_and_seed(loss, F + np.log(e), Y)
    np.testing.assert_allclose(rates[0], counts[0])
    np.testing.assert_allclose(rates[1], counts[1])


def test_numbers_below_0_are_no_counts(rows):
    Path("t.csv").write_text(Path("t.csv").read_text() + "0.5,-1\n")
    said = mlp("train", "c.yaml", code=3).stderr
    assert "target 'y': 1 of the" in said
    assert "below 0, but poisson is for counts" in said
    assert "does not fit task" in mlp("train", "c.yaml", "--set", "task=classification", code=2).stderr

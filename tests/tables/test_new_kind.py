"""A new loss and a new kind of target are one class and one row in a table each: all commands then know them."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mlp.cli.commands import cli
from mlp.experiments.model import load_model
from mlp.losses import LOSSES, losses_for
from mlp.metrics import mae
from mlp.tables.target import Target
from mlp.tables.targets import TARGETS


class Poisson:
    """c = 1/B sum_b sum_k exp(F_kb) - Y_kb F_kb: minus the log-likelihood of counts with the means exp(F)."""

    name = "tally"
    task, target = "regression", "tallies"
    unit, chance_words, far = "nats", "the cost of the mean counts", 5.0

    def cost(self, F, Y):
        return (np.exp(F) - Y * F).sum() / F.shape[1]

    def seed(self, F, Y):
        return (np.exp(F) - Y) / F.shape[1]

    def predict(self, F):
        return np.exp(F)

    def chance(self, Y):
        mean = Y.mean(axis=1)
        return float((mean - mean * np.log(mean)).sum())


class Counts(Target):
    """One column of whole numbers, as they are."""

    kind, takes_labels, score, constant = "tallies", False, "share", "the most frequent count"
    size = 1

    def __init__(self, name):
        self.name = name

    @property
    def names(self):
        return (self.name,)

    @classmethod
    def fit(cls, names, Y, *, standardize):
        return cls(*names)

    def header(self):
        return {"kind": self.kind, "name": self.name}

    @classmethod
    def from_header(cls, arrays, /, name: str):
        return cls(name)

    def encode(self, written, where):
        return written.astype(np.float32)

    def decide(self, P):
        return P.round()

    def predictions(self, P):
        return {self.name: self.decide(P)[0].astype(int)}

    def metrics(self):
        return {"mae": mae}

    def column_scores(self, decided, true):
        return {self.name: float((decided == true).mean())}

    def baseline(self, true):
        return {self.name: float(np.unique(true, return_counts=True)[1].max() / true.size)}


@pytest.fixture
def counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(LOSSES, "tally", Poisson())
    monkeypatch.setitem(TARGETS, "tallies", Counts)
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 2, size=200)
    rows = [f"{a},{b},{n}" for a, b, n in zip(x, rng.normal(size=200), np.exp(x).round().astype(int), strict=True)]
    Path("d.csv").write_text("\n".join(["a,b,visits", *rows]))
    Path("c.yaml").write_text(
        "data: {path: d.csv, target: visits, split: {test: 0.2}}\ntask: regression\nloss: tally\n"
        "network: {layers: [{units: 8}]}\noptimizer: {learning_rate: 0.02}\ntraining: {epochs: 30, seed: 0}\n"
    )


def mlp(*arguments):
    done = CliRunner().invoke(cli, arguments, prog_name="mlp", catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_every_command_knows_a_new_loss_and_a_new_target(counts):
    assert "loss: tally" in mlp("summary", "c.yaml")
    assert "mae" in mlp("train", "c.yaml", "--out", "run")
    scores = json.loads(mlp("evaluate", "run", "d.csv", "--json"))
    assert scores["mae"] < 0.5
    answers = mlp("predict", "run", "d.csv").split()
    assert answers[0] == "visits"
    written = [int(line.rpartition(",")[2]) for line in Path("d.csv").read_text().splitlines()[1:]]
    assert np.mean([int(answer) == n for answer, n in zip(answers[1:], written, strict=True)]) > 0.7
    assert load_model("run").target.header() == {"kind": "tallies", "name": "visits"}
    mlp("resume", "run", "--set", "training.epochs=31")
    mlp("train", "--replay", "run")
    mlp("plot", "run", "--out", "loss.png")


def test_its_checks_and_notes_are_made(counts):
    assert " 0 FAIL" in mlp("check", "c.yaml")
    done = CliRunner().invoke(cli, ["train", "c.yaml", "--set", "optimizer.learning_rate=1e-9", "--no-plot"])
    assert "does not beat the most frequent count ('visits': share" in done.stderr


def test_losses_are_found_by_task_and_by_target(counts):
    assert losses_for(task="classification") == ["softmax_cross_entropy", "logistic_cross_entropy", "brier"]
    assert losses_for(task="regression") == [
        "squared_error",
        "absolute_error",
        "log_cosh",
        "huber",
        "poisson",
        "quantile",
        "gaussian",
        "tally",
    ]
    assert losses_for(target="multilabel") == ["logistic_cross_entropy"]
    assert losses_for(target="tallies") == ["tally"]

"""mlp lr: one suggestion and one picture, and nothing else is written."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import mlp
from small_runs import ADAM, write_problem

from mlp.experiments.assemble import prepare
from mlp.experiments.config.load import load_config
from mlp.experiments.rates import STEPS, find_rate, suggested


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_problem(ADAM)


@pytest.mark.parametrize("changes", [[], ["optimizer.name=sgd", "optimizer.weight_decay=0"], ["training.clip=null"]])
def test_a_suggestion_with_its_picture(path, changes):
    before = set(os.listdir())
    said = mlp("lr", path, *(word for change in changes for word in ("--set", change))).stdout
    assert set(os.listdir()) - before == {"small-lr.png"}
    assert Path("small-lr.png").read_bytes().startswith(b"\x89PNG")
    rate = float(re.match(r"optimizer\.learning_rate: (\S+) \(now", said)[1])
    assert 1e-5 < rate < 1
    assert mlp("lr", path, *(word for change in changes for word in ("--set", change))).stdout == said  # of one seed


def test_an_epoch_of_many_minibatches_is_left_after_300_steps(path):
    experiment = prepare(load_config(path, ["training.batch_size=1", "optimizer.learning_rate=1"]), advise=False)
    experiment.splits["train"] = tuple(np.repeat(part, 20, axis=0) for part in experiment.splits["train"])
    found = find_rate(experiment)
    assert len(found.rates) <= STEPS < len(experiment.splits["train"][0])
    assert found.rates.max() <= 10


def test_a_network_that_cannot_learn_has_no_suggestion(path):
    Path("noise.csv").write_text("a,b,c,answer\n" + "1,1,1,yes\n0,1,2,no\n1,1,1,no\n0,1,2,yes\n" * 20)
    said = mlp("lr", path, "--set", "data.path=noise.csv", "--set", "network.layers=[]").stdout
    assert "no suggestion" in said or "optimizer.learning_rate" in said
    assert "lr.svg" in mlp("lr", path, "--out", "lr.svg").stdout
    assert "ends in .png" in mlp("lr", path, "--out", "lr.txt", code=2).stderr


def test_the_suggestion_is_a_tenth_of_the_rate_of_the_lowest_cost():
    rates = np.logspace(-7, 1, 201)
    costs = 1 - 0.5 / (1 + (np.log10(rates) + 2) ** 2)  # lowest at 1e-2
    assert suggested(rates, costs) == pytest.approx(1e-3)
    assert suggested(rates, np.ones(201)) is None
    assert suggested(rates, np.linspace(1, 2, 201)) is None
    assert suggested(rates[:5], costs[:5]) is None

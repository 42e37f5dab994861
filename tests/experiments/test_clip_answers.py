"""Answers that stay within the range of the training rows: in predictions, scores, averages and model files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from command_line import mlp

from mlp.errors import FileError
from mlp.experiments.model import KIND, load_model
from mlp.experiments.storage.archive import archive_bytes, read_arrays


@pytest.fixture
def run(tmp_path, monkeypatch):
    """y = 3 x + 1 for x from 0 to 4.9; the line goes on beyond."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("x,y\n" + "".join(f"{i / 10},{3 * i / 10 + 1:.1f}\n" for i in range(50)))
    Path("c.yaml").write_text(
        "data: {path: t.csv, target: y, clip_answers: true}\ntask: regression\nnetwork: {layers: []}\n"
        "optimizer: {name: adam, learning_rate: 0.1}\ntraining: {epochs: 60, seed: 0}\n"
    )
    Path("new.csv").write_text("x,y\n2,7\n9,28\n-5,-14\n99,298\n")
    mlp("train", "c.yaml", "--out", "run", "-q")
    return "run"


def answers(*args):
    done = mlp("predict", *args, "new.csv")
    return np.array([float(row["y"]) for row in csv.DictReader(done.stdout.splitlines())]), done.stderr


def test_answers_and_scores_are_clipped_and_it_is_said(run):
    found, said = answers(run)
    np.testing.assert_allclose(found, [7, 15.7, 1, 15.7], rtol=0.02)
    assert "3 of 4 answers for 'y' are at an end of the training range, 1 to 15.7 (data.clip_answers)" in said
    scores = json.loads(mlp("evaluate", run, "new.csv", "--json").stdout)
    np.testing.assert_allclose(scores["rmse"], np.sqrt(np.mean((found - [7, 28, -14, 298]) ** 2)), rtol=1e-4)
    own = json.loads(mlp("evaluate", run, "--split", "train", "--json").stdout)
    assert own["rmse"] == json.loads(Path("run/run.json").read_text())["scores"]["train"]["rmse"]
    assert "identical" in mlp("train", "--replay", run, "-q").stdout


def test_an_average_is_of_clipped_answers(run):
    mlp("train", "c.yaml", "--out", "other", "-q", "--set", "data.clip_answers=false")
    clipped, free, both = (answers(*runs)[0] for runs in (["run"], ["other"], ["run", "other"]))
    assert free[3] > 200
    np.testing.assert_allclose(both, (clipped + free) / 2, rtol=1e-5)


def test_limits_that_are_none_are_refused(run):
    header, arrays = read_arrays(Path("run/model.npz"), KIND)
    assert arrays["target_low"] == [1]
    for low in (np.array([16.0]), np.array([1.0, 2.0])):
        Path("m.npz").write_bytes(archive_bytes(KIND, header, {**arrays, "target_low": low}))
        with pytest.raises(FileError, match=r"limits|inhomogeneous"):
            load_model("m.npz")
    del arrays["target_high"]
    Path("m.npz").write_bytes(archive_bytes(KIND, header, arrays))
    with pytest.raises(FileError, match="target_high"):
        load_model("m.npz")


def test_it_is_for_regressions(run):
    said = mlp("train", "c.yaml", "--set", "task=classification", code=2).stderr
    assert "data.clip_answers: is for the numbers of a regression" in said

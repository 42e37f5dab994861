"""Folds and seeds: runs side by side, their scores, and their average in a model file."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from small_runs import ADAM, write_problem

from mlp.cli.commands import cli
from mlp.errors import FileError
from mlp.experiments.average import Average, load
from mlp.experiments.model import KIND, load_model
from mlp.experiments.storage.archive import archive_bytes, read_arrays


def run(*args, code=0):
    done = CliRunner().invoke(cli, args, prog_name="mlp")
    assert done.exit_code == code, done.output
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A directory with three folds of a classification in `runs/small`, and of a regression in `numbers`."""
    folder, before = tmp_path_factory.mktemp("members"), Path.cwd()
    os.chdir(folder)
    write_problem(ADAM, "early_stopping: {patience: 3}", epochs=6)
    run("train", "small.yaml", "--folds", "3", "--set", "data.split.valid=0")
    rows = [f"{i % 7},{i % 5},{3 * (i % 7) + i % 5}.5" for i in range(60)]
    Path("n.csv").write_text("a,b,y\n" + "\n".join(rows) + "\n")
    Path("n.yaml").write_text(
        "data: {path: n.csv, target: y, split: {test: 0.2}}\ntask: regression\n"
        "network: {layers: [{units: 3}]}\ntraining: {epochs: 5, seed: 1}\n"
    )
    run("train", "n.yaml", "--folds", "3", "--out", "numbers", "-q")
    os.chdir(before)
    return folder


@pytest.fixture(autouse=True)
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)


FOLDS = [f"runs/small/fold-{k}" for k in (1, 2, 3)]


def test_the_curves_of_all_are_drawn():
    assert Path("runs/small/loss.png").read_bytes().startswith(b"\x89PNG")
    assert Path("runs/small/fold-1/loss.png").exists()


def test_each_fold_is_a_run_of_its_own():
    for k, path in enumerate(FOLDS, 1):
        config, facts = (
            yaml.safe_load(Path(path, "config.yaml").read_text()),
            json.loads(Path(path, "run.json").read_text()),
        )
        assert (config["data"]["split"]["folds"], config["data"]["split"]["fold"]) == (3, k)
        assert facts["status"] == "finished"
        assert facts["rows"] == {"train": 32, "valid": 16, "test": 12}
        assert "identical" in run("train", "--replay", path, "-q").stdout


def predictions(*paths, data="table.csv"):
    rows = list(csv.DictReader(run("predict", *paths, data).stdout.splitlines()))
    return {name: [row[name] for row in rows] for name in rows[0]}


def floats(texts):
    return np.array(texts, float)


def test_the_average_is_the_mean_of_probabilities():
    single = [floats(predictions(path)["probability_yes"]) for path in FOLDS]
    for found in (predictions(*FOLDS), predictions("runs/small"), predictions("runs/small/model.npz")):
        np.testing.assert_allclose(floats(found["probability_yes"]), np.mean(single, axis=0), rtol=1e-6)
        assert [answer == "yes" for answer in found["answer"]] == (np.mean(single, axis=0) > 0.5).tolist()


def test_the_average_of_numbers_is_in_their_own_units():
    """Each fold has its own mean and deviation of the target."""
    folds = [f"numbers/fold-{k}" for k in (1, 2, 3)]
    assert len({float(load_model(path).target.scaler.mean[0]) for path in folds}) == 3
    single = [floats(predictions(path, data="n.csv")["y"]) for path in folds]
    np.testing.assert_allclose(floats(predictions("numbers", data="n.csv")["y"]), np.mean(single, axis=0), rtol=1e-5)


def test_scores_of_several_runs():
    found = json.loads(run("evaluate", *FOLDS, "--json").stdout)
    scores = found["scores"]
    assert list(scores) == [*FOLDS, "mean", "deviation", "average"]
    assert (found["rows"], found["split"]) == (12, "test")
    losses = [scores[path]["loss"] for path in FOLDS]
    np.testing.assert_allclose(
        [scores["mean"]["loss"], scores["deviation"]["loss"]], [np.mean(losses), np.std(losses, ddof=1)]
    )
    assert scores["average"]["loss"] <= scores["mean"]["loss"]  # a log loss is convex
    single = json.loads(run("evaluate", FOLDS[0], "--json").stdout)
    assert single["loss"] == losses[0]
    assert json.loads(run("evaluate", "runs/small", "--json").stdout) == found
    on_table = json.loads(run("evaluate", *FOLDS, "table.csv", "--json").stdout)
    assert on_table["rows"] == 60
    average = run("evaluate", "runs/small/model.npz", "table.csv", "--json").stdout
    np.testing.assert_allclose(json.loads(average)["loss"], on_table["scores"]["average"]["loss"], rtol=1e-12)
    assert "runs/small, an average: 60 rows of table.csv" in run("evaluate", "runs/small", "table.csv").stdout


def test_the_cost_of_an_average_is_that_of_its_probabilities():
    P = floats(predictions("runs/small")["probability_yes"])
    with open("table.csv", newline="") as file:
        yes = np.array([row["answer"] == "yes" for row in csv.DictReader(file)])
    loss = json.loads(run("evaluate", "runs/small", "table.csv", "--json").stdout)["loss"]
    np.testing.assert_allclose(loss, -np.log(np.where(yes, P, 1 - P)).mean(), rtol=1e-5)


def test_folds_without_rows_for_testing_have_an_average_without_scores():
    done = run("train", "small.yaml", "--folds", "2", "--out", "untested", "--set", "data.split.test=0")
    assert "no rows for testing in common" in done.stdout
    assert "fold-1: best epoch" in done.stderr
    assert len(predictions("untested")["probability_yes"]) == 60
    assert "different valid rows" in run("evaluate", "untested", code=2).stderr


def test_seeds_share_their_test_rows_and_differ():
    run("train", "small.yaml", "--seeds", "2", "--out", "seeds", "-q")
    tables = [json.loads(Path(f"seeds/seed-{seed}/run.json").read_text()) for seed in (3, 4)]
    assert [facts["seed"] for facts in tables] == [3, 4]
    assert "2 runs, 12 rows of test" in run("evaluate", "seeds/seed-3", "seeds/seed-4").stdout
    run("train", "small.yaml", "--out", "alone", "-q")  # a split of its own, by the same seed
    assert np.array_equal(load_model("seeds/seed-3").network.theta, load_model("alone").network.theta)


def test_runs_that_do_not_go_together_are_refused():
    run("train", "small.yaml", "--out", "other", "-q", "--set", "training.seed=9")
    assert "different test rows: name a table" in run("evaluate", FOLDS[0], "other", code=2).stderr
    assert "one target and one loss" in run("evaluate", FOLDS[0], "numbers/fold-1", "table.csv", code=3).stderr
    assert "leave out DATA" in run("evaluate", *FOLDS, "table.csv", "--split", "test", code=2).stderr
    assert "name DATA" in run("evaluate", *FOLDS, "--set", "data.decimal=,", code=2).stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--folds", "2", "--seeds", "2"], "keep one"),
        (["--folds", "1"], "1 is not in the range"),
        (["--folds", "2", "--set", "data.split.order=a"], "data.split.folds: are drawn"),
        (["--folds", "2", "--set", "data.valid_path=table.csv"], "data.valid_path"),
        (["--folds", "90"], "leaves 0 of 60 rows for valid"),
        (["--seeds", "2", "--out", "runs"], "is not empty"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, words):
    done = CliRunner().invoke(cli, ["train", "small.yaml", *options], prog_name="mlp")
    assert done.exit_code in (2, 3)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_member_that_fails_is_told_and_the_others_are_whole():
    done = run("train", "small.yaml", "--seeds", "2", "--out", "bad", "--set", "optimizer.learning_rate=1e30", code=4)
    assert "not finished: seed-3, seed-4\n" in done.stderr
    assert "diverged" in done.stderr
    assert not Path("bad/model.npz").exists()
    assert Path("bad/seed-3/last.npz").exists()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_all_members(number, tmp_path):
    command = [
        sys.executable,
        "-m",
        "mlp",
        "train",
        "small.yaml",
        "--folds",
        "2",
        "--out",
        str(tmp_path / "f"),
        "--set",
    ]
    endless = ["training.epochs=1000000", "--set", "training.early_stopping=null"]
    process = subprocess.Popen([*command, *endless], stderr=subprocess.PIPE, text=True)
    members = [tmp_path / "f" / f"fold-{k}" for k in (1, 2)]
    for _ in range(600):
        if any((member / "last.npz").exists() for member in members):
            break
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (130, 143), said
    assert "not finished: " in said
    started = [member for member in members if (member / "run.json").exists()]
    for member in started:
        facts = json.loads((member / "run.json").read_text())
        assert facts["status"] == "interrupted"
        assert (member / "last.npz").exists()


def test_an_average_of_a_strangers_file():
    header, arrays = read_arrays(Path("runs/small/model.npz"), KIND)
    assert isinstance(load("runs/small"), Average)
    with pytest.raises(FileError, match="does not hold a model"):
        load_model("runs/small")

    def refused(words, header=header, arrays=arrays):
        Path("m.npz").write_bytes(archive_bytes(KIND, header, arrays))
        with pytest.raises(FileError, match=words):
            load("m.npz")

    refused("members: expected a list", {"members": []})
    refused("members: expected a list", {**header, "loss": "x"})
    refused("members: expected a list", {"members": header})
    refused("unknown array 'W1'", arrays={**arrays, "W1": np.ones(2)})
    refused("unknown array '4.W1'", arrays={**arrays, "4.W1": np.ones(2)})
    refused("missing array", arrays={name: array for name, array in arrays.items() if name != "2.W1"})
    refused("does not hold a model", {"members": [3, *header["members"][1:]]})
    nested = {"members": [{"members": header["members"]}]}
    refused("does not hold a model", nested, {f"1.{name}": array for name, array in arrays.items()})
    numbers, others = read_arrays(Path("numbers/model.npz"), KIND)
    mixed = {"members": [header["members"][0], numbers["members"][0]]}
    own = {name: array for name, array in arrays.items() if name.startswith("1.")}
    own |= {f"2.{name[2:]}": array for name, array in others.items() if name.startswith("1.")}
    refused("one target and one loss", mixed, own)

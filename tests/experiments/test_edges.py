"""Numbers at the edge, forms that are not known, and places that are none: what is said, and the exit code."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_runs import write_problem

from mlp.cli.commands import cli


@pytest.fixture(autouse=True)
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_problem(epochs=3)


def said(*arguments, code):
    done = CliRunner().invoke(cli, arguments, prog_name="mlp")
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done.stderr


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("optimizer=adam", "optimizer: expected a mapping such as {name: adam, learning_rate: 1e-3}, got 'adam'"),
        ("training.schedule=cosine", "training.schedule: expected a mapping such as {name: cosine}, got 'cosine'"),
        ("training.early_stopping=5", "training.early_stopping: expected a mapping such as {patience: 10}, got 5"),
        ("training.plateau=5", "training.plateau: expected a mapping such as {factor: 0.1, patience: 10}, got 5"),
        ("network.layers=[64, 32]", "network.layers.1: expected a mapping such as {units: 64}, got 32"),
        ("data=a.csv", "data: expected a mapping such as {path: table.csv, target: y}, got 'a.csv'"),
        ("data.split.valid=20%", "data.split.valid: expected a number, got '20%' (a share is written as 0.2)"),
        ("network.layers=[{gain: 1}]", "network.layers.0.gain: expected true or false, got 1"),
        ("network.layers=[{gain: false}]", "network.layers.0.gain: expected true, or no such layer, got false"),
        ("training.monitor=errr", "one of loss, epoch, accuracy, got 'errr'; error stands for accuracy"),
        ("network.layers=[{units: 8, initialization: {uniform: 1e308}}]", "a number > 0, at most 1e+36"),
        ("network.layers=[{units: 8, initialization: {normal: 1e39}}]", "a number > 0, at most 1e+36"),
    ],
)
def test_the_form_is_said(path, setting, words):
    assert words in said("train", path, "--set", setting, code=2)


LIKELY = "the likely cause is "
RAISED = "training.schedule, which has raised the learning rate"


@pytest.mark.parametrize(
    ("setting", "cause"),
    [
        ("training.schedule={name: step, every: 1, factor: 1e308}", RAISED),
        (
            "training.schedule={name: step, every: 0.001, factor: 10}",
            RAISED,
        ),
        ("training.schedule={name: exponential, decay: 1e308}", RAISED),
        ("training.l2=1e30", "training.l2 (1e+30): a step takes more than the weight away"),
        ("optimizer={name: sgd, learning_rate: 1e30}", "a learning rate (1e+30) that is too large"),
        ("network.layers=[{units: 8, initialization: {normal: 1e36}}]", "a learning rate"),
    ],
)
def test_a_divergence_names_its_cause(path, setting, cause):
    settings = ("--set", "training.clip=null", "--set", setting)
    assert LIKELY + cause in said("train", path, "--out", "run", "-q", "--no-plot", *settings, code=4)


def test_rates_that_change_nothing_train(path):
    said("train", path, "--out", "run", "-q", "--no-plot", "--set", "optimizer.learning_rate=1e-320", code=0)


def test_places_that_are_none(path):
    os.symlink("nowhere", "link")
    assert "--out link: is a link to nowhere, which is not there" in said("train", path, "--out", "link", code=2)
    assert not Path("nowhere").exists()
    if hasattr(os, "mkfifo"):
        os.mkfifo("pipe")
        assert "--out pipe: is no directory" in said("train", path, "--out", "pipe", code=2)
    assert "an empty name" in said("train", path, "--out", "", code=2)


def test_an_early_stopped_run_says_how_more_is_had(path):
    early = ("--set", "training.early_stopping={patience: 1}", "--set", "training.epochs=40")
    said("train", path, "--out", "run", "-q", "--no-plot", *early, "--set", "optimizer.learning_rate=5", code=0)
    words = said("resume", "run", "--set", "training.epochs=80", code=0)
    assert "it stopped early at epoch" in words
    assert "train a new run with another training.early_stopping.patience" in words

"""SIGKILL at any moment, and at every single thing that is done to a file: what is on disk loads, and a resume ends as
if nothing had happened."""

import os
import shutil
import time
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from killing import FOLDER, Killer
from small_runs import ADAM, ALL_AT_ONCE, SGD, outcome, write_problem

from mlp.experiments import checkpoint
from mlp.experiments.config.load import load_config
from mlp.experiments.model import load_model
from mlp.experiments.run import FILES
from mlp.experiments.storage.archive import read_arrays
from mlp.experiments.storage.metrics_csv import read_metrics
from mlp.experiments.storage.run_folder import read_facts

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")

KILLED = -9


@pytest.fixture(scope="module")
def killer():
    process = Killer()
    yield process
    process.close()


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_problem


def loads(folder):
    """Assert that each file of a run is whole, or absent; returns the names of those that are there."""
    readers = {
        "config.yaml": load_config,
        "run.json": lambda path: read_facts(path.parent),
        "metrics.csv": lambda path: read_metrics(path.parent),
        "model.npz": load_model,
        "last.npz": lambda path: read_arrays(path, checkpoint.KIND),
        "loss.png": matplotlib.image.imread,
        ".lock": lambda path: path.stat(),
    }
    assert set(readers) == set(FILES)
    found = [name for name in FILES if (folder / name).exists()]
    for name in found:
        readers[name](folder / name)
    return found


def check_survived(killer, folder, whole):
    """What is left loads, goes on, and ends as the run that was not killed; nothing temporary stays behind."""
    found = loads(folder) if folder.exists() else []
    if "run.json" not in found:  # killed before it was a run: nothing is lost, and nothing can go on
        assert "last.npz" not in found
        return
    code = killer.job("resume", str(folder), "--no-plot", "-q", pause=1e9)
    assert code == 0, Path("output.txt").read_text()
    assert read_facts(folder)["status"] == "finished"
    assert outcome(folder) == whole
    assert {path.name for path in folder.iterdir()} <= set(FILES)


FEW_OR_ALL = pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.long)], ids=["few", "all"])


@FEW_OR_ALL
def test_a_kill_at_every_event(killer, config, step):
    """Before each opening, flush, renaming and removal of a file of the run, with half of what was to be flushed."""
    config(ADAM, ALL_AT_ONCE, epochs=2)
    train = ["train", "small.yaml", "--no-plot", "-q", "--out"]
    assert killer.job(*train, FOLDER) == 0, Path("output.txt").read_text()
    events, whole = int(Path("events").read_text()), outcome(Path(FOLDER))
    assert events > 60
    for event in range(1, events + 1, step):
        folder = Path(f"{event}", FOLDER)
        assert killer.job(*train, str(folder), event=event) == KILLED
        check_survived(killer, folder, whole)


@FEW_OR_ALL
def test_a_kill_at_every_event_of_a_resume(killer, config, step):
    """The same for what a resume does to the files of a run that was killed in the middle of an epoch."""
    config(epochs=2)
    train = ["train", "small.yaml", "--no-plot", "-q", "--out"]
    assert killer.job(*train, FOLDER) == 0
    whole = outcome(Path(FOLDER))
    start = next(event for event in range(60, 200) if killed_within_an_epoch(killer, train, event))
    shutil.copytree(f"{start}", "again")
    assert killer.job("resume", f"again/{FOLDER}", "--no-plot", "-q") == 0
    events = int(Path("events").read_text())
    assert events > 40
    for event in range(1, events + 1, step):
        folder = Path(f"{event}-again", FOLDER)
        shutil.copytree(Path(f"{start}", FOLDER), folder)
        assert killer.job("resume", str(folder), "--no-plot", "-q", event=event) == KILLED
        check_survived(killer, folder, whole)


def killed_within_an_epoch(killer, train, event):
    assert killer.job(*train, f"{event}/{FOLDER}", event=event) == KILLED
    header, _ = read_arrays(Path(f"{event}/{FOLDER}/last.npz"), checkpoint.KIND)
    return header["epoch"] == 1 and header["unfinished"]


@pytest.mark.long
@pytest.mark.parametrize(("optimizer", "extra"), [(SGD, ""), (ADAM, ALL_AT_ONCE)], ids=["sgd", "adam, all at once"])
def test_a_hundred_kills_at_random_moments(killer, config, optimizer, extra):
    """Twice, to make two hundred. The resume is killed too, at a random moment, before one that ends."""
    config(optimizer, extra, epochs=6)
    train = ["train", "small.yaml", "-q", "--out"]
    started = time.monotonic()
    assert killer.job(*train, FOLDER, "--no-plot") == 0
    seconds, whole = time.monotonic() - started, outcome(Path(FOLDER))
    rng = np.random.default_rng(0)
    kills = 0
    while kills < 100:
        folder = Path(f"{kills}", FOLDER)
        shutil.rmtree(folder.parent, ignore_errors=True)
        plot = ["--no-plot"] * int(rng.random() < 0.9)
        if killer.job(*train, str(folder), *plot, seconds=rng.uniform(0, seconds)) == KILLED:
            kills += 1
            found = loads(folder) if folder.exists() else []
            if "run.json" in found and rng.random() < 0.5:
                killer.job("resume", str(folder), "--no-plot", seconds=rng.uniform(0, seconds))
            check_survived(killer, folder, whole)

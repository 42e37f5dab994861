"""Run directories: what is in them, and that killing, resuming and extending changes nothing about the result."""

import contextlib
import json
import os
import signal
from pathlib import Path

import numpy as np
import processes
import pytest
from click.testing import CliRunner
from small_runs import ADAM, ALL_AT_ONCE, COSINE, SGD, assert_same, outcome, write_problem

from mlp import Progress, UnfinishedEpoch
from mlp.cli.commands import cli
from mlp.experiments import run as run_module
from mlp.experiments.assemble import prepare
from mlp.experiments.checkpoint import checkpoint_bytes
from mlp.experiments.config.load import load_config
from mlp.experiments.model import load_model
from mlp.experiments.start import continue_run, open_run, start_run
from mlp.experiments.storage.metrics_csv import read_metrics


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A config of a small problem in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return write_problem


@pytest.fixture
def always_saved(monkeypatch):
    """The state is saved after every minibatch, without the wait for the disk, which only a power cut needs."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setattr(run_module, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(run_module, "SHARE_OF_CHECKPOINTS", np.inf)


def mlp(*arguments):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    return result


def train_epochs(path, folder, epochs):
    """Train and stop, as a crash would, after so many epochs."""
    run = start_run(prepare(load_config(path)), out=Path(folder), argv=[])
    with contextlib.closing(run.epochs()) as records:
        for record in records:
            if record.epoch == epochs:
                break


def test_the_files_of_a_run(config):
    assert mlp("train", config()).exit_code == 0
    assert mlp("train", "small.yaml", "--no-plot").exit_code == 0
    folder = Path("runs/small")
    assert {path.name for path in folder.iterdir()} - {".lock"} == {
        "config.yaml", "run.json", "metrics.csv", "model.npz", "last.npz", "loss.png"
    }  # fmt: skip
    assert not Path("runs/small-2/loss.png").exists()  # a second run has a directory of its own
    facts = json.loads((folder / "run.json").read_text())
    assert facts["status"] == "finished"
    assert facts["seed"] == 3
    assert facts["rows"] == {"train": 36, "valid": 12, "test": 12}
    assert {"argv", "versions", "blas", "simd", "sha256", "best_epoch", "seconds", "scores"} <= set(facts)
    resolved = load_config(folder / "config.yaml").config
    assert resolved == load_config(config()).config  # paths included, though they are relative to another folder
    assert "loss:\n  name: softmax_cross_entropy" in (folder / "config.yaml").read_text()
    rows = read_metrics(folder)
    assert [row["epoch"] for row in rows] == list(range(1, 13))
    assert set(rows[0]) == {
        "epoch", "train_loss", "valid_loss", "valid_accuracy", "learning_rate", "gradient_norm"
    }  # fmt: skip
    assert not [path for path in folder.iterdir() if path.suffix == ".tmp"]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(config):
    config()
    for out in ("one", "two"):
        assert mlp("train", "small.yaml", "--out", out).exit_code == 0
    assert_same("one", "two")
    assert mlp("train", "small.yaml", "--out", "other", "--set", "training.seed=4").exit_code == 0
    assert outcome("one")["last.npz"] != outcome("other")["last.npz"]


@pytest.mark.parametrize(
    ("optimizer", "extra"),
    [
        (SGD, ""),
        (ADAM, f"schedule: {COSINE}"),
        (SGD, "schedule: {name: step, every: 3, factor: 0.5, warm_up: 1}, early_stopping: {patience: 4}"),
        (ADAM, "schedule: {name: exponential, decay: 0.9}, train_loss: epoch_end"),
        (ADAM, "plateau: {factor: 0.5, patience: 1}, monitor: accuracy"),
    ],
)
@pytest.mark.parametrize("k", [1, 5])
def test_stopping_and_resuming_changes_nothing(always_saved, config, optimizer, extra, k):
    path = config(optimizer, extra)
    assert mlp("train", path, "--out", "whole").exit_code == 0
    train_epochs(path, "parts", k)
    result = mlp("resume", "parts")
    assert result.exit_code == 0, result.output
    assert_same("whole", "parts")


@pytest.mark.parametrize(("optimizer", "extra"), [(SGD, ""), (ADAM, ALL_AT_ONCE)])
def test_stopping_after_every_single_minibatch_changes_nothing(config, optimizer, extra):
    """A run that is stopped and opened again after each of its minibatches, one after the other."""
    path = config(optimizer, extra, epochs=6)
    assert mlp("train", path, "--out", "whole").exit_code == 0
    run = start_run(prepare(load_config(path)), out=Path("parts"), argv=[])
    while True:
        run.stop()
        with run:
            list(run.epochs())
        if run.finished:
            break
        assert json.loads(Path("parts/run.json").read_text())["status"] == "interrupted"
        run = open_run(Path("parts"))
        continue_run(run, argv=[])
    assert_same("whole", "parts")
    resumed = json.loads(Path("parts/run.json").read_text())["resumed"]
    places = [(epoch, minibatch) for epoch in range(6) for minibatch in range(6)]  # 5 minibatches, and the evaluation
    assert [(row["epoch"], row["minibatch"]) for row in resumed] == places[1:]


@pytest.mark.parametrize("epoch", [1, 7, 12])
def test_a_stop_that_is_asked_for_while_an_epoch_is_looked_at_is_saved_too(config, monkeypatch, epoch):
    path = config()
    monkeypatch.setattr(run_module, "SECONDS_BETWEEN_CHECKPOINTS", 1e9)
    assert mlp("train", path, "--out", "whole").exit_code == 0
    with start_run(prepare(load_config(path)), out=Path("parts"), argv=[]) as run:
        for record in run.epochs():
            if record.epoch == epoch:
                run.stop()
    assert json.loads(Path("parts/run.json").read_text())["epochs_done"] == epoch
    assert mlp("resume", "parts").exit_code == 0
    assert_same("whole", "parts")


def test_an_epoch_that_has_not_begun_is_no_unfinished_epoch(config):
    """As where its first minibatch diverged: the state is that of the end of the epoch before, to the last byte."""
    experiment, progress = prepare(load_config(config())), Progress()
    next(experiment.epochs(progress))
    before = checkpoint_bytes(experiment, progress)
    progress.unfinished = UnfinishedEpoch(experiment.rng.bit_generator.state)
    experiment.rng.permutation(36)
    assert checkpoint_bytes(experiment, progress) == before


@pytest.mark.parametrize("epochs", [3, 2])
def test_fewer_epochs_than_are_under_way_are_refused(always_saved, config, epochs):
    """The state at the end of the third epoch is gone when the fourth has begun."""
    run = start_run(prepare(load_config(config())), out=Path("run"), argv=[])
    with run:
        for record in run.epochs():
            if record.epoch == 3:
                break
        for _ in range(2):  # two minibatches of the fourth
            run.stop()
            list(run.epochs())
    before = outcome("run")
    result = mlp("resume", "run", "--set", f"training.epochs={epochs}")
    assert result.exit_code == 2
    assert f"cannot go back to {epochs}" in result.stderr
    assert ("epoch 4 is under way already" if epochs == 3 else "3 epochs are done already") in result.stderr
    assert outcome("run") == before


def test_a_run_that_ends_earlier_than_it_was_to_is_one_that_was_to_end_there(always_saved, config):
    path = config()
    assert mlp("train", path, "--out", "whole", "--set", "training.epochs=5").exit_code == 0
    train_epochs(path, "parts", 5)
    assert mlp("resume", "parts", "--set", "training.epochs=5").exit_code == 0
    assert_same("whole", "parts")
    assert "identical" in mlp("train", "--replay", "parts").stdout


def test_a_model_that_is_gone_is_written_again(config):
    assert mlp("train", config(), "--out", "run").exit_code == 0
    before = outcome("run")
    Path("run/model.npz").unlink()
    assert mlp("resume", "run").exit_code == 0
    assert outcome("run") == before


def test_metrics_that_do_not_begin_as_such_are_left_alone(config):
    assert mlp("train", config(), "--out", "run").exit_code == 0
    lines = Path("run/metrics.csv").read_text().splitlines(keepends=True)
    for content in ("".join(lines[1:]), "a,b\n1,2\n"):
        Path("run/metrics.csv").write_text(content)
        result = mlp("resume", "run", "--set", "training.epochs=14")
        assert result.exit_code == 3
        assert "metrics.csv: does not begin with the names of columns" in result.stderr
        assert Path("run/metrics.csv").read_text() == content


@pytest.mark.parametrize("cell", ["9" * 5000, "-1", "", "²", "1e3"])
def test_rows_that_are_none_are_left_out(config, cell):
    assert mlp("train", config(), "--out", "run").exit_code == 0
    lines = Path("run/metrics.csv").read_text().splitlines(keepends=True)
    Path("run/metrics.csv").write_text("".join([*lines[:5], f"{cell},1,1\n", *lines[5:]]))
    assert mlp("resume", "run", "--set", "training.epochs=14").exit_code == 0
    assert [row["epoch"] for row in read_metrics(Path("run"))] == list(range(1, 15))


def test_the_model_on_disk_is_always_that_of_the_best_epoch_so_far(always_saved, config):
    run = start_run(prepare(load_config(config("{name: sgd, learning_rate: 2.0}"))), out=Path("run"), argv=[])
    best = []
    for _ in run.epochs():
        best.append(run.progress.best_epoch)
        assert load_model("run").epoch == best[-1]
    assert 1 < len(set(best)) < 12  # some epochs are better than all before, and some are not


def test_resuming_twice_changes_nothing(always_saved, config):
    path = config(ADAM)
    assert mlp("train", path, "--out", "whole").exit_code == 0
    train_epochs(path, "parts", 3)
    for record in open_run(Path("parts")).epochs():
        if record.epoch == 7:
            break
    assert mlp("resume", "parts").exit_code == 0
    assert_same("whole", "parts")


def test_a_finished_run_is_extended_as_if_it_had_been_longer(config):
    path = config(ADAM, f"schedule: {COSINE}")
    assert mlp("train", path, "--out", "whole", "--set", "training.epochs=20").exit_code == 0
    assert mlp("train", path, "--out", "parts").exit_code == 0
    assert "nothing to do" in mlp("resume", "parts").stderr
    assert mlp("resume", "parts", "--set", "training.epochs=20").exit_code == 0
    assert_same("whole", "parts")
    assert load_config("parts/config.yaml").config.training.epochs == 20


@pytest.mark.parametrize("end", ["crash", "interrupt"])
def test_a_run_that_ended_before_its_second_checkpoint_starts_again(config, monkeypatch, end):
    path = config()
    monkeypatch.setattr(run_module, "SECONDS_BETWEEN_CHECKPOINTS", 1e9)
    assert mlp("train", path, "--out", "whole").exit_code == 0
    if end == "crash":
        train_epochs(path, "parts", 2)
    else:
        with (
            contextlib.suppress(KeyboardInterrupt),
            start_run(prepare(load_config(path)), out=Path("parts"), argv=[]) as run,
        ):
            for record in run.epochs():
                if record.epoch == 3:
                    raise KeyboardInterrupt
    assert json.loads(Path("parts/run.json").read_text())["epochs_done"] == 0
    result = mlp("resume", "parts")
    assert result.exit_code == 0
    assert "going on after epoch 0; 12 epochs in all" in result.stderr
    assert_same("whole", "parts")


def test_a_checkpoint_that_is_gone_is_not_trained_over(always_saved, config):
    train_epochs(config(), "parts", 2)
    Path("parts/last.npz").unlink()
    result = mlp("resume", "parts")
    assert result.exit_code == 3
    assert "2 epochs are done" in result.stderr


def test_metrics_beyond_the_checkpoint_and_a_row_cut_short_are_written_again(always_saved, config):
    path = config()
    assert mlp("train", path, "--out", "whole").exit_code == 0
    train_epochs(path, "parts", 5)
    metrics = Path("parts/metrics.csv")
    metrics.write_text(metrics.read_text() + "6,0.1,0.1,0.1,0.1,0.1,0.1\n7,0.2,0.")
    assert mlp("resume", "parts").exit_code == 0
    assert_same("whole", "parts")


def test_sigkill_and_resume(config):
    path = config(ADAM)
    assert mlp("train", path, "--out", "whole").exit_code == 0
    kill = "if record.epoch == 6: os.kill(os.getpid(), signal.SIGKILL)"
    assert processes.run("train", path, "--out", "parts", each_epoch=kill)[0] == -signal.SIGKILL
    assert len(read_metrics(Path("parts"))) == 6
    assert mlp("resume", "parts").exit_code == 0
    assert_same("whole", "parts")


def test_resume_refuses_what_it_cannot_do_exactly(config):
    path = config()
    assert mlp("train", path, "--out", "run").exit_code == 0
    before = {file.name: file.read_bytes() for file in Path("run").iterdir()}
    result = mlp("resume", "run", "--set", "training.batch_size=4")
    assert result.exit_code == 2
    assert "training.batch_size" in result.stderr
    result = mlp("resume", "run", "--set", "training.epochs=5")
    assert result.exit_code == 2
    assert "12 epochs are done already" in result.stderr
    table = Path("table.csv")
    table.write_text(table.read_text().replace("yes", "yes ", 1))
    result = mlp("resume", "run", "--set", "training.epochs=20")
    assert result.exit_code == 3
    assert "table.csv: has changed since the run started" in result.stderr
    result = mlp("resume", "nowhere")
    assert result.exit_code == 3
    assert "nowhere: not a run directory" in result.stderr
    assert {file.name: file.read_bytes() for file in Path("run").iterdir()} == before


def test_a_seed_that_was_drawn_is_kept(config):
    path = config()
    Path(path).write_text(Path(path).read_text().replace("seed: 3", "seed: null"))
    result = mlp("train", path, "--out", "one")
    seed = json.loads(Path("one/run.json").read_text())["seed"]
    assert f"seed {seed}" in result.stderr
    assert mlp("train", "one/config.yaml", "--out", "two").exit_code == 0
    assert_same("one", "two")


def test_the_last_split_is_evaluated_with_the_best_epoch(config):
    assert mlp("train", config(), "--out", "run").exit_code == 0
    facts = json.loads(Path("run/run.json").read_text())
    for split, scores in facts["scores"].items():
        found = json.loads(mlp("evaluate", "run", "--split", split, "--json").stdout)
        assert {name: found[name] for name in scores} == scores
        assert found["rows"] == facts["rows"][split]
        assert np.trace(found["confusion"]["answer"]["counts"]) == round(scores["accuracy"] * found["rows"])
    assert json.loads(mlp("evaluate", "run", "--json").stdout)["split"] == "test"
    valid = [row["valid_loss"] for row in read_metrics(Path("run"))]
    np.testing.assert_allclose(facts["scores"]["valid"]["loss"], min(valid), rtol=1e-6)


def test_inputs_are_standardized_by_the_training_rows_alone(config):
    config()
    rows = Path("table.csv").read_text().splitlines()
    Path("table.csv").write_text("\n".join(rows[:41]))
    Path("far.csv").write_text("\n".join([rows[0], *(f"{1000 + i},5,5,yes" for i in range(5)), "1000,5,5,no"]))
    options = ["--set", "data.split={test: 0.2}", "--set", "data.valid_path=far.csv", "--out", "run"]
    assert mlp("train", "small.yaml", *options).exit_code == 0
    experiment = prepare(load_config("run/config.yaml"))
    X, _ = experiment.splits["train"]
    assert len(X) == 32
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(X.std(axis=0), 1, atol=1e-6)
    assert experiment.splits["valid"][0][:, 0].min() > 500
    model = load_model("run")
    assert np.array_equal(model.coding.scaler.mean, experiment.model.coding.scaler.mean)


def test_a_run_is_found_again_through_links_and_from_elsewhere(config, tmp_path, monkeypatch):
    path = config()
    (tmp_path / "scratch/deep").mkdir(parents=True)
    Path("runs").symlink_to(tmp_path / "scratch/deep")
    assert mlp("train", path).exit_code == 0
    assert mlp("evaluate", "runs/small").exit_code == 0
    monkeypatch.chdir("scratch")
    assert mlp("evaluate", "deep/small").exit_code == 0
    assert mlp("resume", "deep/small", "--set", "training.epochs=14").exit_code == 0


def test_a_run_that_is_moved_without_its_data_goes_on_when_it_is_told_where_they_are(config, tmp_path):
    path = config()
    assert mlp("train", path, "--out", "whole", "--set", "training.epochs=14").exit_code == 0
    assert mlp("train", path, "--out", "run").exit_code == 0
    (tmp_path / "elsewhere/below").mkdir(parents=True)
    moved = Path("run").rename("elsewhere/below/run")
    result = mlp("resume", moved, "--set", "training.epochs=14")
    assert result.exit_code == 3
    assert "data.path" in result.stderr
    text = (moved / "config.yaml").read_text()
    (moved / "config.yaml").write_text(text.replace("../table.csv", str(tmp_path / "table.csv")))
    assert mlp("resume", moved, "--set", "training.epochs=14").exit_code == 0
    assert_same("whole", moved)


def test_an_absolute_path_of_the_data_stays_one(config, tmp_path):
    path = config()
    assert mlp("train", path, "--set", f"data.path={tmp_path}/table.csv", "--out", "run").exit_code == 0
    (tmp_path / "elsewhere/below").mkdir(parents=True)
    Path("run").rename("elsewhere/below/run")
    assert mlp("evaluate", "elsewhere/below/run").exit_code == 0


def test_answers_that_are_not_finite_are_refused(config):
    assert (
        mlp("train", config(), "--out", "run", "--set", "network.layers=[{units: 4, activation: relu}]").exit_code == 0
    )
    Path("far.csv").write_text("a,b,c\n1,2,3\n3e38,3e38,-3e38\n")
    result = mlp("predict", "run", "far.csv")
    assert result.exit_code == 3
    assert "far.csv: " in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""
    model = load_model("run")
    for X in (np.zeros((3, 1)), np.zeros(3), np.zeros((2, 4))):
        with pytest.raises(ValueError, match="expected \\(N, 3\\)"):
            model.predict(X)
    with pytest.raises(ValueError, match="not finite"):
        model.predict(np.array([[0, np.inf, 0]]))
    filled = model.predict(np.array([[0, model.coding.fill[1], 0]]))
    assert model.predict(np.array([[0, np.nan, 0]])).items() == filled.items()


def test_answers_keep_the_digits_that_they_have(config):
    config()
    x = np.linspace(0, 1, 60)
    Path("time.csv").write_text("x,t\n" + "\n".join(f"{a:.4f},{1.7e9 + a:.9f}" for a in x))
    arguments = ["--set", "data={path: time.csv, target: t}", "--set", "task=regression", "--set", "training.epochs=60"]
    assert mlp("train", "small.yaml", *arguments, "--out", "run").exit_code == 0
    rows = mlp("predict", "run", "time.csv").stdout.splitlines()[1:]
    answers = np.array([float(row) for row in rows]) - 1.7e9
    assert np.sqrt(np.mean((answers - x) ** 2)) < 0.05
    assert max(len(row) for row in rows) <= 19  # and no digits that single precision does not have


def test_a_one_hot_array_is_not_taken_for_one_column(config):
    config()
    np.savez("hot.npz", X=np.random.default_rng(0).normal(size=(60, 3)), y=np.eye(3)[np.arange(60) % 3])
    result = mlp("train", "small.yaml", "--set", "data={path: hot.npz, target: y}", "--out", "run")
    assert result.exit_code == 3
    assert "3 target columns" in result.stderr
    assert not Path("run").exists()


def test_a_blank_line_in_one_column_is_not_an_example_less(config):
    config()
    Path("one.csv").write_text("x,y\n" + "\n".join(f"{i},{2 * i}" for i in range(30)) + "\n\n")
    arguments = ["--set", "data={path: one.csv, target: y}", "--set", "task=regression"]
    assert mlp("train", "small.yaml", *arguments, "--out", "run").exit_code == 0
    Path("new.csv").write_text("x\n1\n\n3\n\n")
    result = mlp("predict", "run", "new.csv")
    assert len(result.stdout.splitlines()) == 4
    assert "note: column 'x': 1 rows have no value" in result.stderr
    Path("new.csv").write_text("x\n1\n3\n\n\n")
    assert len(mlp("predict", "run", "new.csv").stdout.splitlines()) == 3

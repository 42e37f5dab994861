"""Run directories: what is in them, and that killing, resuming and extending changes nothing about the result."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mlp.cli import cli
from mlp.experiments import run as run_module
from mlp.experiments.config import load_config
from mlp.experiments.metrics_csv import read_metrics
from mlp.experiments.model import load_model
from mlp.experiments.prepare import prepare
from mlp.experiments.run import open_run, start_run

SGD = "{name: sgd, learning_rate: 0.1, momentum: 0.9, nesterov: true}"
ADAM = "{name: adam, learning_rate: 0.01, weight_decay: 0.01}"
COSINE = "{name: cosine, epochs: 12, warm_up: 2}"


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A config of a small problem in an empty working directory; the state is saved after every minibatch."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_module, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(run_module, "SHARE_OF_CHECKPOINTS", np.inf)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    rows = [f"{a:.6f},{b:.6f},{c:.6f},{'yes' if a * b > 0 else 'no'}" for a, b, c in X]
    Path("table.csv").write_text("a,b,c,answer\n" + "\n".join(rows) + "\n")

    def write(optimizer=SGD, extra="", epochs=12):
        Path("small.yaml").write_text(
            "data: {path: table.csv, target: answer, split: {valid: 0.2, test: 0.2}}\n"
            "task: classification\n"
            "network: {layers: [{units: 7, activation: tanh}]}\n"
            f"optimizer: {optimizer}\n"
            f"training: {{epochs: {epochs}, batch_size: 8, seed: 3, l2: 1e-3, clip: 2{extra}}}\n"
        )
        return "small.yaml"

    return write


def mlp(*arguments):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    return result


def outcome(folder):
    """Everything that must not depend on interruptions, byte for byte: the final state, the model, the metrics."""
    return {name: (Path(folder) / name).read_bytes() for name in ("last.npz", "model.npz", "metrics.csv")}


def assert_same(one, other):
    for name, content in outcome(one).items():
        assert content == outcome(other)[name], name


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
    assert {path.name for path in folder.iterdir()} == {
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
    assert "loss: softmax_cross_entropy" in (folder / "config.yaml").read_text()
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
        (ADAM, f", schedule: {COSINE}"),
        (SGD, ", schedule: {name: step, every: 3, factor: 0.5, warm_up: 1}, early_stopping: {patience: 4}"),
        (ADAM, ", schedule: {name: exponential, decay: 0.9}, train_loss: epoch_end"),
    ],
)
@pytest.mark.parametrize("k", [1, 5])
def test_stopping_and_resuming_changes_nothing(config, optimizer, extra, k):
    path = config(optimizer, extra)
    assert mlp("train", path, "--out", "whole").exit_code == 0
    train_epochs(path, "parts", k)
    result = mlp("resume", "parts")
    assert result.exit_code == 0, result.output
    assert_same("whole", "parts")


def test_resuming_twice_changes_nothing(config):
    path = config(ADAM)
    assert mlp("train", path, "--out", "whole").exit_code == 0
    train_epochs(path, "parts", 3)
    for record in open_run(Path("parts")).epochs():
        if record.epoch == 7:
            break
    assert mlp("resume", "parts").exit_code == 0
    assert_same("whole", "parts")


def test_a_finished_run_is_extended_as_if_it_had_been_longer(config):
    path = config(ADAM, f", schedule: {COSINE}")
    assert mlp("train", path, "--out", "whole", "--set", "training.epochs=20").exit_code == 0
    assert mlp("train", path, "--out", "parts").exit_code == 0
    assert "nothing to do" in mlp("resume", "parts").stderr
    assert mlp("resume", "parts", "--set", "training.epochs=20").exit_code == 0
    assert_same("whole", "parts")
    assert load_config("parts/config.yaml").config.training.epochs == 20


@pytest.mark.parametrize("end", ["crash", "interrupt"])
def test_a_run_that_ended_before_its_second_checkpoint_starts_again(config, monkeypatch, end):
    path = config()
    assert mlp("train", path, "--out", "whole").exit_code == 0
    monkeypatch.setattr(run_module, "SECONDS_BETWEEN_CHECKPOINTS", 1e9)
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


def test_a_checkpoint_that_is_gone_is_not_trained_over(config):
    train_epochs(config(), "parts", 2)
    Path("parts/last.npz").unlink()
    result = mlp("resume", "parts")
    assert result.exit_code == 3
    assert "2 epochs are done" in result.stderr


def test_metrics_beyond_the_checkpoint_and_a_row_cut_short_are_written_again(config):
    path = config()
    assert mlp("train", path, "--out", "whole").exit_code == 0
    train_epochs(path, "parts", 5)
    metrics = Path("parts/metrics.csv")
    metrics.write_text(metrics.read_text() + "6,0.1,0.1,0.1,0.1,0.1,0.1\n7,0.2,0.")
    assert mlp("resume", "parts").exit_code == 0
    assert_same("whole", "parts")


def child(*arguments, after=""):
    """A real process that trains, saving every epoch; `after` is code that runs once an epoch."""
    code = (
        "import os, signal, sys, time\n"
        "from mlp.experiments import run\n"
        "run.SECONDS_BETWEEN_CHECKPOINTS, run.SHARE_OF_CHECKPOINTS = 0.0, float('inf')\n"
        "plain = run.Run.epochs\n"
        "def epochs(self):\n"
        "    for record in plain(self):\n"
        f"        {after or 'pass'}\n"
        "        yield record\n"
        "run.Run.epochs = epochs\n"
        "from mlp.cli import main\n"
        "main()\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_sigkill_and_resume(config):
    path = config(ADAM)
    assert mlp("train", path, "--out", "whole").exit_code == 0
    killed = child("train", path, "--out", "parts", after="if record.epoch == 6: os.kill(os.getpid(), signal.SIGKILL)")
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert len(read_metrics(Path("parts"))) == 6
    assert mlp("resume", "parts").exit_code == 0
    assert_same("whole", "parts")


def test_ctrl_c_says_how_to_go_on_and_exits_with_130(config):
    path = config(epochs=12)
    assert mlp("train", path, "--out", "whole").exit_code == 0
    process = child("train", path, "--out", "parts", after="time.sleep(0.2)")
    while not Path("parts/model.npz").exists():
        time.sleep(0.01)
        assert process.poll() is None, process.communicate()
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert "to go on: mlp resume parts" in stderr
    assert "Traceback" not in stderr
    assert json.loads(Path("parts/run.json").read_text())["status"] == "interrupted"
    assert Path("parts/model.npz").exists()
    assert mlp("resume", "parts").exit_code == 0
    assert_same("whole", "parts")


def test_divergence_exits_with_4_and_says_what_to_try(config):
    path = config("{name: sgd, learning_rate: 1e30}")
    result = mlp("train", path, "--set", "training.clip=null", "--out", "run")
    assert result.exit_code == 4
    last = result.stderr.strip().splitlines()[-1]
    assert "diverged: epoch 1, minibatch" in last
    assert "learning_rate" in last
    assert json.loads(Path("run/run.json").read_text())["status"] == "diverged"


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
    prepared = prepare(load_config("run/config.yaml"))
    X, _ = prepared.splits["train"]
    assert len(X) == 32
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(X.std(axis=0), 1, atol=1e-6)
    assert prepared.splits["valid"][0][:, 0].min() > 500
    model = load_model("run")
    assert np.array_equal(model.input_scaler.mean, prepared.model.input_scaler.mean)


def test_a_run_is_found_again_through_links_and_from_elsewhere(config, tmp_path, monkeypatch):
    path = config()
    (tmp_path / "scratch/deep").mkdir(parents=True)
    Path("runs").symlink_to(tmp_path / "scratch/deep")
    assert mlp("train", path).exit_code == 0
    assert mlp("evaluate", "runs/small").exit_code == 0
    monkeypatch.chdir("scratch")
    assert mlp("evaluate", "deep/small").exit_code == 0
    assert mlp("resume", "deep/small", "--set", "training.epochs=14").exit_code == 0


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
        model.predict(np.array([[0, np.nan, 0]]))


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
    assert result.exit_code == 3
    assert "missing values: 1 in 'x' (blank" in result.stderr
    Path("new.csv").write_text("x\n1\n3\n\n\n")
    assert len(mlp("predict", "run", "new.csv").stdout.splitlines()) == 3

"""A run that diverges: exit code 4, where and why in one line, what to try, and the last finite model on disk."""

import json
import re
from pathlib import Path

import numpy as np
import processes
import pytest
from click.testing import CliRunner
from small_runs import assert_same, write_problem

from mlp import DivergedError
from mlp.cli.commands import cli
from mlp.experiments import checkpoint
from mlp.experiments.advice import likely_cause
from mlp.experiments.config.load import load_config
from mlp.experiments.model import load_model
from mlp.experiments.storage.archive import read_arrays
from mlp.experiments.storage.metrics_csv import read_metrics

GROWS = "clip: null, schedule: {name: exponential, decay: 30}"  # the learning rate, thirtyfold an epoch
STEEP = "{name: sgd, learning_rate: 1e30}"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mlp(*arguments):
    result = CliRunner().invoke(cli, arguments)
    assert "Traceback" not in result.output
    return result


def diverge(*arguments):
    """The one line that a run which diverges ends with."""
    result = mlp(*arguments, "--no-plot", "--quiet")
    assert result.exit_code == 4, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert json.loads(Path("run/run.json").read_text())["status"] == "diverged"
    return line


def state():
    header, arrays = read_arrays(Path("run/last.npz"), checkpoint.KIND)
    assert all(np.isfinite(array).all() for array in arrays.values())
    return header, arrays["theta"]


def test_a_run_that_diverges_in_its_first_epoch_keeps_the_weights_from_before():
    write_problem(STEEP, "")
    line = diverge("train", "small.yaml", "--out", "run", "--set", "training.clip=null")
    match = re.fullmatch(
        r"diverged: epoch 1, minibatch (\d) of 5: cost (nan|inf|[\d.e+]+), gradient norm (nan|inf); first in [^;]+; "
        r"the likely cause is a learning rate \(1e\+30\) that is too large: try optimizer.learning_rate: 1e\+29, "
        r"or training.clip: 1; the last finite weights are in run/model.npz",
        line,
    )
    assert match, line
    header, theta = state()
    assert (header["epoch"], header["unfinished"]["minibatches"]) == (0, int(match[1]) - 1)
    model = load_model("run")
    assert model.epoch == 0
    assert np.array_equal(model.network.theta, theta)
    done = mlp("evaluate", "run")
    assert done.exit_code in (0, 3)  # finite weights, of any size
    assert done.exit_code == 3 or done.stdout.startswith("run, epoch 0: ")


def test_a_run_that_diverges_later_keeps_the_best_model_and_the_state_before_the_step():
    write_problem("{name: sgd, learning_rate: 0.01}", GROWS.replace("clip: null, ", ""), epochs=40)
    line = diverge("train", "small.yaml", "--out", "run", "--set", "training.clip=null")
    rows = read_metrics(Path("run"))
    best = int(min(rows, key=lambda row: row["valid_loss"])["epoch"])
    assert line.endswith(f"; the best model, of epoch {best}, is in run/model.npz")
    assert load_model("run").epoch == best
    header, _ = state()
    assert header["epoch"] == len(rows) >= 1
    assert re.search(rf"epoch {len(rows) + 1}, minibatch \d of 5|after epoch {len(rows) + 1}:", line)
    assert mlp("evaluate", "run").exit_code == 0
    before = Path("run/last.npz").read_bytes()
    assert diverge("resume", "run") == line  # from the state before the step, at the same step
    assert Path("run/last.npz").read_bytes() == before


def overflow(number):
    """Code that makes a weight infinite in the step with this number."""
    return (
        "import numpy as np, mlp.optimizers\n"
        "right, steps = mlp.optimizers.SGD.step, []\n"
        "def step(self, theta, theta_bar, eta):\n"
        "    right(self, theta, theta_bar, eta)\n"
        "    steps.append(1)\n"
        f"    if len(steps) == {number}:\n"
        "        theta[21] = np.inf\n"  # of W2
        "mlp.optimizers.SGD.step = step\n"
    )


def test_a_step_that_overflows_in_the_first_epoch_leaves_the_weights_of_the_last_checkpoint():
    write_problem("{name: sgd, learning_rate: 0.1}", "")
    code, _, stderr = processes.run("train", "small.yaml", "--quiet", "--out", "run", before=overflow(4))
    assert code == 4
    assert stderr.endswith("; the last finite weights are in run/model.npz\n")
    header, theta = state()
    assert (header["epoch"], header["unfinished"]["minibatches"]) == (0, 3)
    model = load_model("run")
    assert model.epoch == 0
    assert np.array_equal(model.network.theta, theta)


def test_a_step_that_overflows_keeps_the_state_of_the_last_checkpoint():
    write_problem("{name: sgd, learning_rate: 0.1}", "")
    code, stdout, stderr = processes.run(
        "train", "small.yaml", "--no-plot", "--quiet", "--out", "run", before=overflow(8)
    )
    assert (code, stdout) == (4, ""), stderr
    (line,) = stderr.splitlines()
    assert line.startswith("diverged: epoch 2, minibatch 4 of 5: cost nan, gradient norm nan; first in layer 2; ")
    assert line.endswith("; the best model, of epoch 1, is in run/model.npz")
    header, _ = state()
    assert (header["epoch"], header["unfinished"]["minibatches"]) == (1, 2)
    assert load_model("run").epoch == 1
    assert processes.run("resume", "run", "--no-plot", "--quiet")[0] == 0  # nothing overflows this time
    assert processes.run("train", "small.yaml", "--no-plot", "--quiet", "--out", "whole")[0] == 0
    assert_same("whole", "run")


def test_a_better_model_since_the_last_checkpoint_is_kept_though_the_step_overflowed():
    """The state of the last checkpoint is the start here, and the best epoch is in memory alone."""
    write_problem("{name: sgd, learning_rate: 0.1}", "")
    argv = ["train", "small.yaml", "--no-plot", "--quiet", "--out", "run"]
    code, _, stderr = processes.run(*argv, before=overflow(8), pause=1e9)
    assert code == 4
    assert stderr.endswith("; the best model, of epoch 1, is in run/model.npz\n")
    assert load_model("run").epoch == 1
    assert state()[0]["epoch"] == 0
    assert processes.run("resume", "run", "--no-plot", "--quiet")[0] == 0
    assert processes.run("train", "small.yaml", "--no-plot", "--quiet", "--out", "whole")[0] == 0
    assert_same("whole", "run")


def test_inputs_that_are_not_scaled_are_the_likely_cause():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 2))
    rows = [f"{1e6 * a:.3f},{b:.3f},{a + b:.3f}" for a, b in X]
    Path("table.csv").write_text("a,b,y\n" + "\n".join(rows) + "\n")
    Path("small.yaml").write_text(
        "data: {path: table.csv, target: y, standardize: false}\ntask: regression\n"
        "network: {layers: [{units: 4}]}\noptimizer: {name: sgd}\ntraining: {epochs: 20, seed: 0}\n"
    )
    line = diverge("train", "small.yaml", "--out", "run")
    assert re.search(
        r"; the likely cause is an input of \d(\.\d+)?e\+06, not scaled: try data.standardize: true; ", line
    )
    assert mlp("train", "small.yaml", "--set", "data.standardize=true", "--out", "better").exit_code == 0


def test_a_target_that_is_far_off_is_the_cause_also_after_an_epoch():
    """Among the validation rows, where no step meets it; the rate told is that of the last step, not 0."""
    rows = [f"{i % 9},{i % 7}" for i in range(40)]
    Path("table.csv").write_text("a,y\n" + "\n".join(rows) + "\n")
    Path("far.csv").write_text("a,y\n1,1e30\n2,3\n")
    Path("small.yaml").write_text(
        "data: {path: table.csv, valid_path: far.csv, target: y}\ntask: regression\nnetwork: {layers: []}\n"
        "training: {epochs: 2, seed: 0, schedule: {name: cosine, epochs: 2}}\n"
    )
    line = diverge("train", "small.yaml", "--out", "run")
    assert line.startswith("diverged: after epoch 1: the validation loss is inf; the likely cause is a target that is ")
    assert "standard deviations off" in line


@pytest.mark.parametrize(
    ("numbers", "config", "words"),
    [
        ({"largest_input": 350.0}, "", "an input that is 350 standard deviations off: look for an outlier"),
        ({"largest_target": 350.0}, "", "a target that is 350 standard deviations off: look for an outlier"),
        ({"largest_target": 1e9, "largest_input": 1e3}, "standardize_target: false", "a target of 1e+09, not scaled"),
        ({"largest_input": 99.0}, "standardize: false", "a learning rate (0.02) that is too large"),
        ({}, "", "a learning rate (0.02) that is too large: try optimizer.learning_rate: 0.01"),
    ],
)
def test_likely_causes(numbers, config, words):
    """The rate of the step is told, the one to try is a tenth of the config's: a schedule scales that."""
    write_problem(extra="")
    overrides = [f"data.{config.replace(': ', '=')}"] if config else []
    error = DivergedError("", epoch=1, learning_rate=0.02, **numbers)
    assert words in likely_cause(load_config("small.yaml", overrides).config, error)


def test_clipping_is_not_advised_twice():
    write_problem(extra="")
    error = DivergedError("", epoch=1, learning_rate=0.02)
    assert "training.clip" not in likely_cause(load_config("small.yaml").config, error)
    assert "or training.clip: 1" in likely_cause(load_config("small.yaml", ["training.clip=null"]).config, error)

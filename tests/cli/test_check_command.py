"""Run `mlp check`: what it prints, what it leaves alone, and its exit codes."""

import re

import numpy as np
import pytest
from click.testing import CliRunner
from shipped import CONFIGS, ROOT

from mlp import ACTIVATIONS, Activation, SquaredError
from mlp.checking import failures
from mlp.checking.selftest import PLANTED
from mlp.cli.commands import cli
from mlp.experiments.assemble import prepare
from mlp.experiments.check import check_experiment
from mlp.experiments.config.load import load_config
from mlp.losses import LOSSES
from mlp.tables.numbers import RegressionTarget
from mlp.tables.targets import MulticlassTarget


def mlp(*arguments):
    result = CliRunner().invoke(cli, ["check", *map(str, arguments)])
    assert "Traceback" not in result.output
    return result


def counts(stdout):
    return {verdict: int(n) for n, verdict in re.findall(r"(\d+) (PASS|FAIL|INCONCLUSIVE)", stdout.splitlines()[-1])}


@pytest.fixture(scope="module")
def outputs():
    return {path.stem: mlp(path) for path in CONFIGS}


@pytest.mark.parametrize("name", [path.stem for path in CONFIGS])
def test_shipped_configs_pass(outputs, name):
    result = outputs[name]
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    found = counts(result.stdout)
    assert found["FAIL"] == found["INCONCLUSIVE"] == 0
    assert found["PASS"] == len(result.stdout.splitlines()) - 2  # a heading, a row a check, the count


def test_every_part_of_a_config_has_its_rows(outputs):
    rows = outputs["digits"].stdout.splitlines()
    assert rows[0].split() == ["verdict", "array", "check", "error", "limit"]
    for array in ("loss: F", "network: W3", "network: b1", "network: H2", "network: X", "loop: rows", "data: digit",
                  "data: inputs", "optimizer: all together"):  # fmt: skip
        assert any(re.match(rf"PASS +{array}  ", row) for row in rows), array
    assert " of 8192 elements" in next(row for row in rows if "network: W1" in row)
    assert any("network: all together" in row and "penalty" in row and "W1, W2, W3 alone" in row for row in rows)
    assert "in minibatches of 8, 8, 4" in outputs["digits"].stdout


def test_rows_and_overrides(outputs):
    few = mlp(ROOT / "configs/xor.yaml", "--rows", 5, "--set", "network.layers.0.units=3")
    assert few.exit_code == 0
    assert "each of 5 rows once" in few.stdout
    assert re.search(r"network: W1 .*all 6 elements", few.stdout)
    assert "each of 20 rows once" in outputs["xor"].stdout
    many = mlp(ROOT / "configs/iris.yaml", "--rows", 10**6, "--set", "data.split.valid=0.5")
    assert "each of 45 rows once" in many.stdout


def test_a_configs_weight_decay_is_checked_in_its_loop():
    result = mlp(ROOT / "configs/sine.yaml", "--set", "optimizer.weight_decay=0.01")
    assert result.exit_code == 0, result.output
    assert re.search(r"PASS +loop: all together +weight decay .*on W1, W2 alone", result.stdout)


def test_rows_come_from_all_over_a_sorted_table():
    experiment = prepare(load_config(ROOT / "configs/iris.yaml"))
    seen = []

    class Noting(type(experiment.model.loss)):
        def cost(self, F, Y):
            seen.append(Y)
            return super().cost(F, Y)

    object.__setattr__(experiment.model, "loss", Noting())
    assert not failures(check_experiment(experiment, 6))
    assert (np.asarray(seen[0]).sum(axis=1) == 2).all()  # two of each species


def test_nothing_is_written_and_the_network_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mlp(ROOT / "configs/xor.yaml").exit_code == 0
    assert not list(tmp_path.iterdir())
    experiment = prepare(load_config(ROOT / "configs/xor.yaml"))
    arrays = [*experiment.model.network.parameters().values(), *experiment.splits["train"]]
    before = [array.tobytes() for array in arrays]
    state = experiment.rng.bit_generator.state
    check_experiment(experiment, 20)
    assert [array.tobytes() for array in arrays] == before
    assert experiment.rng.bit_generator.state == state
    assert experiment.optimizer.steps == 0


def test_a_wrong_slope_fails_with_5(monkeypatch):
    wrong = Activation("tanh", value=np.tanh, slope=lambda A, H: 1 - H)
    monkeypatch.setitem(ACTIVATIONS, "tanh", wrong)
    result = mlp(ROOT / "configs/iris.yaml")
    assert result.exit_code == 5
    lines = result.stdout.splitlines()
    (k,) = [k for k, line in enumerate(lines) if re.match(r"FAIL +network: W1  ", line)]
    assert re.search(r"at \[\d+, \d+\]: backward gives \S+, complex step \S+$", lines[k])
    assert lines[k + 1].strip() == "guess: the slope of the activation is not the derivative of its value"
    failed = counts(result.stdout)["FAIL"]
    assert result.stderr == f"{failed} of {sum(counts(result.stdout).values())} checks failed\n"


def test_a_wrong_seed_fails_with_5(monkeypatch):
    monkeypatch.setattr(SquaredError, "seed", lambda self, F, Y: F - Y)
    result = mlp(ROOT / "configs/sine.yaml", "--rows", 9)
    assert result.exit_code == 5
    assert re.search(r"FAIL +loss: F .*seed gives .*\n +guess: a factor B = 9", result.stdout)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda self, Y: np.roll(self, 1, axis=1), "labels off by one"),
        (lambda self, Y: np.roll(self, 1, axis=0), "the row next to it"),
    ],
    ids=["labels", "rows"],
)
def test_labels_that_are_not_those_of_the_table_fail_with_5(monkeypatch, change, words):
    encode = MulticlassTarget.encode
    monkeypatch.setattr(MulticlassTarget, "encode", lambda self, Y, where: change(encode(self, Y, where), Y))
    result = mlp(ROOT / "configs/digits.yaml", "--rows", 3)
    assert result.exit_code == 5
    assert re.search(rf"FAIL +data: digit .*is written, Y marks .*\n +guess: .*{words}", result.stdout)


def test_numbers_that_are_not_those_of_the_table_fail_with_5(monkeypatch):
    encode = RegressionTarget.encode
    monkeypatch.setattr(RegressionTarget, "encode", lambda self, Y, where: np.roll(encode(self, Y, where), 1, axis=0))
    result = mlp(ROOT / "configs/diabetes.yaml", "--rows", 3)
    assert result.exit_code == 5
    assert re.search(r"FAIL +data: progression .*is written, .* is coded", result.stdout)
    assert re.search(r"PASS +data: inputs ", result.stdout)


def test_the_self_test_needs_no_config():
    result = mlp("--self-test")
    assert result.exit_code == 0, result.output
    for planted in PLANTED:
        assert re.search(
            rf"^PASS +{re.escape(planted.name)}  .*caught in {planted.array}: ", result.stdout, re.MULTILINE
        )
    assert all(f"layer with {name}" in result.stdout for name in ACTIVATIONS)
    assert all(name in result.stdout for name in LOSSES)


def test_a_self_test_that_misses_a_mistake_fails_with_5(monkeypatch):
    monkeypatch.setattr("mlp.checking.selftest.check_labels", lambda *arguments, **options: [])
    result = mlp("--self-test")
    assert result.exit_code == 5
    assert re.search(r"FAIL +labels off by one .*missed: it must fail in Y", result.stdout)
    assert counts(result.stdout)["FAIL"] == 1


def test_a_config_and_the_self_test_together():
    result = mlp(ROOT / "configs/xor.yaml", "--self-test", "--rows", 4)
    assert result.exit_code == 0
    assert "network: W1" in result.stdout
    assert PLANTED[0].name in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "name a CONFIG to check, or give --self-test"),
        (["--self-test", "--set", "training.epochs=1"], 2, "name a CONFIG"),
        ([ROOT / "configs/xor.yaml", "--rows", "0"], 2, "rows"),
        (["nowhere.yaml"], 2, "nowhere.yaml"),
        ([ROOT / "configs/xor.yaml", "--set", "data.path=nowhere.csv"], 3, "nowhere.csv"),
    ],
)
def test_what_cannot_be_checked(arguments, code, words):
    result = mlp(*arguments)
    assert result.exit_code == code
    assert words in result.stderr
    assert result.stdout == ""

"""scripts/benchmark.py: the same work is recognized and other work is not; nothing here depends on a time."""

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import threadpoolctl
from click.testing import CliRunner

ONE_CELL = ["--network", "6-5-3", "--batch", "4", "--optimizer", "adam", "--rounds", "2"]
TWO = ["--competitor", "mlp", "--competitor", "floor"]


def test_steps_of_mlp_and_the_floor(load, tmp_path):
    done = CliRunner().invoke(load("benchmark").main, ["steps", *ONE_CELL, *TWO, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "6-5-3" in done.stdout
    lines = (tmp_path / "benchmark.csv").read_text().splitlines()
    mlp, floor = csv.DictReader(line for line in lines if not line.startswith("#"))
    assert list(mlp) == load("benchmarking.results").COLUMNS
    assert [(row["part"], row["competitor"], row["network"], row["batch"]) for row in (mlp, floor)] == [
        ("steps", "mlp", "6-5-3", "4"),
        ("steps", "floor", "6-5-3", "4"),
    ]
    assert mlp["ratio"] == "1"
    assert float(mlp["seconds"]) > 0
    assert float(floor["ratio"]) > 0
    wanted = load("benchmarking.work").reference_losses(load("benchmarking.work").Cell("6-5-3", 4, "adam"))
    assert float(mlp["loss"]) == pytest.approx(wanted[-1], rel=1e-4)
    assert floor["loss"] == ""
    assert any("NumPy" in line for line in lines if line.startswith("# mlp"))
    assert (tmp_path / "benchmark.png").read_bytes()[1:4] == b"PNG"


def test_who_does_other_work_is_left_out_and_told(load, monkeypatch):
    work, steps = load("benchmarking.work"), load("benchmarking.steps")
    monkeypatch.setattr(work, "BETA1", 0.8)
    other = work.reference_losses(work.Cell("6-5-3", 4, "adam"))
    monkeypatch.setattr(steps, "reference_losses", lambda cell: other)
    done = CliRunner().invoke(load("benchmark").main, ["steps", *ONE_CELL, *TWO])
    assert done.exit_code == 1
    assert "error: 6-5-3, B = 4, adam: mlp: does other work: its loss at step " in done.stderr
    assert "met" not in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("6-5-3")]
    assert set(line.split()[3:]) == {"-"}  # the floor's row has no ratio to what mlp did


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_losses_that_must_be_reached_are_those_of_mlp(load, optimizer):
    work = load("benchmarking.work")
    cell = work.Cell("7-6-5-3", 4, optimizer)
    steps = load("benchmarking.competitors.with_mlp").Steps(
        cell, work.initial_weights(cell.sizes), work.minibatches(cell), ""
    )
    wanted = work.reference_losses(cell)
    for _ in range(2):  # a reset goes back to the very start
        steps.reset()
        np.testing.assert_allclose([steps.step(i) for i in range(100)], wanted, rtol=1e-4)
        assert np.isfinite([steps.step(i) for i in range(100, 250)]).all()  # of later epochs, in other orders


@pytest.fixture(autouse=True)
def threads():
    """Those of this process are put back."""
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        yield


def test_who_fails_in_a_round_is_left_out_of_all_of_them(load):
    processes = load("benchmarking.processes")

    class Worker:
        def __init__(self, name):
            self.competitor, self.asked, self.closed = SimpleNamespace(name=name), 0, False

        def ask(self):
            self.asked += 1
            if self.competitor.name == "weak" and self.asked == 2:
                raise processes.CompetitorFailed("weak: ended")
            return self.competitor.name, self.asked

        def close(self):
            self.closed = True

    workers = processes.Workers([], 1, Path())
    workers.workers = [Worker("strong"), Worker("weak"), Worker("last")]
    table = workers.rounds(3, Worker.ask, np.random.default_rng(0))
    assert table[:, :, 0].tolist() == [["strong", "last"]] * 3
    assert table[:, 0, 1].tolist() == ["1", "2", "3"]
    assert workers.failed == ["weak: ended"]


def test_a_part_without_competitors_is_empty(load):
    done = CliRunner().invoke(load("benchmark").main, ["epoch", "--quick", "--competitor", "torch fused"])
    assert done.exit_code == 0, done.output


def test_an_epoch_of_the_floor_has_the_products_of_its_minibatches_and_no_loss(load):
    work, floor = load("benchmarking.work"), load("benchmarking.competitors.bare_products")
    cell = work.Cell("6-5-3", 4, "sgd")
    epoch = floor.Epoch(cell, work.initial_weights(cell.sizes), work.make_rows(cell.sizes, 14), "")
    asked = []
    epoch.products.step = asked.append
    assert epoch.run() is None
    assert asked == [0, 1, 2, 3]
    assert len(epoch.products.inputs) == 3  # the fourth, of 2 rows, is counted as one of them


def test_wrong_losses(load):
    wrong_losses = load("benchmarking.steps").wrong_losses
    wanted = [2.0] * 100

    def changed(step, loss):
        return [*wanted[:step], loss, *wanted[step + 1 :]]

    assert wrong_losses("it", changed(3, 2.0003), wanted, 2e-4) is None
    assert "step 4 is 2.0005, but 2 in" in wrong_losses("it", changed(3, 2.0005), wanted, 2e-4)
    assert wrong_losses("it", changed(10, 2.03), wanted, 2e-4) is None
    assert "step 11 " in wrong_losses("it", changed(10, 2.05), wanted, 2e-4)
    assert "step 100 is nan" in wrong_losses("it", changed(99, np.nan), wanted, 2e-4)
    assert "99 losses" in wrong_losses("it", wanted[1:], wanted, 2e-4)


@pytest.mark.parametrize(
    ("optimizer", "changes"),
    [("sgd", {"MOMENTUM": 0.89}), ("adam", {"BETA1": 0.8}), ("adam", {"LEARNING_RATES": {"adam": 0.101}})],
    ids=["momentum", "beta1", "rate"],
)
def test_work_that_differs_a_little_is_told_apart(load, monkeypatch, optimizer, changes):
    work, wrong_losses = load("benchmarking.work"), load("benchmarking.steps").wrong_losses
    tolerance = next(each.tolerance for each in load("benchmarking.competitors").STEPS if each.name == "torch")
    cell = work.Cell("64-32-10", 32, optimizer)
    wanted = work.reference_losses(cell, 15)
    for name, value in changes.items():
        monkeypatch.setattr(work, name, value)
    assert "does other work" in wrong_losses("it", work.reference_losses(cell, 15), wanted, tolerance)


def test_ratios_are_paired_within_rounds(load):
    """mlp takes 1, 2, 9 and the other 2, 8, 12: ratios 1/2, 1/4, 3/4, their median is not that of medians, 2/8."""
    seconds = np.array([[1.0, 2.0], [2.0, 8.0], [9.0, 12.0]])
    cell = load("benchmarking.work").Cell("6-5-3", 4, "sgd")
    mlp, other = load("benchmarking.steps").rows_of("steps", ["mlp", "other"], np.stack([seconds] * 2, axis=2), cell)
    assert (mlp.ratio, mlp.seconds) == (1, 2)
    assert (other.ratio, other.seconds, other.processors) == (0.5, 8, 1)


def test_targets_name_the_worst_cell(load):
    Row = load("benchmarking.results").Row
    rows = [
        Row("steps", "torch", "64-32-10", 32, "sgd", ratio=0.25),
        Row("steps", "torch", "784-100-10", 32, "sgd", ratio=1.25),
        Row("steps", "torch fused", "784-100-10", 32, "sgd", ratio=1.5),
        Row("steps", "torch compile", "784-100-10", 32, "sgd", ratio=9.0),  # no target is about it
        Row("steps", "jax", "64-32-10", 32, "sgd", ratio=0.5),
        Row("steps", "jax", "64-32-10", 512, "sgd", ratio=1.125),
        Row("steps", "jax", "784-100-10", 32, "sgd", ratio=4.0),
        Row("steps", "jax", "64-32-10", 32, "adam", ratio=1.0),
        Row("steps", "jax", "784-100-10", 32, "adam"),  # mlp did other work: no ratio
        Row("steps", "torch", "64-32-10", 32, "adam", ratio=0.5),
        Row("steps", "floor", "784-256-128-10", 128, "sgd", ratio=9.0),  # below the networks of that target
        Row("steps", "floor", "784-512-512-10", 32, "sgd", ratio=9.0),  # and its B
        Row("steps", "floor", "784-512-512-10", 128, "sgd", ratio=1.25),
        Row("epoch", "sklearn", "784-256-128-10", 32, "sgd", ratio=0.8),
        Row("epoch", "torch index", "784-256-128-10", 32, "sgd", ratio=0.9),
        Row("late", "mlp elu", "32-256-10", 128, "adam", ratio=5.0),
        Row("late", "mlp tanh", "32-256-10", 128, "adam", ratio=1.0),
        Row("startup", "python -c pass", seconds=0.02),
        Row("startup", "import click", seconds=0.05),
        Row("startup", "import numpy", seconds=0.12),
        Row("startup", "mlp --help", seconds=0.35),
        Row("memory", "mlp train .npz", rows=10, megabytes=220.0, data_megabytes=100.0),
    ]
    found = load("benchmarking.targets").targets(rows)
    assert [(target.limit, target.met, target.where) for target in found] == [
        (1, False, "3 ratios"),
        (0.7, True, "2 ratios"),
        (0.75, False, "1 ratios"),
        (1.15, True, "64-32-10, B = 512, jax"),
        (1.3, False, "784-100-10, B = 32, torch fused"),
        (1.1, True, "1 ratios"),
        (0.8, True, "1 ratios"),
        (1.25, True, "784-512-512-10, B = 128, floor"),
        (0.6, False, "784-256-128-10, B = 32, sklearn"),
        (1.2, False, "32-256-10, B = 128, mlp elu, adam"),
        (100, False, ""),
        (1.3, True, "mlp train .npz, 10 rows"),
    ]
    assert found[1].measured == pytest.approx(np.sqrt(0.25 * 1.25))
    assert found[10].measured == pytest.approx(200)


def test_a_late_epoch_is_one_of_a_network_that_is_certain(load, monkeypatch):
    late = load("benchmarking.late")
    monkeypatch.setattr(late, "NETWORK", "32-20-20-10")
    wrong, said = [], []
    rows = late.measure_late(300, 40, said.append, wrong)
    assert [(row.competitor, row.optimizer) for row in rows] == [
        (f"mlp {activation}", optimizer) for optimizer in ("sgd", "adam") for activation in ("elu", "relu", "tanh")
    ]
    assert all(row.ratio > 0 and row.loss < 1 for row in rows)
    assert len(said) == 6
    unsure = late.measure_late(300, 5, said.append, wrong)
    assert len(late.late_table(unsure).splitlines()) == 7
    assert any("is not that of a certain network" in problem for problem in wrong)


def test_peers_that_are_absent_are_skipped_with_a_word(load, monkeypatch):
    competitors = load("benchmarking.competitors")
    assert competitors.why_absent(competitors.Competitor("it", "with_it", "no_such_library")) == "not installed"
    monkeypatch.setattr(competitors.shutil, "which", lambda name: None)
    compiled = competitors.Competitor("it", "with_it", "json", "compile")
    assert competitors.why_absent(compiled) == "no C++ compiler"

"""How many BLAS threads a run uses: the rule, that they are put back, what is told, and the bits of a run."""

import json
from pathlib import Path

import pytest
import threadpoolctl
from click.testing import CliRunner
from small_runs import assert_same, write_problem

from mlp.cli.commands import cli
from mlp.experiments import threads
from mlp.experiments.assemble import prepare
from mlp.experiments.config.load import load_config
from mlp.experiments.replay import open_replay
from mlp.records import Progress

LIMIT = 2**21  # multiplications of a thread


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for name in (*threads.VARIABLES, "OPENBLAS_CORETYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def two():
    """BLAS with two threads, whatever this machine has."""
    with threadpoolctl.threadpool_limits(2, "blas"):
        if running() != 2:
            pytest.skip("this BLAS cannot have two threads")
        yield


def running():
    return next((pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"), None)


def mlp(*arguments):
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.parametrize(
    ("sizes", "B", "expected"),
    [
        ([3, 5], 7, 1),
        ([784, 100, 10], 32, 1),
        ([784, 256, 128, 10], 32, 3),  # 6,422,528
        ([10, 128, 256, 784], 32, 3),  # the largest, wherever it is
        ([1024, 1024], 2 * LIMIT // 1024**2 - 1, 1),
        ([1024, 1024], 2 * LIMIT // 1024**2, 2),
        ([784, 512, 512, 10], 512, 98),  # as a machine with many cores may use
    ],
)
def test_a_thread_for_every_so_many_multiplications_of_the_largest_product(sizes, B, expected):
    assert threads.useful_threads(sizes, B) == expected


def test_the_number_is_put_back_and_never_raised(two):
    limit = threads.ThreadLimit(1)
    with limit:
        assert running() == 1
    assert running() == 2
    with pytest.raises(KeyError), limit:
        raise KeyError
    assert running() == 2
    with threadpoolctl.threadpool_limits(1, "blas"), threads.ThreadLimit(2):
        assert running() == 1
    with threads.ThreadLimit(7):
        assert running() == 2


@pytest.mark.parametrize("name", ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"])
def test_what_a_user_has_set_stays(two, monkeypatch, name):
    monkeypatch.setenv(name, "2")
    with threads.ThreadLimit(1):
        assert running() == 2
    assert threads.describe_blas(threads.ThreadLimit(1)).endswith(f", 2 threads (by {name})")
    monkeypatch.setenv(name, "")
    with threads.ThreadLimit(1):
        assert running() == 1


def test_minibatches_are_limited_and_what_is_done_between_them_is_not(two, monkeypatch):
    inside = []
    prepared = prepare(load_config(write_problem(epochs=2)))
    plain = prepared.model.loss.cost
    monkeypatch.setattr(type(prepared.model.loss), "cost", lambda s, F, Y: (inside.append(running()), plain(F, Y))[1])
    progress = Progress()
    for _ in prepared.epochs(progress).minibatches():
        assert running() == 2
    prepared.scores(progress)
    assert set(inside) == {1}
    assert running() == 2
    assert len(list(prepare(load_config("small.yaml")).epochs(Progress()))) == 2


def test_kernel_and_threads_of_the_training_are_told_and_recorded(two):
    write_problem(epochs=2)
    line = next(line for line in mlp("train", "small.yaml", "--out", "run").stderr.splitlines() if "BLAS" in line)
    blas = json.loads(Path("run/run.json").read_text())["blas"]
    assert blas["threads"] == 1
    kernel = f", {blas['kernel']} kernels" if blas["kernel"] else ""
    threads_used = "1 of 2 threads (the products are too small for more)"
    assert line == f"BLAS: {blas['name']} {blas['version']}{kernel}, {threads_used}"
    resumed = mlp("resume", "run", "--set", "training.epochs=3", "--no-plot").stderr
    assert line in resumed
    assert "last bits" not in resumed  # nothing has changed: the run's threads are compared, not the machine's
    assert line in mlp("train", "--replay", "run").stderr
    assert open_replay(Path("run")).changed == []
    for quiet in (("train", "small.yaml"), ("train", "--replay", "run")):
        assert "BLAS" not in mlp(*quiet, "--quiet").stderr


def test_a_run_has_the_same_bits_whatever_the_machine_has_to_offer(two):
    """A layer whose product OpenBLAS would split, but in which a second thread is not worth its while."""
    write_problem(epochs=2)
    wide = ("--set", "network.layers.0.units=300", "--set", "network.layers.1.units=300", "--no-plot")
    mlp("train", "small.yaml", *wide, "--out", "run")
    assert "identical" in mlp("train", "--replay", "run").stdout
    with threadpoolctl.threadpool_limits(1, "blas"):
        mlp("train", "small.yaml", *wide, "--out", "alone")
        assert "identical" in mlp("train", "--replay", "run").stdout
    assert_same("run", "alone")
    mlp("train", "small.yaml", *wide, "--set", "training.epochs=1", "--out", "part")
    mlp("resume", "part", "--set", "training.epochs=2", "--no-plot")
    assert (
        Path("part/metrics.csv").read_bytes().splitlines()[1].split(b",")[:3]
        == (Path("run/metrics.csv").read_bytes().splitlines()[1].split(b",")[:3])
    )
    assert "identical" in mlp("train", "--replay", "part").stdout
    assert_same("part", "run")

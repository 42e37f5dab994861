"""The threads of a run: chosen by sizes and quota, put back, told and recorded; the bits of a run; freed memory."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import threadpoolctl
from click.testing import CliRunner
from small_runs import assert_same, write_problem

from mlp import Layer, Network
from mlp.cli.commands import cli
from mlp.experiments import experiment as experiment_module
from mlp.experiments import machine
from mlp.experiments.assemble import prepare
from mlp.experiments.config.load import load_config
from mlp.experiments.machine import Threads, Waiting, choose_threads
from mlp.experiments.replay import open_replay
from mlp.records import EpochRecord, Progress

LIMIT = 2**21  # multiplications of a thread
SMALL, LARGE = 105, 784 * 512 * 512


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for name in (*machine.THREAD_VARIABLES, "OPENBLAS_CORETYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(machine, "processors", lambda: 128.0)
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
        ([784, 512, 512, 10], 512, 98),
        ([784, 512, 512, 10], 8192, 128),  # as many as there are
    ],
)
def test_a_thread_for_every_so_many_multiplications_of_the_largest_product(monkeypatch, sizes, B, expected):
    monkeypatch.setattr(machine, "loaded_blas", lambda: [{"internal_api": "openblas", "num_threads": 128}])
    experiment = prepare(load_config(write_problem(), [f"training.batch_size={B}"]))
    rng = np.random.default_rng(0)
    experiment.model = SimpleNamespace(
        network=Network([Layer.initialize(n_in, n_out, "relu", rng=rng) for n_in, n_out in pairwise(sizes)])
    )
    experiment.splits["train"] = np.empty((B, 1)), np.empty((B, 1))
    assert experiment.threads().number == expected
    experiment.workers = SimpleNamespace(share=lambda rows: rows[: len(rows) // 2])  # of two processes
    assert experiment.threads().number == max(1, min(128, B // 2 * max(a * b for a, b in pairwise(sizes)) // LIMIT))


def test_the_number_is_put_back_and_never_raised(two):
    threads = choose_threads(SMALL)
    with threads.limit():
        assert running() == 1
    assert running() == 2
    with pytest.raises(KeyError), threads.limit():
        raise KeyError
    assert running() == 2
    with threadpoolctl.threadpool_limits(1, "blas"), choose_threads(LARGE).limit():
        assert running() == 1
    with choose_threads(LARGE).limit():
        assert running() == 2


@pytest.mark.parametrize("name", ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"])
def test_what_a_user_has_set_stays(two, monkeypatch, name):
    monkeypatch.setenv(name, "2")
    monkeypatch.setattr(machine, "processors", lambda: 0.5)
    threads = choose_threads(SMALL)
    with threads.limit():
        assert running() == 2
    assert threads.describe().endswith(f", 2 threads (by {name})")
    monkeypatch.setenv(name, "")
    with choose_threads(SMALL).limit():
        assert running() == 1


@pytest.mark.parametrize(("quota", "number"), [(0.01, 1), (0.5, 1), (1.0, 1), (1.5, 1), (8.0, 2)])
def test_no_more_threads_than_the_quota_allows(two, monkeypatch, quota, number):
    monkeypatch.setattr(machine, "processors", lambda: quota)
    threads = choose_threads(LARGE)
    assert threads.number == number
    wanted = f", 1 of 2 threads (this process may use {quota:g} processors)" if number == 1 else ", 2 threads"
    assert threads.describe().endswith(wanted)
    assert "too small" in choose_threads(SMALL).reason or number == 1


def test_a_real_cgroup():
    """A child process in a group of its own, under half a processor; where this user may make one."""
    group = Path("/sys/fs/cgroup/cpu", f"mlp-test-{os.getpid()}")
    program = (
        "import sys; from pathlib import Path; from mlp.experiments.machine import choose_threads; "
        "from mlp.processors import cpu_quota; "
        "Path(sys.argv[1], 'cgroup.procs').write_text('0'); "
        "print(cpu_quota(), choose_threads(2**30).number)"
    )
    try:
        group.mkdir()
        (group / "cpu.cfs_quota_us").write_text("50000")
        (group / "cpu.cfs_period_us").write_text("100000")
    except OSError:
        if group.exists():
            group.rmdir()
        pytest.skip("no cgroup can be made here")
    try:
        done = subprocess.run([sys.executable, "-c", program, group], capture_output=True, text=True, check=False)
    finally:
        group.rmdir()
    assert done.stdout.split() == ["0.5", "1"], done.stderr


def test_a_run_is_limited_and_what_comes_after_it_is_not(two, monkeypatch):
    inside = []
    experiment = prepare(load_config(write_problem(epochs=2)))
    loss = type(experiment.model.loss)
    plain = loss.cost
    monkeypatch.setattr(loss, "cost", lambda s, F, Y: (inside.append(running()), plain(s, F, Y))[1])
    progress = Progress()
    records = list(experiment.minibatches(progress))
    assert [record.epoch for record in records if isinstance(record, EpochRecord)] == [1, 2]
    assert running() == 2
    experiment.scores(progress)
    assert set(inside) == {1}
    assert running() == 2
    unfinished = prepare(load_config("small.yaml")).epochs(Progress())
    next(unfinished)
    unfinished.close()
    assert running() == 2


TWO = Threads(2, 2, variable="OPENBLAS_NUM_THREADS", chosen=True)


def test_threads_that_waited_much_are_told_with_the_variable():
    note = Waiting(waited=8.0, seconds=10.0).note(TWO)
    assert "2 BLAS threads 40% of the time" in note
    assert note.endswith("OPENBLAS_NUM_THREADS=1")
    assert Waiting(waited=8.0, seconds=10.0).note(Threads(8, 8, variable="MKL_NUM_THREADS")).endswith("THREADS=4")


@pytest.mark.parametrize(
    ("waiting", "threads"),
    [
        (Waiting(0.9, 10.0), TWO),  # hardly
        (Waiting(0.8, 0.9), TWO),  # too short to tell
        (Waiting(8.0, 10.0), Threads()),  # one thread waits for nobody
        (Waiting(), TWO),  # a system that does not count
    ],
)
def test_other_waiting_is_not(waiting, threads):
    assert waiting.note(threads) is None


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the system does not count waiting")
def test_a_thread_without_a_processor_waits_and_one_that_sleeps_does_not():
    """On one processor, that two processes share, each waits for half of the time."""
    program = (
        "import os, subprocess, sys, time; from mlp.experiments.machine import Waiting\n"
        "os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])\n"
        "asleep, busy = Waiting(), Waiting()\n"
        "with asleep.measure(): time.sleep(0.3)\n"
        "other = subprocess.Popen([sys.executable, '-c', 'while True: pass'])\n"
        "until = time.perf_counter() + 1\n"
        "with busy.measure():\n"
        "    while time.perf_counter() < until: pass\n"
        "other.kill()\n"
        "print(asleep.waited / asleep.seconds, busy.waited / busy.seconds)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    asleep, busy = map(float, done.stdout.split())
    assert asleep < 0.2
    assert busy > 0.3


def test_train_tells_it_at_the_end(two, monkeypatch):
    monkeypatch.setattr(experiment_module, "choose_threads", lambda multiplications: TWO)
    monkeypatch.setattr(machine, "LONG_ENOUGH", 0.0)
    waited = iter(range(0, 10**6, 1000))
    monkeypatch.setattr(machine, "waited_so_far", lambda: next(waited))
    write_problem(epochs=2)
    assert "may be faster: OPENBLAS_NUM_THREADS=1\n" in mlp("train", "small.yaml", "--no-plot").stderr
    assert "may be faster" not in mlp("train", "small.yaml", "--no-plot", "--quiet").stderr


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


PROGRAM = """
import ctypes, resource
from mlp.experiments.machine import keep_freed_memory

libc = ctypes.CDLL(None)
libc.mallopt(-3, 2**25)  # from the heap, where the end of it is what is freed here
libc.mallopt(-1, 2**17)  # glibc's own limit, before it adapts
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]


def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        place = libc.malloc(2**23)
        ctypes.memset(place, 1, 2**23)
        libc.free(place)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


given_back = faults()
print(keep_freed_memory(), given_back, faults())
"""


def outcome(**environ):
    if sys.platform != "linux" or os.confstr("CS_GNU_LIBC_VERSION") is None:
        pytest.skip("no glibc")
    kept = {name: value for name, value in os.environ.items() if "MALLOC" not in name and name != "GLIBC_TUNABLES"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env={**kept, **environ}
    )
    answer, before, after = done.stdout.split()
    return answer, int(before), int(after)


def test_what_is_freed_is_not_given_back_to_the_system():
    answer, before, after = outcome()
    assert answer == "True"
    assert before > 50  # a fault a page, or a large one, in each of 50 rounds
    assert after < before / 10


def test_the_users_own_limit_stays():
    answer, before, after = outcome(MALLOC_TRIM_THRESHOLD_="131072")
    assert answer == "False"
    assert after > before / 2

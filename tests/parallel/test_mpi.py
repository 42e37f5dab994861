"""Ranks as processes that mpiexec starts: they train one network, rank 0 writes and prints, and all end together."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import processes
import pytest
import threadpoolctl
from click.testing import CliRunner
from processes import wait_for
from small_runs import ADAM, ALL_AT_ONCE, outcome, write_problem

from mlp import parallel
from mlp.cli import ranks as cli_ranks
from mlp.cli.commands import cli
from mlp.experiments import machine
from mlp.experiments.model import load_model
from mlp.experiments.storage.archive import read_arrays
from mlp.parallel import Ranks

MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
SETTINGS = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OPENBLAS_NUM_THREADS": "1"}
FILES = [".lock", "config.yaml", "last.npz", "metrics.csv", "model.npz", "run.json"]
NUMBER = "int(os.environ['OMPI_COMM_WORLD_RANK'])"


def why_not():
    if MPIEXEC is None:
        return "needs mpiexec"
    if subprocess.run([sys.executable, "-c", "import mpi4py"], capture_output=True).returncode:
        return "needs mpi4py"
    version = subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True).stdout
    return "" if "Open MPI" in version else "knows the options of Open MPI's mpiexec alone"


missing = why_not()
needs_mpi = pytest.mark.skipif(bool(missing), reason=missing)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_problem


def launch(size, *argv, apart=None, **changes):
    """mpiexec with so many ranks of the command line, under way; `apart` is the working directory of the last one.

    See `processes.code` for what can be changed in them.
    """
    program = [sys.executable, "-c", processes.code(**changes), *map(str, argv)]
    if argv[0] == "program":
        program = [sys.executable, str(Path(__file__).parents[1] / "helpers/mpi_program.py")]
    parts = ["-n", str(size), *program]
    if apart is not None:
        parts = ["-n", str(size - 1), *program, ":", "-n", "1", "-wdir", str(apart), *program]
    return subprocess.Popen(
        [MPIEXEC, "--map-by", ":OVERSUBSCRIBE", "--bind-to", "none", *parts],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings()},
    )


def settings():
    """SETTINGS, and a place beside the working directory for what an MPI that is killed leaves behind."""
    place = Path.cwd().with_name("mpi-files")
    place.mkdir(exist_ok=True)
    return {**SETTINGS, "TMPDIR": str(place), "OMPI_MCA_btl_sm_backing_directory": str(place)}


def mlp(*argv):
    """The command line in this process."""
    return CliRunner().invoke(cli, list(map(str, argv)))


def own_lines(stderr):
    """Without what the launcher says, before or after our own last words, as it comes: between two lines of dashes, or
    of its own errors while it ends."""
    kept = re.sub(r"^-{20,}$.*?^-{20,}$", "", stderr, flags=re.MULTILINE | re.DOTALL)
    kept = re.sub(r"\[warn\] Epoll .*(\n|$)", "", kept)  # of the launcher's libevent, when a rank has gone
    return [line for line in kept.replace("\0", "").splitlines() if line.strip() and "PMIX ERROR" not in line]


def finish(process):
    try:
        exit_code, stdout, stderr = processes.finish(process, timeout=60)
    finally:
        process.terminate()  # if it hangs, that is enough for it to end the ranks
    return exit_code, stdout, own_lines(stderr)


def facts(folder="run"):
    return json.loads(Path(folder, "run.json").read_text())


def assert_close(folder, other, rtol=1e-4):
    """The models and the metrics of two runs are the same to rounding: float32, some 60 to 200 steps."""
    model, wanted = (load_model(each).network.parameters() for each in (folder, other))
    for name, W in wanted.items():
        np.testing.assert_allclose(model[name], W, rtol=rtol, atol=1e-5)
    rows, wanted_rows = (np.genfromtxt(Path(each, "metrics.csv"), delimiter=",")[1:] for each in (folder, other))
    np.testing.assert_allclose(rows, wanted_rows, rtol=rtol, atol=1e-5)


@needs_mpi
def test_three_ranks_end_with_the_weights_that_one_process_gives(config):
    """To 1e-12, in double precision, and with the same bits on all ranks: see mpi_program.py."""
    assert finish(launch(3, "program")) == (0, "8 cases agree on 3 ranks\n", [])


@needs_mpi
def test_a_run_of_two_ranks_is_rank_0s(config):
    """One directory, one set of messages; a replay by as many ranks finds the same bits, one by fewer says why not."""
    path = config(extra="early_stopping: {patience: 6}", epochs=12)
    assert mlp("train", path, "--no-plot", "--out", "one").exit_code == 0
    exit_code, stdout, messages = finish(launch(2, "train", path, "--no-plot", "--out", "run"))
    assert exit_code == 0
    assert stdout.count("best epoch") == 1
    assert "note: 2 ranks share each minibatch of 8" in messages
    assert len([line for line in messages if line.startswith("epoch 1/12 ")]) == 1
    assert sorted(os.listdir("run")) == FILES
    assert sorted(os.listdir()) == ["one", "run", "small.yaml", "table.csv"]
    assert (facts()["status"], facts()["ranks"]) == ("finished", 2)
    assert_close("run", "one")
    done = mlp("train", "--replay", "run")
    assert done.exit_code == 5
    assert "ranks 1 (was 2), mpi None (was Open MPI" in done.stderr


@needs_mpi
@pytest.mark.long
def test_a_replay_by_as_many_ranks_finds_the_same_bits(config):
    assert finish(launch(3, "train", config(ADAM, ALL_AT_ONCE), "--no-plot", "--out", "run"))[0] == 0
    before = outcome("run")
    exit_code, stdout, _ = finish(launch(3, "train", "--replay", "run"))
    assert exit_code == 0
    assert "run: identical: all " in stdout
    exit_code, stdout, messages = finish(launch(2, "train", "--replay", "run"))
    assert exit_code == 5
    assert "differs first in epoch" in stdout
    assert messages[-1] == "not identical; since the run: ranks 2 (was 3)"
    assert outcome("run") == before


@needs_mpi
def test_a_rank_that_finds_other_data_ends_all_before_anything_is_written(config, tmp_path):
    path = config()
    (tmp_path / "other").mkdir()
    text = Path("table.csv").read_text()
    Path("other", "table.csv").write_text(text.replace("yes", "no", 1))
    exit_code, stdout, messages = finish(launch(2, "train", path, apart=tmp_path / "other"))
    assert (exit_code, stdout) == (3, "")
    assert len(messages) == 1
    assert re.fullmatch(
        r"rank 1 on \S+: table.csv is not the file that rank 0 has on \S+ \(SHA-256 .{12}..., there .{12}...\); "
        "copy it to all machines",
        messages[0],
    )
    assert not Path("runs").exists()


@needs_mpi
@pytest.mark.long
def test_a_rank_that_finds_no_data_ends_all_before_anything_is_written(config, tmp_path):
    path = config()
    (tmp_path / "other").mkdir()
    exit_code, _, messages = finish(launch(3, "train", path, apart=tmp_path / "other"))
    assert exit_code == 3
    assert len(messages) == 1
    assert re.match(r"rank 2 on \S+: small.yaml:1:\d+: data.path: table.csv: No such file", messages[0])
    assert not Path("runs").exists()


@needs_mpi
@pytest.mark.long
@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["train", "small.yaml", "--set", "data.path=none.csv"], 3, "none.csv: No such file"),
        (["train", "small.yaml", "--set", "training.epoch=1"], 2, "training.epoch: unknown key"),
        (["train", "small.yaml", "--out", "small.yaml"], 2, "--out small.yaml: is a file"),
        (["train", "small.yaml", "--no-such-option"], 2, "No such option"),
        (["train", "-"], 2, "mpiexec may never end its standard input: name a file"),
    ],
)
def test_a_mistake_is_told_once(config, argv, code, message):
    config()
    exit_code, stdout, messages = finish(launch(3, *argv))
    assert (exit_code, stdout) == (code, "")
    assert len([line for line in messages if message in line]) == 1
    assert not Path("runs").exists()


@needs_mpi
@pytest.mark.long
def test_commands_that_train_nothing_are_rank_0s(config):
    assert mlp("train", config(), "--no-plot", "--out", "run", "-q").exit_code == 0
    for argv, told in [
        (["evaluate", "run"], "12 rows of test"),
        (["train", "--help"], "Usage: mlp train"),
        (["resume", "run"], "nothing to do, all 12 epochs are done"),
    ]:
        exit_code, stdout, messages = finish(launch(2, *argv))
        assert exit_code == 0
        assert [told in line for line in (*stdout.splitlines(), *messages)].count(True) == 1


@needs_mpi
@pytest.mark.parametrize("rank", [1, pytest.param(0, marks=pytest.mark.long)])
def test_a_rank_that_fails_ends_all_with_one_message(config, rank):
    path = config()
    fails = f"{NUMBER} == {rank} and os.path.exists('run/last.npz') and [][1]"
    exit_code, stdout, messages = finish(launch(2, "train", path, "-q", "--out", "run", each_minibatch=fails))
    assert (exit_code, stdout) == (1, "")
    # mpiexec ends the other rank by SIGTERM, which that one may still have the time to answer
    messages = [line for line in messages if "once more stops at once" not in line]
    assert len(messages) == 1
    who = "" if rank == 0 else r"rank 1 on \S+: "
    assert re.fullmatch(
        rf"{who}unexpected IndexError: list index out of range \(mlp --debug shows where\)", messages[0]
    )
    assert facts()["status"] == ("failed" if rank == 0 else "running")
    assert mlp("resume", "run", "--no-plot").exit_code == 0


@needs_mpi
@pytest.mark.long
def test_divergence_is_told_once(config):
    """In the minibatch, with the place and the cause that one process finds."""
    path = config(optimizer="{name: sgd, learning_rate: 1e30}", epochs=3)
    alone = mlp("train", path, "-q", "--no-plot", "--out", "run")
    assert alone.exit_code == 4
    shutil.rmtree("run")
    exit_code, _, messages = finish(launch(3, "train", path, "-q", "--no-plot", "--out", "run"))
    assert exit_code == 4
    assert len(messages) == 1
    number = r"(nan|inf|[0-9.e+-]+)"
    assert re.sub(number, "", messages[0]) == re.sub(number, "", alone.stderr.strip())
    assert facts()["status"] == "diverged"


WRITE_PID = f"open('pid' + str({NUMBER}), 'a').write(str(os.getpid()) + ' '), time.sleep(0.05)"  # in each minibatch


def pids(process, minibatches):
    """The processes of two ranks, when each has begun so many minibatches."""
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, process.communicate()
        if time.monotonic() > deadline:
            process.terminate()
            pytest.fail("the ranks do not get on")
        begun = [Path(f"pid{rank}").read_text().split() if Path(f"pid{rank}").exists() else [] for rank in (0, 1)]
        if all(len(each) >= minibatches for each in begun):
            return [int(each[0]) for each in begun]
        time.sleep(0.005)


@needs_mpi
@pytest.mark.long
@pytest.mark.parametrize(
    ("rank", "number", "code", "word"),
    [
        (0, signal.SIGINT, 130, "interrupted"),
        (0, signal.SIGTERM, 143, "terminated"),
        (1, signal.SIGTERM, 143, "terminated"),
    ],
)
def test_a_signal_to_one_rank_stops_all_after_the_same_minibatch(config, rank, number, code, word):
    """And as many ranks go on from there to the bits of a run that nobody stopped."""
    path = config(ADAM, ALL_AT_ONCE, epochs=4)
    assert finish(launch(2, "train", path, "-q", "--no-plot", "--out", "whole"))[0] == 0
    process = launch(2, "train", path, "-q", "--no-plot", "--out", "run", each_minibatch=WRITE_PID, pause=1000)
    os.kill(pids(process, 7)[rank], number)
    exit_code, _, messages = finish(process)
    assert exit_code == code
    header, _ = read_arrays(Path("run/last.npz"), "mlp checkpoint")
    done, part = header["epoch"], header["unfinished"]
    where = f"in epoch {done + 1}, after minibatch {part['minibatches']}" if part else f"after epoch {done}"
    assert sum("once more stops at once" in line for line in messages) == (rank == 0)
    assert messages[-1] == f"{word} {where}; to go on: mlp resume run"
    assert done >= 1
    assert facts()["status"] == "interrupted"
    assert sorted(os.listdir("run")) == FILES
    exit_code, _, messages = finish(launch(2, "resume", "run", "--no-plot"))
    assert exit_code == 0
    assert not any("last bits" in line for line in messages)
    for name, content in outcome("whole").items():
        assert content == outcome("run")[name], name


@needs_mpi
@pytest.mark.long
@pytest.mark.parametrize(
    ("whom", "number"),
    [
        ("rank 1", signal.SIGKILL),
        ("rank 0", signal.SIGKILL),
        ("mpiexec", signal.SIGTERM),
        ("mpiexec", signal.SIGINT),
    ],
)
def test_what_is_left_by_a_kill_goes_on_with_one_process(config, whom, number):
    """Open MPI's mpiexec leaves its ranks a moment after a signal of its own, in which a small run can be saved."""
    path = config(epochs=4)
    assert mlp("train", path, "-q", "--no-plot", "--out", "one").exit_code == 0
    process = launch(2, "train", path, "-q", "--no-plot", "--out", "run", each_minibatch=WRITE_PID)
    wait_for(process, 7)
    ranks = pids(process, 7)
    if whom == "mpiexec":
        process.send_signal(number)
    else:
        os.kill(ranks[int(whom[-1])], number)
    assert finish(process)[0] != 0
    until = time.monotonic() + 10
    while any(alive(pid) for pid in ranks):
        assert time.monotonic() < until, "a rank is left"
        time.sleep(0.01)
    assert facts()["status"] in ("running", "interrupted")
    header, _ = read_arrays(Path("run/last.npz"), "mlp checkpoint")
    assert 1 <= header["epoch"] < 4
    done = mlp("resume", "run", "--no-plot")
    assert done.exit_code == 0
    assert "the last bits may come out otherwise than in an uninterrupted run" in done.stderr
    assert "ranks 1 (was 2)" in done.stderr
    assert_close("run", "one")


def alive(pid):
    """Whether there is such a process, and it is not one that has ended and that nobody has asked about."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


@needs_mpi
@pytest.mark.long
def test_three_ranks_go_on_with_a_run_of_one_process(config):
    path = config(ADAM, ALL_AT_ONCE, epochs=8)
    assert mlp("train", path, "-q", "--no-plot", "--out", "one").exit_code == 0
    assert mlp("train", path, "-q", "--no-plot", "--out", "run", "--set", "training.epochs=3").exit_code == 0
    exit_code, _, messages = finish(launch(3, "resume", "run", "--set", "training.epochs=8", "--no-plot"))
    assert exit_code == 0
    assert any("ranks 3 (was 1)" in line for line in messages)
    assert_close("run", "one")


@needs_mpi
@pytest.mark.long
def test_a_seed_that_nobody_gave_is_one_for_all(config):
    path = Path(config(epochs=3))
    path.write_text(path.read_text().replace("seed: 3, ", ""))
    assert finish(launch(3, "train", path, "-q", "--no-plot", "--out", "run"))[0] == 0
    seed = facts()["seed"]
    done = mlp("train", path, "-q", "--no-plot", "--out", "one", "--set", f"training.seed={seed}")
    assert done.exit_code == 0
    assert_close("run", "one")


BLOCKED = "sys.modules['mpi4py'] = None"  # which an import takes for missing


def test_without_mpi4py_ranks_are_refused(config):
    env = {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0"}
    exit_code, stdout, stderr = processes.run("train", config(), before=BLOCKED, env=env)
    assert (exit_code, stdout) == (2, "")
    assert stderr.startswith("4 processes were started as ranks of one run, but mpi4py cannot be used (")
    assert stderr.endswith("): pip install mpi4py, and an MPI such as Open MPI\n")
    assert stderr.count("\n") == 1
    assert not Path("runs").exists()


@pytest.mark.parametrize(("rank", "local_rank", "told"), [("0", "0", True), ("1", "1", False), ("2", "0", True)])
def test_one_process_of_each_machine_says_so(monkeypatch, rank, local_rank, told):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    for name, value in (("WORLD_SIZE", "4"), ("WORLD_RANK", rank), ("WORLD_LOCAL_RANK", local_rank)):
        monkeypatch.setenv(f"OMPI_COMM_{name}", value)
    with pytest.raises(parallel.MPIError) as caught:
        parallel.connect()
    assert bool(str(caught.value)) == told


def forget_launchers(monkeypatch):
    """Those of the tests themselves."""
    for name in {name for pair in parallel.LAUNCHERS for name in pair}:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "env",
    [
        {"OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"},
        {"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"},
        {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3"},
        {"PMIX_RANK": "0", "SLURM_STEP_NUM_TASKS": "1"},
        {"PMI_RANK": "0"},
    ],
    ids=["mpiexec -n 1", "batch script", "srun without MPI", "srun of one", "half"],
)
def test_one_process_is_no_business_of_mpi(monkeypatch, env):
    forget_launchers(monkeypatch)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert parallel.connect().size == 1


@pytest.mark.parametrize(("rank", "size"), parallel.LAUNCHERS, ids=["Open MPI", "MPICH", "Slurm"])
def test_launchers_that_are_known(monkeypatch, rank, size):
    forget_launchers(monkeypatch)
    monkeypatch.setenv(rank, "2")
    monkeypatch.setenv(size, "3")
    assert parallel.launched() == 3


@needs_mpi
@pytest.mark.long
def test_an_mpi_that_did_not_start_the_ranks_is_told(config):
    """As when mpiexec is that of another MPI than mpi4py's: each process would take itself for the only one."""
    exit_code, _, stderr = processes.run("train", config(), env={**settings(), "PMI_RANK": "0", "PMI_SIZE": "2"})
    assert exit_code == 2
    assert stderr.startswith("2 processes were started as ranks of one run, but mpi4py runs with 'Open MPI")
    assert "which sees 1: use the mpiexec of that MPI" in stderr


@pytest.mark.parametrize(("setting", "left"), [(None, 1), ("OMP_NUM_THREADS", 2)])
def test_ranks_of_one_machine_share_its_cores(monkeypatch, setting, left):
    for name in machine.THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    if setting:
        monkeypatch.setenv(setting, "2")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        parallel.share_cores(3)
        assert blas_threads() == {2}
        parallel.share_cores(4)
        assert blas_threads() == {left}


def blas_threads():
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}


def test_one_process_loads_no_mpi():
    code = "import sys; import mlp.cli.commands, mlp.experiments.start; print('mpi4py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_what_a_rank_cannot_import_ends_it_before_mpi_begins(monkeypatch, capsys):
    """The launcher then ends the others; after MPI has begun they would wait for it."""
    forget_launchers(monkeypatch)
    monkeypatch.setenv("PMI_RANK", "1")
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with pytest.raises(SystemExit) as done:
        cli_ranks.run_on_ranks(cli)
    assert done.value.code == 2
    assert "threadpoolctl" in capsys.readouterr().err


class SecondRank(Ranks):
    rank, size = 1, 2

    def wait(self):
        raise SystemExit("waits for rank 0")


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (["resume"], "waits for rank 0", ""),
        (["resume", "run"], 1, r"rank 1 on \S+: unexpected KeyError: 'config' \(mlp --debug shows where\)\n"),
        (["--debug", "resume", "run"], 1, r"Traceback .*\nKeyError: 'config'\n"),
    ],
)
def test_errors_that_only_another_rank_meets_are_told_by_it(monkeypatch, capfd, argv, code, told):
    def fail(ranks):
        raise KeyError("config")

    monkeypatch.setattr("mlp.cli.commands.train_along", fail)
    monkeypatch.setattr(cli_ranks.signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["mlp", *argv])
    with pytest.raises(SystemExit) as done:
        cli_ranks.accompany(cli, SecondRank())
    assert done.value.code == code
    assert re.fullmatch(told, capfd.readouterr().err, re.DOTALL)

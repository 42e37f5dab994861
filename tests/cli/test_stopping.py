"""Ctrl-C and SIGTERM: the minibatch under way is finished, all of it is saved, and the resume ends as if uninterrupted;
and readers of the output that go away."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import processes
import pytest
from processes import wait_for
from small_runs import ADAM, ALL_AT_ONCE, SGD, assert_same, write_problem

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

SLOW = "time.sleep(0.05)"  # a minibatch
HEARD = "signal.signal(signal.SIGHUP, signal.SIG_DFL)"  # as the tests may run under nohup


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_problem


def facts(folder):
    return json.loads(Path(folder, "run.json").read_text())


@pytest.mark.parametrize(
    ("number", "code", "word", "optimizer", "extra"),
    [
        (signal.SIGINT, 130, "interrupted", SGD, ""),
        (signal.SIGTERM, 143, "terminated", ADAM, ALL_AT_ONCE),
        (signal.SIGHUP, 129, "disconnected", SGD, ""),
    ],
    ids=["Ctrl-C, sgd", "SIGTERM, adam, all at once", "SIGHUP"],
)
def test_a_signal_finishes_the_minibatch_and_saves(config, number, code, word, optimizer, extra):
    path = config(optimizer, extra, epochs=4)
    assert processes.run("train", path, "--no-plot", "--out", "whole")[0] == 0
    process = processes.start("train", path, "--out", "run", each_minibatch=SLOW, before=HEARD)
    wait_for(process, 7)
    process.send_signal(number)
    exit_code, stdout, stderr = processes.finish(process)
    assert exit_code == code
    assert stdout == ""
    last = stderr.splitlines()[-1]
    assert re.fullmatch(
        rf"{word} (in epoch [234], after minibatch [1-5]|after epoch [23]); to go on: mlp resume run", last
    )
    assert "stopping when this minibatch is saved; once more stops at once" in stderr
    assert facts("run")["status"] == "interrupted"
    assert sorted(os.listdir("run")) == [
        ".lock", "config.yaml", "last.npz", "loss.png", "metrics.csv", "model.npz", "run.json"
    ]  # fmt: skip
    exit_code, _, stderr = processes.run("resume", "run", "--no-plot")
    assert exit_code == 0
    assert f"going on {last.partition(' ')[2].partition(';')[0]}; 4 epochs in all" in stderr
    assert_same("whole", "run")


def test_a_second_signal_stops_at_once_and_loses_nothing(config):
    """In the middle of a minibatch that would take a minute."""
    path = config(epochs=3)
    assert processes.run("train", path, "--no-plot", "--out", "whole")[0] == 0
    stuck = "os.path.exists('stuck') and (open('inside', 'w').close(), time.sleep(60))"
    process = processes.start("train", path, "--no-plot", "--out", "run", each_minibatch=stuck)
    Path("stuck").touch()
    while not Path("inside").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    while b"once more" not in os.read(process.stderr.fileno(), 4096):
        assert process.poll() is None
    assert process.poll() is None
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert processes.finish(process)[0] == -signal.SIGINT  # which a shell shows as 130
    assert time.monotonic() - started < 30
    Path("stuck").unlink()
    assert processes.run("resume", "run", "--no-plot")[0] == 0
    assert_same("whole", "run")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_is_ignored_stays_ignored(config, number):
    """As of a job that a script has put into the background, or under a supervisor."""
    path = config(epochs=2)
    process = processes.start(
        "train",
        path,
        "--no-plot",
        "--out",
        "run",
        before=f"signal.signal({int(number)}, signal.SIG_IGN)",
        each_minibatch=SLOW,
    )
    wait_for(process, 2)
    process.send_signal(number)
    assert processes.finish(process)[0] == 0
    assert facts("run")["status"] == "finished"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_after_the_last_epoch_cuts_nothing_off(config, number):
    """While the picture is drawn: the run is finished, and so are its picture and its result."""
    path = config(epochs=2)
    slow = (
        "import mlp.plots.losses as plots; draw = plots.plot_runs\n"
        "def slowly(*arguments): open('drawing', 'w').close(); time.sleep(0.5); draw(*arguments)\n"
        "plots.plot_runs = slowly"
    )
    process = processes.start("train", path, "--out", "run", before=slow)
    while not Path("drawing").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(number)
    code, stdout, _ = processes.finish(process)
    assert code == 0
    assert stdout.startswith("best epoch")
    assert facts("run")["status"] == "finished"
    assert Path("run/loss.png").exists()


def test_the_way_on_can_be_pasted_into_a_shell(config):
    path = config(epochs=4)
    process = processes.start("train", path, "--no-plot", "--out", "my run's", each_minibatch=SLOW)
    wait_for(process, 2, "my run's")
    process.send_signal(signal.SIGINT)
    last = processes.finish(process)[2].splitlines()[-1]
    assert shlex.split(last.partition("to go on: ")[2]) == ["mlp", "resume", "my run's"]


def test_a_run_whose_progress_nobody_reads_any_more_goes_on(config):
    """The terminal is closed, or `mlp train ... 2>&1 | head -1`: the result of the training is what counts."""
    path = config(epochs=6)
    assert processes.run("train", path, "--no-plot", "--out", "whole")[0] == 0
    for closed in ("stderr", "both"):
        reading, writing = os.pipe()
        argv = [*processes.PLAIN, "train", path, "--no-plot", "--out", closed]
        output = writing if closed == "both" else subprocess.DEVNULL
        with subprocess.Popen(argv, stdout=output, stderr=writing) as process:
            os.close(writing)
            os.read(reading, 10)
            os.close(reading)
            assert process.wait(timeout=60) in ((0,) if closed == "stderr" else (0, 141))
        assert facts(closed)["status"] == "finished"
        assert_same("whole", closed)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_messages_that_cannot_be_written_do_not_stop_a_run(config):
    path = config(epochs=3)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*processes.PLAIN, "train", path, "--no-plot", "--out", "run"],
            stderr=full,
            stdout=subprocess.PIPE,
            timeout=60,
        )
    assert done.returncode == 0
    assert done.stdout.startswith(b"best epoch")
    assert facts("run")["status"] == "finished"


def test_a_progress_bar_whose_terminal_is_gone_does_not_stop_a_run(config):
    pty = pytest.importorskip("pty")
    path = config(epochs=8)
    ours, theirs = pty.openpty()
    argv = ["-c", processes.code(each_minibatch="time.sleep(0.01)"), "train", path, "--no-plot", "--out", "run"]
    with subprocess.Popen([sys.executable, *argv], stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        os.read(ours, 10)
        wait_for(process, 3)
        os.close(ours)
        stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert stdout.startswith(b"best epoch")
    assert facts("run")["status"] == "finished"


def test_a_run_that_was_killed_is_not_called_running(config):
    path = config(epochs=1000)
    process = processes.start("train", path, "--out", "run", each_minibatch=SLOW)
    wait_for(process, 6)
    assert processes.run("summary", "run")[1].splitlines()[-1].startswith("running after ")
    process.kill()
    processes.finish(process)
    assert re.match(r"killed while running after \d+ epochs", processes.run("summary", "run")[1].splitlines()[-1])


def test_a_full_pipe_of_messages_does_not_keep_a_signal_waiting(config):
    import fcntl

    path = config(epochs=10**6)
    process = processes.start("train", path, "--out", "run", "--no-plot")  # whose stderr is not read
    fcntl.fcntl(process.stderr.fileno(), getattr(fcntl, "F_SETPIPE_SZ", fcntl.F_GETFD), 16384)  # some 150 lines
    time.sleep(4)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143
    assert facts("run")["status"] == "interrupted"
    process.communicate()


@pytest.mark.parametrize(("term", "bar"), [("xterm", True), ("dumb", False)])
def test_a_terminal_never_loses_its_cursor(config, term, bar):
    import pty

    path, (ours, theirs) = config(epochs=5), pty.openpty()
    process = subprocess.Popen(
        [*processes.PLAIN, "train", path, "--out", "run", "--no-plot"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": term},
    )
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # when the other end is closed
        while piece := os.read(ours, 4096):
            seen += piece
    os.close(ours)
    assert process.wait(30) == 0
    assert b"\x1b" not in seen
    assert (b"\repochs  [####" in seen) == bar
    assert (b"epoch 5/5" in seen) != bar

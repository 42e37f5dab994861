"""The command line in processes of its own, slowed down, limited or broken on purpose."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlp.errors import FileError
from mlp.experiments.storage.archive import read_arrays

PLAIN = [sys.executable, "-c", "from mlp.cli.commands import main; main()"]


def code(*, before="", each_epoch="pass", each_minibatch="pass", pause=0.0):
    """Python that runs `mlp`, saving every `pause` seconds; `before` runs first, the others in the loop of a run."""
    return (
        f"import os, resource, signal, sys, time\n"
        f"{before}\n"
        "import mlp.training\n"
        "from mlp.experiments import run\n"
        f"run.SECONDS_BETWEEN_CHECKPOINTS, run.SHARE_OF_CHECKPOINTS = {pause}, float('inf')\n"
        "plain, plain_minibatch = run.Run.epochs, mlp.training.Training.step\n"
        "def epochs(self):\n"
        "    for record in plain(self):\n"
        f"        {each_epoch}\n"
        "        yield record\n"
        "def minibatch(*arguments):\n"
        f"    {each_minibatch}\n"
        "    return plain_minibatch(*arguments)\n"
        "run.Run.epochs, mlp.training.Training.step = epochs, minibatch\n"
        "from mlp.cli.commands import main\n"
        "main()\n"
    )


def start(*argv, env=None, prefix=(), **changes):
    """A process that is under way; see `code` for what can be changed in it."""
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", code(**changes), *map(str, argv)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )


def finish(process, timeout=60):
    """Its exit code, stdout and stderr."""
    stdout, stderr = process.communicate(timeout=timeout)
    assert "Traceback" not in stderr, stderr
    return process.returncode, stdout, stderr


def run(*argv, **changes):
    return finish(start(*argv, **changes))


def wait_for(process, minibatch, folder="run"):
    """Until a checkpoint of at least so many minibatches is there."""
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, process.communicate()
        if time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"no checkpoint of {minibatch} minibatches")
        try:
            header, _ = read_arrays(Path(folder, "last.npz"), "mlp checkpoint")
            done = 5 * header["epoch"] + (header["unfinished"] or {"minibatches": 0})["minibatches"]
        except FileError:
            done = 0
        if done >= minibatch:
            return
        time.sleep(0.005)

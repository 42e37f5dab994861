"""Processes that are killed, made quickly: `Killer` starts one that has the package imported and forks it for each job.

Run as a script it is that process. A job is a line of JSON on its standard input, the exit code (or minus the signal) a
line on its standard output.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = "run"  # events are what a job does to files in a directory of this name


class Killer:
    """`job(...)` runs the command line in a process of its own and returns its exit code, or minus its signal.

    `seconds` kills it after so long; `event` kills it at this one (from 1) of the things that it does to files in a
    directory called "run", and leaves a write that is under way half done. A job that is not killed writes the number
    of its events to the file "events".
    """

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # no threads that a fork would lose
        )

    def job(self, *argv, seconds=None, event=None, pause=0.0):
        line = json.dumps({"argv": argv, "cwd": os.getcwd(), "seconds": seconds, "event": event, "pause": pause})
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def serve():
    for name in ("cli.follow", "cli.report", "experiments.start", "experiments.replay", "plots.losses"):
        importlib.import_module(f"mlp.{name}")  # each job finds them imported
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            work(job)
        if job["seconds"] is not None:
            time.sleep(job["seconds"])
            os.kill(child, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def work(job):
    from mlp.cli import commands as cli
    from mlp.experiments import run

    run.SECONDS_BETWEEN_CHECKPOINTS, run.SHARE_OF_CHECKPOINTS = job["pause"], float("inf")
    os.chdir(job["cwd"])
    output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(output, 1)
    os.dup2(output, 2)
    folder = next(argument for argument in job["argv"] if argument.endswith(FOLDER))
    events = count_events(os.path.realpath(folder), job["event"])
    code = 0
    try:
        cli.cli(job["argv"], prog_name="mlp")
    except SystemExit as done:
        code = done.code or 0
    sys.stdout.flush()
    if job["event"] is None:
        Path("events").write_text(str(len(events)))
    os._exit(code)


def count_events(folder, last):
    """A list that grows with every event in the folder; the process is killed before the one with the number `last`.

    If that is a flush, half of what was not flushed before is lost. Flushes are not made, which SIGKILL cannot tell.
    """
    events, flushed = [], {}

    def located(path):
        return os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else os.path.realpath(os.fsdecode(path))

    def happens(what):
        events.append(what)
        if len(events) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(name, arguments):
        if name in ("open", "os.rename", "os.remove", "os.mkdir") and located(arguments[0]).startswith(folder):
            happens(name)
            if name == "os.rename":
                flushed[located(arguments[1])] = flushed.pop(located(arguments[0]), 0)

    def flush(handle):
        path, size = os.readlink(f"/proc/self/fd/{handle}"), os.fstat(handle).st_size
        if os.path.isfile(path):
            if len(events) + 1 == last:
                os.ftruncate(handle, (flushed.get(path, 0) + size) // 2)
            flushed[path] = size
        happens("fsync")

    os.fsync = flush
    sys.addaudithook(watch)
    return events


if __name__ == "__main__":
    serve()

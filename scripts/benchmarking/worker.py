"""Run one competitor: read a request a line from standard input, and answer each with a line, both JSON.

    python -m benchmarking.worker MODULE LIBRARY VARIANT PROCESSORS

An answer to a timed request comes only when the process is quiet again, because the threads of many libraries go on
spinning for a while and would take processors from whoever is next.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from typing import Any, TextIO


def take_processors(count: int) -> None:
    """Leave this process `count` processors: libraries take so many threads, and could not use more if they did."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def wait_until_quiet(limit: float = 2.0) -> None:
    """Sleep until the process has used less than a twentieth of a processor for 5 ms, or `limit` seconds."""
    deadline = time.perf_counter() + limit
    while time.perf_counter() < deadline:
        started, used = time.perf_counter(), time.process_time()
        time.sleep(0.005)
        if time.process_time() - used < 0.05 * (time.perf_counter() - started):
            return


class Requests:
    """What can be asked for: the method of the request's name, with its values by keyword."""

    def __init__(self, module: Any, variant: str) -> None:
        self.module, self.variant = module, variant
        self.job: Any = None

    def describe(self) -> Any:
        return self.module.describe()

    def prepare_steps(self, network: str, batch: int, optimizer: str) -> Any:
        """Build for a cell; the losses of the compared steps, or None where there are none."""
        from benchmarking.work import COMPARED_STEPS, Cell, initial_weights, minibatches

        self.job = None  # the last cell's arrays go before the next one's come
        gc.collect()
        cell = Cell(network, batch, optimizer)
        self.job = self.module.Steps(cell, initial_weights(cell.sizes), minibatches(cell), self.variant)
        self.job.reset()
        losses = [self.job.step(i) for i in range(COMPARED_STEPS)]
        self.job.finish()
        return None if losses[0] is None else [float(loss) for loss in losses]

    def steps(self, warm_up: int, steps: int) -> Any:
        """Seconds and seconds of processors that `steps` steps took, after `warm_up` ones from the initial weights."""
        self.job.reset()
        for i in range(warm_up):
            self.job.step(i)
        self.job.finish()
        started, used = time.perf_counter(), time.process_time()
        for i in range(warm_up, warm_up + steps):
            self.job.step(i)
        self.job.finish()
        seconds, used = time.perf_counter() - started, time.process_time() - used
        wait_until_quiet()
        return [seconds, used]

    def prepare_epoch(self, network: str, batch: int, optimizer: str, rows: int) -> Any:
        from benchmarking.work import Cell, initial_weights, make_rows

        self.job = None
        gc.collect()
        cell = Cell(network, batch, optimizer)
        self.job = self.module.Epoch(cell, initial_weights(cell.sizes), make_rows(cell.sizes, rows), self.variant)

    def epoch(self) -> Any:
        """Seconds, seconds of processors and mean loss of one more epoch."""
        started, used = time.perf_counter(), time.process_time()
        loss = self.job.run()
        seconds, used = time.perf_counter() - started, time.process_time() - used
        wait_until_quiet()
        return [seconds, used, loss]


def serve(requests: Requests, answers: TextIO) -> None:
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"answer": getattr(requests, request.pop("do"))(**request)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def main(module: str, library: str, variant: str, processors: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    take_processors(int(processors))
    importlib.import_module(library)
    serve(Requests(importlib.import_module(f"benchmarking.competitors.{module}"), variant), answers)


if __name__ == "__main__":
    main(*sys.argv[1:])

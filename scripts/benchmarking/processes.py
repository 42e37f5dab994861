"""Run the competitors' processes: started once, asked one at a time, in an order that changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from benchmarking.competitors import Competitor, keras_backend
from benchmarking.work import Array
from mlp.experiments.machine import MALLOC_VARIABLES, THREAD_VARIABLES

OWN_CHOICES = (*THREAD_VARIABLES, *MALLOC_VARIABLES)  # not passed on: some would obey them and others not


class CompetitorFailed(Exception):
    """A competitor's process raised an error or ended; the message is one line with its name."""


class Worker:
    """The process of one competitor. Its messages go to a file in `folder`, which also takes what libraries cache."""

    def __init__(self, competitor: Competitor, processors: int, folder: Path) -> None:
        self.competitor = competitor
        self.messages = folder / f"{competitor.name}.txt"
        environment = {
            **{name: value for name, value in os.environ.items() if name not in OWN_CHOICES},
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
            "JAX_PLATFORMS": "cpu",
            "KERAS_BACKEND": keras_backend() or "",
            "KERAS_HOME": str(folder / "keras"),
            "TORCHINDUCTOR_CACHE_DIR": str(folder / "torch"),
            "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no pool of compilers beside the process
        }
        command = ["-m", "benchmarking.worker", competitor.module, competitor.library, competitor.variant]
        with self.messages.open("w") as messages:
            self.process = subprocess.Popen(
                [sys.executable, *command, str(processors)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=messages,
                text=True,
                env=environment,
                cwd=folder,
            )

    def ask(self, do: str, **values: Any) -> Any:
        """The answer to a request of `benchmarking.worker.Requests`. Raises CompetitorFailed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            print(json.dumps({"do": do, **values}), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            said = self.messages.read_text().strip().splitlines()
            raise CompetitorFailed(f"{self.competitor.name}: ended{': ' + said[-1] if said else ''}")
        answer = json.loads(line)
        if "error" in answer:
            raise CompetitorFailed(f"{self.competitor.name}: {answer['error'].splitlines()[0]}")
        return answer["answer"]

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Workers:
    """Several of them, for a `with` statement; those that fail are closed and named in `failed`."""

    def __init__(self, competitors: Sequence[Competitor], processors: int, folder: Path) -> None:
        self.workers = [Worker(competitor, processors, folder) for competitor in competitors]
        self.failed: list[str] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for worker in self.workers:
            worker.close()

    def ask_all(self, do: str, **values: Any) -> dict[str, Any]:
        """One after the other, by name."""
        answers = {}
        for worker in list(self.workers):
            try:
                answers[worker.competitor.name] = worker.ask(do, **values)
            except CompetitorFailed as failure:
                self.failed.append(str(failure))
                self.workers.remove(worker)
                worker.close()
        return answers

    def rounds(self, count: int, ask: Callable[[Worker], Sequence[float]], rng: np.random.Generator) -> Array:
        """`ask` of each worker once a round, in an order of its own: rounds x workers x numbers of an answer.

        The workers are those that are left in the end.
        """
        found: dict[str, list[Sequence[float]]] = {worker.competitor.name: [] for worker in self.workers}
        for _ in range(count):
            for worker in rng.permutation(np.array(self.workers, dtype=object)):
                try:
                    found[worker.competitor.name].append(ask(worker))
                except CompetitorFailed as failure:
                    self.failed.append(str(failure))
                    self.workers.remove(worker)
                    worker.close()
        table = [found[worker.competitor.name] for worker in self.workers]
        return np.array(table).swapaxes(0, 1) if table else np.empty((count, 0, 0))

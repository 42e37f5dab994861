"""Time fresh processes of bare Python, of what `mlp` needs, of `mlp` itself and of the frameworks, in turns."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarking.results import Row, duration, table

MLP = Path(sysconfig.get_path("scripts")) / "mlp"
IMPORTS = ("click", "numpy", "mlp", "sklearn", "torch", "jax")


def commands() -> dict[str, list[str]]:
    """What is started, by name; libraries that are not installed are left out."""
    found = {"python -c pass": [sys.executable, "-c", "pass"]}
    for library in IMPORTS:
        if importlib.util.find_spec(library) is not None:
            found[f"import {library}"] = [sys.executable, "-c", f"import {library}"]
    if MLP.exists():
        found |= {f"mlp {option}": [sys.executable, str(MLP), option] for option in ("--help", "--version")}
    return found


def measure_startup(rounds: int) -> list[Row]:
    """The first round fills the disk cache and writes bytecode, and is not counted."""
    started = commands()
    seconds = np.empty((1 + rounds, len(started)))
    rng = np.random.default_rng(0)
    for row in seconds:
        for column in rng.permutation(len(started)):
            begin = time.perf_counter()
            subprocess.run(list(started.values())[column], check=True, capture_output=True)
            row[column] = time.perf_counter() - begin
    medians = np.median(seconds[1:], axis=0)
    return [Row("startup", name, seconds=float(median)) for name, median in zip(started, medians, strict=True)]


def startup_table(rows: Sequence[Row]) -> str:
    bare = rows[0].seconds or 0
    return table(
        ["start", "time", "more than bare Python"],
        [[row.competitor, duration(row.seconds or 0), duration((row.seconds or 0) - bare)] for row in rows],
    )

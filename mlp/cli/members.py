"""Train several runs of one config side by side, on folds of its rows or from several seeds, and average them."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlp.cli.console import Failure, message, result, stop_signals
from mlp.cli.follow import draw_losses
from mlp.cli.several import average_of, show_several

if TYPE_CHECKING:
    from mlp.experiments.config.schema import Config

WAIT = 0.1  # seconds between two looks at the processes
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def train_members(
    config: str,
    overrides: Sequence[str],
    *,
    out: Path | None,
    folds: int | None,
    seeds: int | None,
    plot: bool,
    quiet: bool,
) -> None:
    """Train the members in run directories of their own, below one, as many at once as there are processors.

    Their average is model.npz above them, and loss.png there has the curves of all. A member that fails or is stopped
    says so, and can be resumed by itself.
    """
    from mlp.experiments.assemble import prepare
    from mlp.experiments.config.load import load_config
    from mlp.experiments.storage.files import write_file
    from mlp.experiments.storage.run_folder import empty_folder, new_folder, read_facts

    first = [] if folds is None else fold_settings(1, folds)
    loaded = load_config(config, [*overrides, *first])  # with a seed, which may be drawn
    members = members_for(loaded.config, folds, seeds)
    prepare(loaded, advise=False)  # what is wrong with the data is said before anything is made
    (folder, *_) = new_folder(Path("runs") / loaded.name) if out is None else [out, *empty_folder(out)]
    if not quiet:
        message(f"{len(members)} runs in {folder}: {', '.join(members)}")
    options = ["--quiet", "--plot" if plot else "--no-plot"]
    commands = {
        name: [sys.executable, "-P", "-m", "mlp", "train", config, "--out", str(folder / name), *options]
        + [word for setting in (*overrides, *settings) for word in ("--set", setting)]
        for name, settings in members.items()
    }
    failed = run_all(commands, quiet=quiet)
    if failed:
        stopped = [name for name in members if failed.get(name, 0) > 128 and (folder / name).exists()]
        way_on = f"; to go on: mlp resume {shlex.quote(str(folder / stopped[0]))}" if stopped else ""
        raise Failure(f"not finished: {', '.join(filter(failed.get, members))}{way_on}", max(failed.values()))
    runs = [folder / name for name in members]
    if plot:
        draw_losses(runs, folder)
    average = average_of(runs)
    write_file(folder / "model.npz", average.to_bytes())
    if folds is None or "test" in read_facts(runs[0])["rows"]:
        show_several(runs, average, None)
    else:
        result("the folds have no rows for testing in common (data.split.test), so the average has no scores")
    result(f"the average: {folder / 'model.npz'}")
    if not quiet:
        message(f"next: mlp predict {shlex.quote(str(folder))} NEW.csv")


def fold_settings(k: int, folds: int) -> list[str]:
    return [f"data.split.folds={folds}", f"data.split.fold={k}", "data.split.valid=0"]


def members_for(config: Config, folds: int | None, seeds: int | None) -> dict[str, list[str]]:
    """For each member its name, and what is set in its config."""
    seed, split = config.training.seed, config.data.split.seed
    assert seed is not None  # it has been drawn
    split = seed if split is None else split
    if folds is not None:
        return {f"fold-{k}": [f"training.seed={seed}", *fold_settings(k, folds)] for k in range(1, folds + 1)}
    assert seeds is not None
    return {f"seed-{seed + k}": [f"training.seed={seed + k}", f"data.split.seed={split}"] for k in range(seeds)}


def run_all(commands: dict[str, list[str]], *, quiet: bool) -> dict[str, int]:
    """Run commands, as many at once as there are processors; returns the exit codes of those that failed.

    The first Ctrl-C or SIGTERM is passed on to all once: each saves its run and ends.
    """
    from mlp.processors import processors

    waiting, running, failed = list(commands), dict[str, subprocess.Popen[str]](), dict[str, int]()
    started = dict.fromkeys(commands, 0.0)

    def stop() -> None:
        for process in running.values():
            process.send_signal(signal.SIGTERM)

    with stop_signals(stop) as received:
        while running or (waiting and not received):
            while waiting and len(running) < processors() and not received:
                name = waiting.pop(0)
                started[name] = time.monotonic()
                running[name] = subprocess.Popen(
                    commands[name],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    env=os.environ | ONE_THREAD,
                    start_new_session=True,  # so that Ctrl-C reaches them once, from here
                )
            for name, process in list(running.items()):
                try:
                    said, _ = process.communicate(timeout=WAIT)
                except subprocess.TimeoutExpired:
                    continue
                del running[name]
                best = [line for line in said.splitlines() if line.startswith("best epoch")]
                if process.returncode:
                    code = process.returncode
                    failed[name] = code if code > 0 else 128 - code
                    message(f"{name}: {' '.join(said.split(chr(10))).strip()}")
                elif not quiet:
                    message(f"{name}: {''.join(best[:1])}  {time.monotonic() - started[name]:.1f} s")
    return failed | ({name: 128 + received[0] for name in waiting} if received else {})

"""Time a step: forward, loss, backward and optimizer on one minibatch, each competitor against mlp in the same round.

A burst is so many steps that they take about `BURST` seconds, after a quarter as many that are not timed, always from
the initial weights, so that every burst of a competitor does the same work. A round is one burst of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarking.competitors import Competitor
from benchmarking.processes import Worker, Workers
from benchmarking.results import Row, duration, number, table
from benchmarking.work import Array, Cell, reference_losses

BURST = 0.03
MOST_STEPS = 1000
EARLY, LATER_TOLERANCE = 10, 0.02

Say = Callable[[str], None]


def wrong_losses(name: str, losses: Sequence[float], wanted: Sequence[float], tolerance: float) -> str | None:
    """A sentence when losses are not those in float64: relative to them within `tolerance` for the first `EARLY` steps,
    and within `LATER_TOLERANCE` for all.

    Until a relu is on in one precision and off in the other, at a point within rounding of zero, float32 agrees to 1e-6
    (1e-4 where Adam's epsilon has another place); after some such steps, in wide networks, to 1e-2. With a learning
    rate 1 % too high, or a momentum of 0.89 for 0.9, the first losses are 4e-5 to 4e-2 away.
    """
    if len(losses) != len(wanted):
        return f"{name}: {len(losses)} losses, expected {len(wanted)}"
    limits = np.where(np.arange(len(wanted)) < EARLY, tolerance, LATER_TOLERANCE)
    bad = np.flatnonzero(~(np.abs(np.subtract(losses, wanted)) <= limits * np.abs(wanted)))
    if not len(bad):
        return None
    step = bad[0]
    return (
        f"{name}: does other work: its loss at step {step + 1} is {losses[step]:.6g}, "
        f"but {wanted[step]:.6g} in float64 (more than {limits[step]:g} away)"
    )


def measure_cell(workers: Workers, cell: Cell, rounds: int, rng: np.random.Generator, wrong: list[str]) -> list[Row]:
    """The rows of one cell; a competitor whose losses are wrong is left out of it, and said in `wrong`."""
    losses = workers.ask_all("prepare_steps", network=cell.network, batch=cell.batch, optimizer=cell.optimizer)
    wanted = reference_losses(cell)
    excluded = set()
    for worker in workers.workers:
        name = worker.competitor.name
        problem = wrong_losses(name, losses[name] or [], wanted, worker.competitor.tolerance)
        if worker.competitor.trains and problem is not None:
            wrong.append(f"{cell.network}, B = {cell.batch}, {cell.optimizer}: {problem}")
            excluded.add(name)
    first = workers.ask_all("steps", warm_up=1, steps=2)
    counts = {name: int(np.clip(round(BURST / (seconds / 2)), 1, MOST_STEPS)) for name, (seconds, _) in first.items()}

    def burst(worker: Worker) -> tuple[float, float]:
        steps = counts[worker.competitor.name]
        seconds, used = worker.ask("steps", warm_up=max(1, steps // 4), steps=steps)
        return seconds / steps, used / steps

    measured = workers.rounds(rounds, burst, rng)
    if not workers.workers:
        return []
    names = [worker.competitor.name for worker in workers.workers]
    rows = rows_of("steps", names, measured, cell)
    for row in rows:
        if losses[row.competitor] is not None:
            row.loss = losses[row.competitor][-1]
    if "mlp" in excluded:
        for row in rows:
            row.ratio = row.ratio_low = row.ratio_high = None  # to what mlp should have done, they are none
    return [row for row in rows if row.competitor not in excluded]


def rows_of(part: str, names: Sequence[str], measured: Array, cell: Cell) -> list[Row]:
    """Medians over the rounds of rounds x competitors x (seconds, seconds of processors, ...)."""
    seconds, used = measured[:, :, 0], measured[:, :, 1]
    rows = []
    for column, name in enumerate(names):
        row = Row(part, name, cell.network, cell.batch, cell.optimizer)
        row.seconds = float(np.median(seconds[:, column]))
        row.processors = float(np.median(used[:, column] / seconds[:, column]))
        if "mlp" in names:
            ratios = seconds[:, names.index("mlp")] / seconds[:, column]
            row.ratio_low, row.ratio, row.ratio_high = (float(q) for q in np.quantile(ratios, [0.25, 0.5, 0.75]))
        rows.append(row)
    return rows


def measure_steps(
    competitors: Sequence[Competitor],
    cells: Sequence[Cell],
    rounds: int,
    processors: int,
    folder: Path,
    say: Say,
    wrong: list[str],
) -> tuple[list[Row], dict[str, str]]:
    """All rows, and what each competitor says about itself. Failures are added to `wrong`."""
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    with Workers(competitors, processors, folder) as workers:
        descriptions: dict[str, str] = workers.ask_all("describe")
        for number_of_cell, cell in enumerate(cells, 1):
            say(f"steps {number_of_cell}/{len(cells)}: {cell.network}, B = {cell.batch}, {cell.optimizer}")
            rows += measure_cell(workers, cell, rounds, rng, wrong)
        wrong += workers.failed
    return rows, descriptions


def steps_table(rows: Sequence[Row]) -> str:
    """mlp's time of each cell, and its ratio to everybody's: below 1, mlp is faster. "cores" are those mlp used."""
    names = list(dict.fromkeys(row.competitor for row in rows if row.competitor != "mlp"))
    lines = []
    for cell in dict.fromkeys(row.cell for row in rows):
        found = {row.competitor: row for row in rows if row.cell == cell}
        own = found.get("mlp")
        network, batch, optimizer = map(str, cell)
        lines.append(
            [network, batch, optimizer]
            + ["-" if own is None or own.seconds is None else duration(own.seconds)]
            + [number(None if own is None else own.processors, 1)]
            + [number(found[name].ratio if name in found else None) for name in names]
        )
    return table(["network", "B", "optimizer", "mlp", "cores", *(f"/ {name}" for name in names)], lines)

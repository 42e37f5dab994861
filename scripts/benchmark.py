"""Benchmark: the same training work for mlp, PyTorch, JAX, Keras, scikit-learn and the bare matrix products.

Each competitor has a process of its own. All are asked in turns, in an order that changes from round to round, and
ratios are taken within a round, so that what else the machine does hits all of them. All have the same initial weights
and minibatches in float32 and the same processors, and must reach the losses that float64 gives for 100 steps; one that
does not is left out, and the exit code is 1. Peers that are not installed are skipped: `pip install -e '.[benchmark]'`.

    steps     a minibatch: forward, loss, backward, optimizer    late      a late epoch against an early one
    epoch     60,000 rows, each library in its usual loop        startup   fresh processes       memory   peaks of runs

    python scripts/benchmark.py all --out scripts/pictures       (a quarter of an hour; nothing else should run)
    python scripts/benchmark.py steps epoch --quick
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from benchmarking import epochs, late, memory, startup, steps, targets, work
from benchmarking.competitors import EPOCHS, STEPS, Competitor, why_absent
from benchmarking.machine import describe_machine, others
from benchmarking.pictures import draw
from benchmarking.results import Row, write_csv

PARTS = ("steps", "epoch", "late", "startup", "memory")
QUICK_NETWORKS, QUICK_BATCHES = ("64-32-10", "784-256-128-10"), (32, 128)


def say(text: str) -> None:
    click.echo(text, err=True)


def present(competitors: Sequence[Competitor], wanted: Sequence[str]) -> list[Competitor]:
    """Those that were asked for (all, if none were named) and can take part; the others are skipped with a word."""
    found = []
    for competitor in competitors:
        if wanted and competitor.name not in wanted:
            continue
        reason = why_absent(competitor)
        if reason is None:
            found.append(competitor)
        else:
            say(f"{competitor.name}: {reason}, skipped")
    return found


def processors_here() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


NAMES = tuple(dict.fromkeys(competitor.name for competitor in (*STEPS, *EPOCHS)))


@click.command()
@click.argument("parts", nargs=-1, required=True, type=click.Choice([*PARTS, "all"]), metavar="PART...")
@click.option("--rounds", type=click.IntRange(min=1), help="Of the steps.  [default: 15, with --quick 5]")
@click.option("--threads", type=click.IntRange(min=1), help="Processors for each.  [default: all there are]")
@click.option("--quick", is_flag=True, help="A small part of the grid, fewer rounds, less data.")
@click.option("--competitor", "names", multiple=True, type=click.Choice(NAMES), help="Only these; repeatable.")
@click.option("--network", "networks", multiple=True, help="Steps of these only, such as 64-32-10; repeatable.")
@click.option("--batch", "batches", multiple=True, type=click.IntRange(min=1), help="Only these B; repeatable.")
@click.option("--optimizer", "optimizers", multiple=True, type=click.Choice(work.OPTIMIZERS), help="Only these.")
@click.option(
    "--out",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder for benchmark.csv and benchmark.png.  [default: none is written]",
)
def main(
    parts: tuple[str, ...],
    rounds: int | None,
    threads: int | None,
    quick: bool,
    names: tuple[str, ...],
    networks: tuple[str, ...],
    batches: tuple[int, ...],
    optimizers: tuple[str, ...],
    out: Path | None,
) -> None:
    """Measure PARTs: steps, epoch, late, startup, memory, or all; tables go to stdout, progress to stderr."""
    parts = PARTS if "all" in parts else parts
    processors = min(threads or processors_here(), processors_here())
    rounds = rounds or (5 if quick else 15)
    cells = [
        work.Cell(network, batch, optimizer)
        for optimizer in optimizers or work.OPTIMIZERS
        for network in networks or (QUICK_NETWORKS if quick else work.NETWORKS)
        for batch in batches or (QUICK_BATCHES if quick else work.BATCHES)
    ]
    busy = others()
    if busy is not None and busy > 0.2:
        say(f"note: other processes use {busy:.1f} processors; the numbers hold only where nothing else runs")
    rows: list[Row] = []
    wrong: list[str] = []
    descriptions: dict[str, str] = {}

    def show(found: list[Row], as_table: Callable[[Sequence[Row]], str]) -> None:
        """Print at once, and keep what there is, so that a run that is stopped has not been for nothing."""
        rows.extend(found)
        if found:
            click.echo(f"\n{as_table(found)}")
        if out is not None:
            write_csv(out / "benchmark.csv", describe_machine(processors, descriptions), rows)

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if "steps" in parts:
            found, descriptions = steps.measure_steps(
                present(STEPS, names), cells, rounds, processors, folder, say, wrong
            )
            click.echo("\n".join(describe_machine(processors, descriptions)))
            show(found, steps.steps_table)
        else:
            click.echo("\n".join(describe_machine(processors, {})))
        if "epoch" in parts:
            sizes = batches or (epochs.BATCHES[:1] if quick else epochs.BATCHES)
            count, turns = (12_000, 2) if quick else (epochs.ROWS, 5)
            taking_part = present(EPOCHS, names)
            show(
                epochs.measure_epochs(taking_part, sizes, count, turns, processors, folder, say, wrong),
                epochs.epochs_table,
            )
        if "late" in parts:
            show(late.measure_late(1000 if quick else 4000, 30 if quick else 60, say, wrong), late.late_table)
        if "startup" in parts:
            say("startup")
            show(startup.measure_startup(3 if quick else 15), startup.startup_table)
        if "memory" in parts:
            counts = (15_000, 30_000) if quick else (15_000, 30_000, 60_000, 120_000)
            show(memory.measure_memory(counts, folder, say), memory.memory_table)

    measured = targets.targets(rows)
    if measured:
        click.echo(f"\n{targets.targets_table(measured)}")
    if out is not None:
        draw(rows, describe_machine(processors, {})[0], out / "benchmark.png")
    for problem in wrong:
        say(f"error: {problem}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

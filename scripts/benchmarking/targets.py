"""The targets for speed and memory, each with the number that was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarking.results import Row, geometric_mean, table

SMALLEST = "64-32-10"
WIDE = ("784-512-512-10", "1024-1024-1024-1024-10")  # their products take most of a step


class Target(NamedTuple):
    """A number that must be at most `limit`, and where it was found."""

    what: str
    limit: float
    measured: float
    where: str = ""

    @property
    def met(self) -> bool:
        return self.measured <= self.limit


def worst(what: str, limit: float, rows: Sequence[Row]) -> Iterator[Target]:
    """The largest ratio; nothing where nothing was measured."""
    if rows:
        row = max(rows, key=lambda row: row.ratio or 0)
        where = [row.network, row.batch and f"B = {row.batch}", row.competitor, row.part == "late" and row.optimizer]
        yield Target(what, limit, row.ratio or 0, ", ".join(str(part) for part in where if part))


def mean(what: str, limit: float, rows: Sequence[Row]) -> Iterator[Target]:
    """The geometric mean of the ratios."""
    if rows:
        yield Target(what, limit, geometric_mean([row.ratio or 0 for row in rows]), f"{len(rows)} ratios")


def step_targets(rows: Sequence[Row]) -> Iterator[Target]:
    def to(optimizer: str, *names: str) -> list[Row]:
        return [row for row in rows if row.part == "steps" and row.optimizer == optimizer and row.competitor in names]

    momentum, adam = "step with momentum / ", "step with Adam / "
    yield from mean(f"{momentum}jax.jit, geometric mean", 1, to("sgd", "jax"))
    yield from mean(f"{momentum}PyTorch, geometric mean", 0.70, to("sgd", "torch"))
    yield from mean(f"{momentum}PyTorch fused, geometric mean", 0.75, to("sgd", "torch fused"))
    smallest = [row for row in to("sgd", "jax") if row.network == SMALLEST]
    yield from worst(f"{momentum}jax.jit, worst B of {SMALLEST}", 1.15, smallest)
    yield from worst(f"{momentum}PyTorch or its fused, worst cell", 1.3, to("sgd", "torch", "torch fused"))
    yield from mean(f"{adam}jax.jit, geometric mean", 1.1, to("adam", "jax"))
    yield from mean(f"{adam}PyTorch, geometric mean", 0.80, to("adam", "torch"))
    wide = [row for row in to("sgd", "floor") if row.network in WIDE and (row.batch or 0) >= 128]
    yield from worst(f"{momentum}bare products, B >= 128 from {WIDE[0]} up, worst cell", 1.25, wide)


def epoch_targets(rows: Sequence[Row]) -> Iterator[Target]:
    for name in ("sklearn", "torch DataLoader"):
        found = [row for row in rows if row.part == "epoch" and row.competitor == name]
        yield from worst(f"epoch / {name}, worst batch size", 0.60, found)


def late_targets(rows: Sequence[Row]) -> Iterator[Target]:
    yield from worst("late epoch / early epoch, worst", 1.2, [row for row in rows if row.part == "late"])


def startup_targets(rows: Sequence[Row]) -> Iterator[Target]:
    seconds = {row.competitor: row.seconds or 0 for row in rows if row.part == "startup"}
    needed = ("mlp --help", "python -c pass", "import click", "import numpy")
    if seconds.keys() >= set(needed):
        shown, python, click, numpy = (seconds[name] for name in needed)
        yield Target(
            "mlp --help, ms more than Python with click and NumPy", 100, 1000 * (shown - click - numpy + python)
        )


def memory_targets(rows: Sequence[Row]) -> Iterator[Target]:
    found = [
        ((row.megabytes - 100) / row.data_megabytes, row)
        for row in rows
        if row.part == "memory" and row.megabytes is not None and row.data_megabytes is not None
    ]
    if found:
        ratio, row = max(found, key=lambda pair: pair[0])
        yield Target("(peak of training - 100 MB) / data, worst", 1.3, ratio, f"{row.competitor}, {row.rows} rows")


def targets(rows: Sequence[Row]) -> list[Target]:
    """Those that the rows say something about; a row without a ratio says nothing about ratios."""
    compared = [row for row in rows if row.ratio is not None]
    ratios = [target for part in (step_targets, epoch_targets, late_targets) for target in part(compared)]
    return [*ratios, *startup_targets(rows), *memory_targets(rows)]


def targets_table(found: Sequence[Target]) -> str:
    return table(
        ["target", "at most", "measured", "", "where"],
        [
            [
                target.what,
                f"{target.limit:.3g}",
                f"{target.measured:.3g}",
                "met" if target.met else "NOT met",
                target.where,
            ]
            for target in found
        ],
    )

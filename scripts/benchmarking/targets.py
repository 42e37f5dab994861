"""What this project has promised about its speed and memory, each with the number that was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from benchmarking.results import Row, geometric_mean
from benchmarking.tables import table

FLOOR_NETWORKS = ("784-256-128-10", "784-512-512-10", "1024-1024-1024-1024-10")


class Target(NamedTuple):
    """A number that must be at most `limit`, and where the worst one was found.

    `floor` is what it would be if mlp took no more time than the bare matrix products do (of the worst one, the largest
    over the cells): no way to make the rest of the step faster gets below it.
    """

    what: str
    limit: float
    measured: float
    where: str = ""
    floor: float | None = None

    @property
    def met(self) -> bool:
        return self.measured <= self.limit


class Ratio(NamedTuple):
    """Of mlp's time to that of the row's competitor, and of the floor's time to that."""

    measured: float
    floor: float | None
    row: Row


def ratios(rows: Sequence[Row], part: str, optimizer: str, wanted: Callable[[Row], bool]) -> list[Ratio]:
    """Those to the wanted rows, where they were measured."""
    measured = [
        (row.ratio, row) for row in rows if (row.part, row.optimizer) == (part, optimizer) and row.ratio is not None
    ]
    floors = {row.cell: ratio for ratio, row in measured if row.competitor == "floor"}
    return [
        Ratio(ratio, ratio / floors[row.cell] if row.cell in floors else None, row)
        for ratio, row in measured
        if wanted(row)
    ]


def named(name: str) -> Callable[[Row], bool]:
    return lambda row: row.competitor == name


def worst(what: str, limit: float, found: Sequence[Ratio]) -> Iterator[Target]:
    """Nothing where nothing was measured."""
    if found:
        largest = max(found, key=lambda ratio: ratio.measured)
        floor = max((ratio.floor for ratio in found if ratio.floor is not None), default=None)
        where = f"{largest.row.network}, B = {largest.row.batch}, {largest.row.competitor}"
        yield Target(what, limit, largest.measured, where, floor)


def mean(what: str, limit: float, found: Sequence[Ratio]) -> Iterator[Target]:
    if found:
        floors = [ratio.floor for ratio in found if ratio.floor is not None]
        floor = geometric_mean(floors) if len(floors) == len(found) else None
        yield Target(what, limit, geometric_mean([ratio.measured for ratio in found]), f"{len(found)} ratios", floor)


def step_targets(rows: Sequence[Row]) -> Iterator[Target]:
    torch = ratios(rows, "steps", "sgd", lambda row: row.competitor.startswith("torch"))
    yield from worst("step with momentum / PyTorch's, worst cell and variant", 1, torch)
    for variant in dict.fromkeys(ratio.row.competitor for ratio in torch):
        found = ratios(rows, "steps", "sgd", named(variant))
        yield from mean(f"step with momentum / {variant}, geometric mean", 0.5, found)
    for what, optimizer in (("momentum", "sgd"), ("Adam", "adam")):
        found = ratios(rows, "steps", optimizer, named("jax"))
        yield from mean(f"step with {what} / jax.jit, geometric mean", 1, found)
    wide = ratios(
        rows,
        "steps",
        "sgd",
        lambda row: row.competitor == "floor" and row.network in FLOOR_NETWORKS and (row.batch or 0) >= 128,
    )
    yield from worst(f"step with momentum / bare products, B >= 128 from {FLOOR_NETWORKS[0]} up, worst cell", 1.3, wide)
    eager = ratios(rows, "steps", "adam", named("torch"))
    yield from worst("step with Adam / PyTorch's default Adam, worst cell", 1, eager)


def epoch_targets(rows: Sequence[Row]) -> Iterator[Target]:
    for name in ("sklearn", "torch DataLoader"):
        yield from worst(f"epoch / {name}, worst batch size", 1 / 3, ratios(rows, "epoch", "sgd", named(name)))


def startup_targets(rows: Sequence[Row]) -> Iterator[Target]:
    seconds = {row.competitor: row.seconds for row in rows if row.part == "startup"}
    helped, click = seconds.get("mlp --help"), seconds.get("import click")
    if helped is not None and click is not None:
        yield Target("mlp --help, ms more than bare Python plus click", 100, 1000 * (helped - click))


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
    """Those that the rows say something about."""
    return [target for part in (step_targets, epoch_targets, startup_targets, memory_targets) for target in part(rows)]


def targets_table(found: Sequence[Target]) -> str:
    """In the column "products" is what the bare matrix products alone would reach."""
    lines = []
    for target in found:
        floor = "-" if target.floor is None else f"{target.floor:.3g}"
        numbers = [f"{target.limit:.3g}", f"{target.measured:.3g}", floor]
        lines.append([target.what, *numbers, "met" if target.met else "NOT met", target.where])
    return table(["target", "at most", "measured", "products", "", "where"], lines)

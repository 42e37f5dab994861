"""What this project has promised about its speed and memory, each with the number that was measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from benchmarking.results import Row, geometric_mean
from benchmarking.tables import table

FLOOR_NETWORKS = ("784-256-128-10", "784-512-512-10", "1024-1024-1024-1024-10")


class Target(NamedTuple):
    """A number that must be at most `limit`, and where the worst one was found."""

    what: str
    limit: float
    measured: float
    where: str = ""

    @property
    def met(self) -> bool:
        return self.measured <= self.limit


def worst(what: str, limit: float, rows: Iterable[Row]) -> Iterator[Target]:
    """Of the ratios of mlp's time to a competitor's; nothing where nothing was measured."""
    found = [(row.ratio, row) for row in rows if row.ratio is not None]
    if found:
        ratio, row = max(found, key=lambda pair: pair[0])
        yield Target(what, limit, ratio, f"{row.network}, B = {row.batch}, {row.competitor}")


def mean(what: str, limit: float, rows: Iterable[Row]) -> Iterator[Target]:
    ratios = [row.ratio for row in rows if row.ratio is not None]
    if ratios:
        yield Target(what, limit, geometric_mean(ratios), f"{len(ratios)} ratios")


def step_targets(rows: Sequence[Row]) -> Iterator[Target]:
    momentum = [row for row in rows if row.part == "steps" and row.optimizer == "sgd"]
    adam = [row for row in rows if row.part == "steps" and row.optimizer == "adam"]
    torch = [row for row in momentum if row.competitor.startswith("torch")]
    yield from worst("step with momentum / PyTorch's, worst cell and variant", 1, torch)
    for variant in dict.fromkeys(row.competitor for row in torch):
        of_variant = [row for row in torch if row.competitor == variant]
        yield from mean(f"step with momentum / {variant}, geometric mean", 0.5, of_variant)
    yield from mean(
        "step with momentum / jax.jit, geometric mean", 1, [row for row in momentum if row.competitor == "jax"]
    )
    yield from mean("step with Adam / jax.jit, geometric mean", 1, [row for row in adam if row.competitor == "jax"])
    floor = [row for row in momentum if row.competitor == "floor" and row.network in FLOOR_NETWORKS]
    yield from worst(
        f"step with momentum / bare products, B >= 128 from {FLOOR_NETWORKS[0]} up, worst cell",
        1.3,
        [row for row in floor if (row.batch or 0) >= 128],
    )
    yield from worst(
        "step with Adam / PyTorch's default Adam, worst cell", 1, [row for row in adam if row.competitor == "torch"]
    )


def epoch_targets(rows: Sequence[Row]) -> Iterator[Target]:
    epochs = [row for row in rows if row.part == "epoch"]
    for name in ("sklearn", "torch DataLoader"):
        yield from worst(f"epoch / {name}, worst batch size", 1 / 3, [row for row in epochs if row.competitor == name])


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
    lines = [
        [target.what, f"{target.limit:.3g}", f"{target.measured:.3g}", "met" if target.met else "NOT met", target.where]
        for target in found
    ]
    return table(["target", "at most", "measured", "", "where"], lines)

"""The measurements, one row for each competitor in each setting, as a CSV and as tables of plain text."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from mlp.text import aligned


@dataclass
class Row:
    """`seconds` are the median time of a step, an epoch or a start. `ratio` is the median of the paired ratios of mlp's
    seconds to the competitor's (below 1: mlp is faster), `ratio_low` and `ratio_high` are their quartiles; in the part
    "late" it is that of a late epoch to an early one.

    `processors` is the processor time over the time. `loss` is that of the last compared step, or of the first epoch.
    What does not apply is None.
    """

    part: str
    competitor: str
    network: str | None = None
    batch: int | None = None
    optimizer: str | None = None
    rows: int | None = None
    seconds: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    processors: float | None = None
    megabytes: float | None = None
    data_megabytes: float | None = None
    loss: float | None = None

    @property
    def cell(self) -> tuple[str | None, int | None, str | None]:
        return (self.network, self.batch, self.optimizer)


COLUMNS = [field.name for field in fields(Row)]


def write_csv(path: Path, machine: Iterable[str], rows: Sequence[Row]) -> None:
    """The machine in lines that begin with #, then a header and the rows; five digits, which is more than repeats."""
    with path.open("w", newline="") as file:
        for line in machine:
            file.write(f"# {line}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            values = asdict(row).values()
            writer.writerow([f"{value:.5g}" if isinstance(value, float) else value for value in values])


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return aligned([header, *rows])


def duration(seconds: float) -> str:
    """Three digits and a unit: 41.3 us, 1.25 ms, 3.40 s."""
    for unit, size in (("us", 1e-6), ("ms", 1e-3)):
        if seconds < 999.5 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def number(value: float | None, digits: int = 2) -> str:
    """With so many decimals, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))

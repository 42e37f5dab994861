"""What was measured, one row for each competitor in each setting, and the CSV that keeps it."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass
class Row:
    """`seconds` are a step's, an epoch's or a start's, the median; `ratio` is the median of the paired ratios of mlp's
    seconds to the competitor's (below 1: mlp is faster), `ratio_low` and `ratio_high` are their quartiles.

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


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))

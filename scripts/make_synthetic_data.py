"""Write the three synthetic data sets: xor.csv, spirals.csv and sine.csv.

Below, N(m, s) is a normal draw of mean m and standard deviation s, U(a, b) a uniform one, and
all draws are independent.

xor      For each corner (b1, b2) of the unit square, 100 points
             x1 = b1 + N(0, 0.1),   x2 = b2 + N(0, 0.1),
         of class "same" if b1 = b2 and "different" if not, that is, b1 xor b2.

spirals  For each class 200 points on an Archimedean spiral of two turns,
             t = U(0, 1),   r = 0.1 + 0.9 t,   a = 4 pi t,
             x = c r cos(a) + N(0, 0.02),   y = c r sin(a) + N(0, 0.02),
         where c = +1 gives the spiral that starts on the right of the origin (class "right") and
         c = -1 the same one turned by half a turn (class "left"). Neighbouring arms are
         0.9 / 4 = 0.225 apart, so the noise is a small part of the gap.
         After Lang and Witbrock (1988), "Learning to tell two spirals apart", whose own spirals
         have three turns, evenly spaced angles and no noise.

sine     400 points   x = U(-pi, pi),   y = sin(x) + N(0, 0.1).

The rows of each file are in random order, and numbers have six decimals. The random numbers of
a file depend on the seed alone, not on the other files. NumPy does not promise that future
versions draw the same numbers from the same seed, so the files themselves are kept too.
"""

import csv
from collections.abc import Iterable
from pathlib import Path

import click
import numpy as np

DATA = Path(__file__).resolve().parent.parent / "data"


def write_csv(path: Path, header: list[str], rows: Iterable[list[str]]) -> None:
    """Write a header and rows of text as UTF-8 CSV with LF line ends."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_xor(path: Path, seed: int = 0) -> None:
    """Write four Gaussian clusters at the corners of the unit square."""
    rng = np.random.default_rng([seed, 1])
    corners = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], 100, axis=0)
    points = corners + rng.normal(0.0, 0.1, corners.shape)
    labels = np.where(corners[:, 0] == corners[:, 1], "same", "different")
    order = rng.permutation(len(points))
    rows = ([f"{points[i, 0]:.6f}", f"{points[i, 1]:.6f}", str(labels[i])] for i in order)
    write_csv(path, ["x1", "x2", "class"], rows)


def write_spirals(path: Path, seed: int = 0) -> None:
    """Write two interleaved noisy spirals."""
    rng = np.random.default_rng([seed, 2])
    sign = np.repeat([1.0, -1.0], 200)
    t = rng.uniform(0.0, 1.0, sign.size)
    radius, angle = 0.1 + 0.9 * t, 4.0 * np.pi * t
    points = np.column_stack((sign * radius * np.cos(angle), sign * radius * np.sin(angle)))
    points += rng.normal(0.0, 0.02, points.shape)
    labels = np.where(sign > 0, "right", "left")
    order = rng.permutation(len(points))
    rows = ([f"{points[i, 0]:.6f}", f"{points[i, 1]:.6f}", str(labels[i])] for i in order)
    write_csv(path, ["x", "y", "spiral"], rows)


def write_sine(path: Path, seed: int = 0) -> None:
    """Write a noisy sine curve; its rows are in random order as drawn."""
    rng = np.random.default_rng([seed, 3])
    x = rng.uniform(-np.pi, np.pi, 400)
    y = np.sin(x) + rng.normal(0.0, 0.1, x.size)
    rows = ([f"{a:.6f}", f"{b:.6f}"] for a, b in zip(x, y, strict=True))
    write_csv(path, ["x", "y"], rows)


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=DATA,
    help="Folder to write to.  [default: the project's data folder]",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(out: Path, seed: int) -> None:
    """Write xor.csv, spirals.csv and sine.csv."""
    out.mkdir(parents=True, exist_ok=True)
    write_xor(out / "xor.csv", seed)
    write_spirals(out / "spirals.csv", seed)
    write_sine(out / "sine.csv", seed)


if __name__ == "__main__":
    main()

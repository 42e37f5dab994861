"""Write digits.csv, iris.csv and diabetes.csv from the copies that scikit-learn ships.

This script needs scikit-learn, which the project itself does not:

    pip install scikit-learn

Version 1.8 or newer gives the shipped files byte for byte. Versions 1.1 to 1.7 work too, but eleven
values of s5 in their diabetes data carry a rounding error (4.803999999999999 for 4.804).

Nothing is read from the network. No value is changed, and the rows keep scikit-learn's order:

digits    pixel_r_c = images[n, r, c], an integer 0..16;  digit = target[n]
iris      the four lengths in cm with one decimal;  species = target_names[target[n]]
diabetes  the ten inputs in their original units, load_diabetes(scaled=False), and
          progression = target[n], each as the shortest text that reads back as the same number

See data/README.md for the sources and licences.
"""

import csv
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import click

DATA = Path(__file__).resolve().parent.parent / "data"


def sklearn_datasets() -> ModuleType:
    """Import sklearn.datasets, or say in one line how to get it."""
    try:
        return import_module("sklearn.datasets")
    except ImportError as error:
        raise click.ClickException(
            f"scikit-learn cannot be imported ({error}); try: pip install scikit-learn"
        ) from error


def write_csv(path: Path, header: list[str], rows: Iterable[list[str]]) -> None:
    """Write a header and rows of text as UTF-8 CSV with LF line ends."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def shortest(value: float) -> str:
    """Shortest text that reads back as the same number, without a trailing ".0"."""
    return repr(float(value)).removesuffix(".0")


def write_digits(path: Path) -> None:
    """Write the 8x8 images of handwritten digits, one image a row."""
    data = sklearn_datasets().load_digits()
    header = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)] + ["digit"]
    rows = (
        [str(int(pixel)) for pixel in image.ravel()] + [str(int(digit))]
        for image, digit in zip(data.images, data.target, strict=True)
    )
    write_csv(path, header, rows)


def write_iris(path: Path) -> None:
    """Write the iris flowers, with the species as text."""
    data = sklearn_datasets().load_iris()
    header = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    rows = (
        [f"{length:.1f}" for length in flower] + [str(data.target_names[species])]
        for flower, species in zip(data.data, data.target, strict=True)
    )
    write_csv(path, header, rows)


def write_diabetes(path: Path) -> None:
    """Write the diabetes patients, in the original units."""
    data = sklearn_datasets().load_diabetes(scaled=False)
    header = [*data.feature_names, "progression"]
    rows = (
        [shortest(value) for value in patient] + [shortest(progression)]
        for patient, progression in zip(data.data, data.target, strict=True)
    )
    write_csv(path, header, rows)


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=DATA,
    help="Folder to write to.  [default: the project's data folder]",
)
def main(out: Path) -> None:
    """Write digits.csv, iris.csv and diabetes.csv from the installed scikit-learn."""
    sklearn_datasets()
    out.mkdir(parents=True, exist_ok=True)
    write_digits(out / "digits.csv")
    write_iris(out / "iris.csv")
    write_diabetes(out / "diabetes.csv")


if __name__ == "__main__":
    main()

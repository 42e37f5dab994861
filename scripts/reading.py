"""Time the commands on a large CSV file, and their peak of memory: 500,000 rows of 20 numbers and a label.

Each PYTHON is an interpreter with an mlp in it; without one it is this one. Their runs alternate, and times are the
shortest of several, so that ratios to the first PYTHON can be trusted.

    python scripts/reading.py [PYTHON ...]
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import numpy as np

ROWS, COLUMNS = 500_000, 20
ROUNDS = 3
CONFIG = """
data: {path: big.csv, target: y, split: {valid: 0.1, test: 0.1}}
task: classification
network: {layers: [{units: 32}]}
training: {epochs: 3, batch_size: 256, seed: 0}
"""
COMMANDS = {
    "train": ["train", "big.yaml", "--no-plot", "-q", "--out"],
    "evaluate": ["evaluate"],
    "predict": ["predict"],
}
MLP = "from mlp.cli import main; main()"


def write_table(folder: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, COLUMNS))
    y = (X[:, 0] + rng.normal(size=ROWS) > 0).astype(int)
    header = ",".join([*(f"x{j}" for j in range(COLUMNS)), "y"])
    formats = ["%.6f"] * COLUMNS + ["%d"]
    np.savetxt(folder / "big.csv", np.column_stack([X, y]), formats, ",", header=header, comments="")
    (folder / "big.yaml").write_text(CONFIG)


def run(python: str, number: int, command: str, round_number: int, folder: Path) -> tuple[float, float, float]:
    """Seconds on the clock and on the processors, and the peak of memory in MB, of one command."""
    out = f"run{number}-{round_number}" if command == "train" else f"run{number}-0"
    arguments = [*COMMANDS[command], out, *(["big.csv", "--out", "answers.csv"] if command == "predict" else [])]
    started = os.times()
    process = subprocess.Popen([python, "-c", MLP, *arguments], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise click.ClickException(f"{python}: mlp {' '.join(arguments)} failed")
    return os.times().elapsed - started.elapsed, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


@click.command()
@click.argument("pythons", metavar="[PYTHON]...", nargs=-1)
def main(pythons: tuple[str, ...]) -> None:
    """Time train (3 epochs), evaluate and predict with the mlp of each PYTHON."""
    pythons = pythons or (sys.executable,)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder)
        click.echo(f"{'':10}{'seconds':>9}{'CPU':>7}{'ratio':>7}{'MB':>6}")
        for command in COMMANDS:
            found = np.array(
                [[run(python, i, command, k, folder) for i, python in enumerate(pythons)] for k in range(ROUNDS)]
            ).min(axis=0)
            for (seconds, cpu, peak), python in zip(found, pythons, strict=True):
                ratio = cpu / found[0, 1]
                click.echo(f"{command:10}{seconds:9.2f}{cpu:7.2f}{ratio:7.2f}{peak:6.0f}  {python}")


if __name__ == "__main__":
    main()

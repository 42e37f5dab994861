"""Define the commands that draw: `mlp plot` and `mlp lr`."""

from __future__ import annotations

from pathlib import Path

import click

from mlp.cli.answers import FILE, PATH
from mlp.cli.console import Failure, check_output, overrides_option, result


def check_picture(path: Path) -> None:
    """Raises Failure for a path that no picture can be written to."""
    check_output(path)
    if path.suffix not in (".png", ".pdf", ".svg"):
        raise Failure(f"--out {path}: a picture ends in .png, .pdf or .svg", 2)


def in_a_name(measure: str) -> str:
    """A measure as a part of a file's name."""
    return "".join(c if c.isalnum() else "_" for c in measure)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=PATH)
@click.option(
    "--out",
    type=FILE,
    help="The picture (.png, .pdf, .svg).  [default: loss.png in RUN, or comparison.png here]",
)
@click.option("--log", is_flag=True, help="A logarithmic axis.")
@click.option(
    "--y", "measures", multiple=True, help="A metric or column of metrics.csv; several are drawn below each other."
)
def plot(runs: tuple[Path, ...], out: Path | None, log: bool, measures: tuple[str, ...]) -> None:
    """Draw the losses, or other measures, of one run or of many, also while they train.

    --y accuracy --y gradient_norm draws these two, one below the other.
    """
    from mlp.plots.losses import plot_runs

    if out is not None:
        check_picture(out)
    name = f"{'-'.join(map(in_a_name, measures)) or 'loss'}.png"
    path = out or (runs[0] / name if len(runs) == 1 else Path("comparison.png"))
    plot_runs(runs, path, log=log, measures=measures or ("loss",))
    result(str(path))


@click.command()
@click.argument("config")
@overrides_option
@click.option("--out", type=FILE, help="The picture (.png, .pdf, .svg).  [default: <config>-lr.png here]")
def lr(config: str, overrides: tuple[str, ...], out: Path | None) -> None:
    """Suggest a learning rate for CONFIG, with a picture.

    Some 300 steps are made, whose rate grows from 1e-7 to 10. Nothing is written but the picture.
    """
    from mlp.experiments.assemble import prepare
    from mlp.experiments.config.load import load_config
    from mlp.experiments.rates import find_rate
    from mlp.plots.rates import plot_rates

    loaded = load_config(config, overrides)
    path = out or Path(f"{loaded.name}-lr.png")
    check_picture(path)
    experiment = prepare(loaded, advise=False)
    now = experiment.optimizer.learning_rate
    found = find_rate(experiment)
    plot_rates(found, now, path)
    if found.suggestion is None:
        result(f"no suggestion: the cost does not fall at any rate; the picture: {path}")
    else:
        where_from = "a tenth of where the cost is lowest"
        result(f"optimizer.learning_rate: {found.suggestion:.2g} (now {now:g}), {where_from}; {path}")

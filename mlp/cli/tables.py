"""Define the commands that look at a table: `init` and, for a table, `summary`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlp.cli.console import message, result
from mlp.text import aligned, quoted, visible

if TYPE_CHECKING:
    from mlp.experiments.profile import Profile

ENDINGS = (".csv", ".tsv", ".txt", ".data", ".gz", ".zst", ".parquet", ".json", ".ndjson", ".jsonl", ".npy", ".npz")
MOST_COLUMNS = 30  # that are shown
WIDEST = 40  # characters of a cell


@click.command()
@click.argument("table")
@click.option("--target", "targets", multiple=True, required=True, metavar="COLUMN", help="What to predict.")
@click.option("--task", type=click.Choice(["classification", "regression"]), help="[default: as the target looks]")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="How TABLE is written, such as data.header=false, where that cannot be seen.",
)
def init(table: str, targets: tuple[str, ...], task: str | None, overrides: tuple[str, ...]) -> None:
    """Write a config for TABLE to standard output.

    It runs as it is: mlp init titanic.csv --target survived > titanic.yaml, and then mlp train titanic.yaml.
    """
    from mlp.experiments.init import config_for

    text, notes = config_for(table, targets, task, overrides)
    for note in notes:
        message(f"note: {note}")
    click.echo(text.encode(), nl=False)


def is_table(source: str) -> bool:
    """Tell whether a file is a table by its ending, and not a config."""
    return Path(source).suffix.lower() in ENDINGS and not Path(source).is_dir()


def summarize_table(source: str, overrides: tuple[str, ...]) -> None:
    """Show the columns of a table; `overrides` say how it is written."""
    from mlp.experiments.init import reading_of
    from mlp.experiments.profile import look_at

    reading, _ = reading_of(source, ["-"], "regression", overrides)
    table, found, unusable = look_at(source, reading)
    result(f"{source}: {len(table):,} rows, {len(found) + len(unusable)} columns")
    result(describe_columns(found))
    for note in table.notes:
        message(f"note: {note}")


def describe_columns(found: list[Profile]) -> str:
    """A line for each column: its kind, missing cells, what it holds, an example, and whether to leave it out."""
    shown = [
        [
            quoted(each.name) if each.name != visible(each.name) or not each.name else each.name,
            each.kind,
            f"{each.missing:,}" if each.missing else "",
            short(each.holds),
            short(each.example),
            f"of no use: {each.useless}" if each.useless else "",
        ]
        for each in found[:MOST_COLUMNS]
    ]
    more = [f"... and {len(found) - MOST_COLUMNS} more columns"] if len(found) > MOST_COLUMNS else []
    table = aligned([["column", "kind", "missing", "holds", "example", ""], *shown], left=6)
    return "\n".join([table, *more])


def short(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."

"""Define the commands that use a trained model: `evaluate` and `predict`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlp.cli.console import Failure, check_output, message, result
from mlp.cli.several import average_of, is_run, members_of, model_of, scores_of_several, show_several
from mlp.text import one_line

if TYPE_CHECKING:
    from mlp.experiments.model import Model
    from mlp.tables import Table
    from mlp.tables.reading import Reading


class Named(click.Path):
    """A path that is not empty: an empty one would be the working directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("an empty name", param, ctx)
        return super().convert(value, param, ctx)


PATH, FILE = Named(path_type=Path), Named(path_type=Path, dir_okay=False)
run_argument = click.argument("run", type=PATH)
reading_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="How DATA is written, such as data.delimiter=tab, where it is not as the training rows were.",
)
epoch_option = click.option(
    "--epoch",
    type=click.Choice(["best", "last"]),
    default="best",
    show_default=True,
    help="Whose weights answer: the best epoch's, or those that the run has now.",
)
strict_option = click.option(
    "--strict", is_flag=True, help="Refuse DATA where it holds what the training rows did not, instead of a note."
)


@click.command()
@click.argument("paths", nargs=-1, metavar="RUN... [DATA]")
@click.option(
    "--split",
    type=click.Choice(["train", "valid", "test"]),
    help="Which rows of the run's own data.  [default: test, or the last there is]",
)
@epoch_option
@reading_option
@strict_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def evaluate(
    paths: tuple[str, ...],
    split: str | None,
    epoch: str,
    overrides: tuple[str, ...],
    strict: bool,
    as_json: bool,
) -> None:
    """Score RUN on its test rows, or on DATA.

    Prints loss, metrics and, for classes, the confusion matrix of the best epoch's model. Of several runs it prints the
    scores of each, their mean and deviation, and those of their average.
    """
    from mlp.cli import report
    from mlp.experiments.average import Average, load
    from mlp.experiments.start import own_rows

    if not paths:
        raise click.UsageError("Missing argument 'RUN'.")
    *more, last = paths
    data = last if more and not is_run(last) else None
    runs = [Path(path) for path in (more if data is not None else paths)]
    if len(runs) == 1 and data is None:
        runs = members_of(runs[0]) or runs
    if len(runs) > 1:
        if epoch != "best":
            raise Failure("--epoch last is for one run", 2)
        return evaluate_several(runs, data, split, overrides, strict, as_json)
    run, model = runs[0], load(runs[0], epoch)
    if data is not None:
        if split is not None:
            raise Failure("--split is for the run's own data; leave it out, or leave out DATA", 2)
        table = model.read(data, with_targets=True, reading=reading_of(model, overrides))
        source, examples = data, model.encode(table, "evaluated")
        tell_news(model, table, strict)
    else:
        if not run.is_dir():
            raise Failure(f"{run}: is a model without its data; name a table to evaluate it on", 2)
        if overrides:
            raise Failure("--set says how DATA is written; name DATA, or leave it out", 2)
        split, examples = own_rows(run, model, split)
        source = split
    scores, confusion, reports = model.score(examples, source)
    if as_json:
        found = {"model": str(run), "data": data, "split": split, "rows": len(examples[0]), "epoch": model.epoch}
        click.echo(report.scores_json(found | scores, model.target.labels, confusion, reports))
        return
    what = "an average" if isinstance(model, Average) else f"epoch {model.epoch}"
    result(f"{run}, {what}: {len(examples[0])} rows of {source}")
    result(report.describe_scores({source: scores}))
    for name, counts in confusion.items():
        result("\n" + report.describe_confusion(name, model.target.labels[name], counts))
    for name, each in reports.items():
        result("\n" + report.describe_report(name, each))


@click.command()
@click.argument("paths", nargs=-1, metavar="RUN... DATA")
@click.option("--out", type=FILE, help="A CSV file.  [default: standard output, as -]")
@click.option("--keep", multiple=True, metavar="COLUMN,...", help="Put these columns of DATA beside the answers.")
@epoch_option
@reading_option
@strict_option
def predict(
    paths: tuple[str, ...],
    out: Path | None,
    keep: tuple[str, ...],
    epoch: str,
    overrides: tuple[str, ...],
    strict: bool,
) -> None:
    """Predictions of RUN, or the average of those of several, for the rows of DATA, as CSV.

    DATA is a table, or "-" for standard input. It needs the input columns, in any order, and no target. For classes
    there is a column with the label and one with the probability of each class; quantities are in their own units.
    """
    from mlp.cli.report import predictions_csv, written
    from mlp.experiments.storage.files import write_file

    if len(paths) < 2:
        raise click.UsageError(f"Missing argument '{'DATA' if paths else 'RUN'}'.")
    runs, data = [Path(path) for path in paths[:-1]], paths[-1]
    out = None if str(out) == "-" else out
    if out is not None:
        from mlp.experiments.run import FILES

        check_output(out, [Path(data), *runs, *(run / name for run in runs for name in FILES)])
    model = model_of(runs, epoch)
    kept = [name for names in keep for name in names.split(",")]
    table = model.read(data, with_targets=False, keep=kept, reading=reading_of(model, overrides))
    answers = model.predict(table, source=table.source)
    tell_news(model, table, strict)
    for note in model.target.notes(answers):
        message(f"note: {note}")
    if twice := [name for name in kept if name in answers]:
        raise Failure(f"--keep {twice[0]}: the answers have a column of this name too", 2)
    content = predictions_csv({name: written(table.others[name]) for name in kept} | answers).encode()
    if out is None:
        click.echo(content, nl=False)
    else:
        write_file(out, content)


def evaluate_several(
    runs: Sequence[Path], data: str | None, split: str | None, overrides: tuple[str, ...], strict: bool, as_json: bool
) -> None:
    """Score several runs and their average, on the same rows."""
    from mlp.experiments.storage.run_folder import without_nan

    average = average_of(runs)
    table = None
    if data is not None:
        if split is not None:
            raise Failure("--split is for the runs' own data; leave it out, or leave out DATA", 2)
        table = average.read(data, with_targets=True, reading=reading_of(average, overrides))
        tell_news(average, table, strict)
    elif overrides:
        raise Failure("--set says how DATA is written; name DATA, or leave it out", 2)
    if as_json:
        scores, split, rows = scores_of_several(runs, average, table, split)
        click.echo(json.dumps(without_nan({"data": data, "split": split, "rows": rows, "scores": scores})))
        return
    show_several(runs, average, table, split)


def reading_of(model: Model, overrides: tuple[str, ...]) -> Reading:
    """The form of a table: that of the training rows, but for what --set says."""
    from mlp.experiments.config.load import reading_with

    return reading_with(model.config, overrides)


def tell_news(model: Model, table: Table, strict: bool) -> None:
    """Say what a table holds that the training rows did not; refuse it if that is wanted."""
    news = model.news(table)
    if news and strict:
        raise Failure(f"{table.source}: {news[0]} (--strict)", 3)
    for note in news:
        message(f"note: {one_line(note)}")

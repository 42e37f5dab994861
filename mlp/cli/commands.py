"""Define the commands of `mlp`, each a few lines over the library. Results go to stdout, messages to stderr.

Imports are inside the commands, so that `mlp --help` loads neither pydantic, yaml, threadpoolctl nor matplotlib.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

import mlp
from mlp.cli.answers import PATH, evaluate, predict, run_argument
from mlp.cli.console import Commands, Failure, message, overrides_option, result
from mlp.cli.follow import replay_to_end, train_to_end, where, why_finished
from mlp.cli.pictures import lr, plot
from mlp.cli.ranks import run_on_ranks, train_along
from mlp.cli.tables import describe_columns, init, is_table, summarize_table
from mlp.parallel import Ranks


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mlp.__version__, prog_name="mlp")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Train feedforward neural networks on tables, from YAML configs.

    \b
    mlp init data.csv --target y         a config for a table, to standard output
    mlp train configs/digits.yaml        a config to a run directory, runs/digits
    mlp evaluate runs/digits             how good it is on its test rows
    mlp predict runs/digits new.csv      predictions for a table without targets

    Exit codes: 0 done, 1 unexpected, 2 usage or config, 3 data or model file, 4 diverged, 5 a check failed,
    129 disconnected, 130 interrupted, 143 terminated.
    """
    ranks = context.ensure_object(Ranks)  # this process alone, if `main` has given no others
    if ranks.rank > 0 and context.invoked_subcommand not in ("train", "resume"):
        context.exit()


quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print the result and nothing else.")
plot_option = click.option("--plot/--no-plot", default=True, help="Draw loss.png into the run directory.")


@cli.command()
@click.argument("config", required=False)
@overrides_option
@click.option("--out", type=PATH, help="The run directory to make.  [default: runs/<config>]")
@click.option(
    "--replay", type=PATH, metavar="RUN", help="Train a finished RUN again, write nothing, and say if it is identical."
)
@click.option(
    "--refit", type=PATH, metavar="RUN", help="Train RUN's config on its validation rows too, to its best epoch."
)
@click.option("--folds", type=click.IntRange(2, 1000), help="Train as many runs, each validated on another part.")
@click.option("--seeds", type=click.IntRange(2, 1000), help="Train as many runs, each from another seed.")
@plot_option
@quiet_option
@click.pass_obj
def train(
    ranks: Ranks,
    config: str | None,
    overrides: tuple[str, ...],
    out: Path | None,
    replay: Path | None,
    refit: Path | None,
    folds: int | None,
    seeds: int | None,
    plot: bool,
    quiet: bool,
) -> None:
    """Train on CONFIG into a new run directory.

    CONFIG is a YAML file, or "-" for standard input. Ctrl-C, SIGTERM or SIGHUP stops after the minibatch under way and
    saves everything; a second one stops at once. "mpiexec -n 4 mlp train CONFIG" trains with four processes.

    --folds and --seeds make a directory of runs, whose model is their average: of probabilities, or of numbers.
    """
    from mlp.cli import report
    from mlp.experiments.config.load import load_config
    from mlp.experiments.start import start_run
    from mlp.parallel.agreement import prepare_on_all

    if ranks.rank > 0:
        return train_along(ranks)
    if replay is not None:
        from mlp.experiments.replay import open_replay

        if config is not None or overrides or out is not None:
            raise click.UsageError("--replay takes everything from its RUN: leave out CONFIG, --set and --out")
        return replay_to_end(open_replay(replay, prepare=partial(prepare_on_all, ranks)), quiet=quiet)
    if refit is not None:
        from mlp.experiments.refit import refit_settings

        if config is not None or overrides:
            raise click.UsageError("--refit takes everything from its RUN: leave out CONFIG and --set")
        config, overrides, out = str(refit / "config.yaml"), refit_settings(refit), out or new_name(refit)
    if config is None:
        raise click.UsageError("Missing argument 'CONFIG'.")
    if config == "-" and ranks.size > 1:
        raise click.UsageError("mpiexec may never end its standard input: name a file")
    if folds is not None or seeds is not None:
        from mlp.cli.members import train_members

        if folds is not None and seeds is not None:
            raise click.UsageError("--folds and --seeds are two ways to train several runs: keep one")
        if config == "-" or ranks.size > 1:
            raise click.UsageError("--folds and --seeds start processes of their own: name a file, without mpiexec")
        return train_members(config, overrides, out=out, folds=folds, seeds=seeds, plot=plot, quiet=quiet)
    experiment = prepare_on_all(ranks, load_config(config, overrides))
    run = start_run(experiment, out=out, argv=["mlp", *sys.argv[1:]])
    if not quiet:
        message(report.describe_data(experiment))
        message(report.describe_network(experiment))
        message(f"seed {experiment.loaded.config.training.seed}; writing to {run.folder}")
    train_to_end(run, plot=plot, quiet=quiet)


def new_name(run: Path) -> Path:
    """runs/digits-refit for runs/digits."""
    return run.with_name(f"{run.name}-refit")


@cli.command()
@run_argument
@overrides_option
@plot_option
@quiet_option
@click.pass_obj
def resume(ranks: Ranks, run: Path, overrides: tuple[str, ...], plot: bool, quiet: bool) -> None:
    """Go on with an interrupted RUN.

    RUN is a run directory; --set training.epochs=N extends a finished one. The result is the one that an
    uninterrupted run would have given.
    """
    from mlp.experiments.start import continue_run, open_run
    from mlp.parallel.agreement import prepare_on_all

    if ranks.rank > 0:
        return train_along(ranks)
    opened = open_run(run, overrides, prepare=partial(prepare_on_all, ranks))
    notes = list(opened.experiment.loaded.notes)
    epochs = opened.experiment.loaded.config.training.epochs
    done = opened.finished and opened.facts["status"] == "finished" and opened.model_path.exists()
    if done:
        opened.lock.release()
        opened.experiment.begin(opened.progress)  # other ranks wait for this, and see that nothing is left
        what = f"nothing to do, {why_finished(opened)}"
    else:
        notes += continue_run(opened, argv=["mlp", *sys.argv[1:]])
        what = f"going on {where(opened)}; {epochs} epochs in all"
    if not quiet:
        for note in notes:
            message(f"note: {note}")
        message(f"{run}: {what}")
    if not done:
        train_to_end(opened, plot=plot, quiet=quiet)


@cli.command()
@click.argument("source", metavar="TABLE|CONFIG|RUN")
@overrides_option
def summary(source: str, overrides: tuple[str, ...]) -> None:
    """Show the columns of a table, or data and network of a config; train nothing.

    For a run also how it ended. Nothing is written.
    """
    if is_table(source):
        return summarize_table(source, overrides)
    from mlp.cli import report
    from mlp.experiments.assemble import prepare
    from mlp.experiments.config.load import load_config
    from mlp.experiments.profile import coded_profiles
    from mlp.experiments.storage.run_folder import locked, read_facts

    folder = Path(source)
    facts = read_facts(folder) if folder.is_dir() else None
    experiment = prepare(load_config(source if facts is None else folder / "config.yaml", overrides))
    result(report.describe_data(experiment))
    result(describe_columns(coded_profiles(experiment.model.coding, experiment.splits["train"][0])))
    result(report.describe_network(experiment))
    if facts is not None:
        status = facts["status"]
        if status == "running" and locked(folder) is False:
            status = "killed while running"
        result(f"{status} after {facts['epochs_done']} epochs, best epoch {facts['best_epoch']}")
        if facts["scores"]:
            result(report.describe_scores(facts["scores"]))


@cli.command()
@click.argument("config", required=False)
@overrides_option
@click.option(
    "--rows", type=click.IntRange(min=1), default=20, show_default=True, help="Training rows to check the network on."
)
@click.option("--self-test", is_flag=True, help="Plant known mistakes and see that each is caught; needs no CONFIG.")
def check(config: str | None, overrides: tuple[str, ...], rows: int, self_test: bool) -> None:
    """Check the derivatives of CONFIG's network numerically, on rows of its data; nothing is trained or written.

    Loss, optimizer, training loop and the coding of the data are checked too. INCONCLUSIVE is neither good nor bad: the
    reason says why. Exit code 5 if a check failed.
    """
    from mlp import checking

    if config is None and (overrides or not self_test):
        raise click.UsageError("name a CONFIG to check" + ("" if overrides else ", or give --self-test"))
    results: list[checking.Result] = []
    if config is not None:
        from mlp.experiments.assemble import prepare
        from mlp.experiments.check import check_experiment
        from mlp.experiments.config.load import load_config

        results += check_experiment(prepare(load_config(config, overrides), advise=False), rows)
    if self_test:
        results += checking.self_test()
    result(checking.table(results))
    if failed := checking.failures(results):
        raise Failure(f"{len(failed)} of {len(results)} checks failed", 5)


for command in (evaluate, predict, init, plot, lr):
    cli.add_command(command)


def main() -> None:
    """Run `mlp`. Text that the terminal's encoding cannot show is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    run_on_ranks(cli)

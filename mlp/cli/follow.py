"""Follow a run to its end: progress on stderr, the outcome on stdout, and how to go on with a run that stopped."""

from __future__ import annotations

import shlex
import shutil
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlp.cli.console import MESSAGES, STOPPED, Failure, message, result, stop_signals
from mlp.text import one_line

if TYPE_CHECKING:
    from mlp.experiments.replay import Replay
    from mlp.experiments.run import Run
    from mlp.records import EpochRecord

BAR_COLUMNS = 50  # of a terminal line, for the bar itself with its counts and the remaining time


def train_to_end(run: Run, *, plot: bool, quiet: bool) -> None:
    """Run the epochs and print the outcome. A run that is stopped or fails says how to go on."""
    if not quiet:
        message(run.experiment.threads().describe())
    epochs = run.experiment.loaded.config.training.epochs
    with stop_signals(run.stop) as received:  # also while picture and result are made
        try:
            with run:
                follow(run.epochs(), run.progress.epoch, epochs, quiet=quiet)
        except OSError as error:
            raise Failure(f"{error.filename or run.folder}: {error.strerror or error}; {way_on(run)}", 1) from error
        finally:
            if plot and run.progress.epoch and not run.lost:
                draw_losses([run.folder], run.folder)
        waiting = run.experiment.waiting.note(run.experiment.threads())
        if waiting and not quiet:
            message(f"note: {waiting}")
        if not run.finished:
            number = received[0] if received else signal.SIGTERM  # another rank has received it
            raise Failure(f"{STOPPED[signal.Signals(number)]} {where(run)}; {way_on(run)}", 128 + number)
        show_outcome(run, quiet=quiet)


def show_outcome(run: Run, *, quiet: bool) -> None:
    """Print the best epoch and its scores, with advice where there is some."""
    from mlp.cli import report
    from mlp.experiments.advice import closing_advice

    if not quiet:
        for note in closing_advice(run.experiment, run.experiment.best_model(run.progress)):
            message(f"note: {note}")
    monitor, metrics = run.experiment.monitor, run.experiment.model.target.metrics()
    part = "validation" if "valid" in run.experiment.splits else "training"
    score = f"{part} {monitor.by} {report.number(monitor.sign(metrics) * run.progress.best_value)}"
    result(
        f"best epoch {run.progress.best_epoch} of {run.progress.epoch} "
        f"({'the last' if monitor.by == 'epoch' else score}); its model: {run.model_path}"
    )
    result(report.describe_scores(run.facts["scores"]))
    if not quiet:
        message(f"next: mlp evaluate {shlex.quote(str(run.folder))}")


def replay_to_end(replay: Replay, *, quiet: bool) -> None:
    """Train again without writing anything, and compare. Exit code 5 when something differs."""
    if not quiet:
        message(replay.experiment.threads().describe())
    follow(replay.records(), 0, replay.experiment.loaded.config.training.epochs, quiet=quiet)
    if replay.difference is None:
        done = f"all {replay.progress.epoch} epochs, the model and the last state"
        result(f"{replay.folder}: identical: {done}, to the last bit")
        return
    result(f"{replay.folder}: {replay.difference}")
    since = ", ".join(replay.changed)
    unchanged = "though versions, BLAS kernel and threads are those of the run: were its files changed?"
    raise Failure(f"not identical; since the run: {since}" if since else f"not identical, {unchanged}", 5)


def follow(records: Iterable[EpochRecord], done: int, epochs: int, *, quiet: bool) -> None:
    """Move a progress bar on by a step for each epoch, or print a line where there is no terminal."""
    from mlp.cli import report

    room = max(0, shutil.get_terminal_size().columns - BAR_COLUMNS)
    terminal = MESSAGES.isatty()

    def described(record: EpochRecord | None) -> str:
        return "" if record is None else report.describe_epoch(record)[:room]

    with click.progressbar(
        length=epochs - done,
        label="epochs",
        width=12,
        show_pos=True,
        item_show_func=described,
        file=MESSAGES,
        hidden=quiet or not terminal,
    ) as bar:
        for record in records:
            bar.update(1, record)
            if not quiet and not terminal:
                message(f"epoch {record.epoch}/{epochs}  {report.describe_epoch(record)}  {record.seconds:.3f} s")


def where(run: Run) -> str:
    """The progress of a run: "in epoch 3, after minibatch 17"."""
    unfinished = run.progress.unfinished
    if unfinished is None or unfinished.minibatches == 0:
        return f"after epoch {run.progress.epoch}"
    return f"in epoch {run.progress.epoch + 1}, after minibatch {unfinished.minibatches}"


def why_finished(run: Run) -> str:
    """Why there is nothing left to do: "all 40 epochs are done; to go on: ..."."""
    epochs, progress = run.experiment.loaded.config.training.epochs, run.progress
    if progress.epoch >= epochs and getattr(run.experiment.loaded.config.training.schedule, "epochs", 0) is None:
        return f"all {epochs} epochs are done, and its schedule with them; for more train a new run"
    if progress.epoch >= epochs:
        return f"all {epochs} epochs are done; to go on: mlp resume {run.folder} --set training.epochs={2 * epochs}"
    return (
        f"it stopped early at epoch {progress.epoch}, as none was better than epoch {progress.best_epoch}; more epochs "
        "change nothing: train a new run with another training.early_stopping.patience"
    )


def way_on(run: Run) -> str:
    """The command by which a run that stopped goes on, if it can."""
    from mlp.experiments import checkpoint

    if run.lost:
        return "its files went with it"
    if not (run.folder / checkpoint.NAME).exists():
        return "nothing of it is saved"
    return f"to go on: mlp resume {shlex.quote(str(run.folder))}"


def draw_losses(runs: Sequence[Path], folder: Path) -> None:
    """Draw the runs into loss.png. A picture that cannot be drawn fails no run."""
    try:
        from mlp.plots.losses import plot_runs

        plot_runs(runs, folder / "loss.png")
    except Exception as error:
        message(one_line(f"warning: loss.png was not drawn: {error}"))

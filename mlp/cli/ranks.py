"""Run one command line on all ranks that mpiexec has started: rank 0 reads, writes and prints, the others train along.

A command that fails on rank 0 ends all ranks, wherever they wait for it. So does an error of another rank, which that
rank tells. What all ranks meet at once, such as divergence, is told by rank 0.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import sys
import traceback

import click

from mlp.cli.console import Failure, message, stop_signals
from mlp.parallel import MPIError, Ranks, RanksDiffer, connect
from mlp.text import one_line


def run_on_ranks(cli: click.Command) -> None:
    """Run the command line in this process, and end it."""
    try:
        ranks = connect()
    except (MPIError, ImportError) as error:
        if str(error):
            message(one_line(str(error)))
        sys.exit(2)
    if ranks.size == 1:
        cli(prog_name="mlp", obj=ranks)
    elif ranks.rank == 0:
        lead(cli, ranks)
    else:
        accompany(cli, ranks)


def lead(cli: click.Command, ranks: Ranks) -> None:
    """Rank 0: run the command as a process alone does, and end all ranks with its exit code."""
    code = 1
    try:
        cli(prog_name="mlp", obj=ranks)
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else int(done.code is not None)
    except BaseException:  # with `mlp --debug`
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    if code:
        ranks.abort(code)
    ranks.wait()


def accompany(cli: click.Command, ranks: Ranks) -> None:
    """The other ranks: run the same command in silence, and tell only errors of their own."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # while it waits in MPI, Python would not be asked
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            cli(prog_name="mlp", obj=ranks, standalone_mode=False)
        except click.UsageError:
            pass  # rank 0 meets it too
        except Failure as failure:
            with contextlib.redirect_stderr(sys.__stderr__):
                message(f"rank {ranks.rank} on {platform.node()}: {failure.message}")
            ranks.abort(failure.exit_code)
        except BaseException:  # with `mlp --debug`
            traceback.print_exc(file=sys.__stderr__)
            ranks.abort(1)
    ranks.wait()


def train_along(ranks: Ranks) -> None:
    """The part of the other ranks in every command that trains. They write nothing."""
    from mlp.divergence import DivergedError
    from mlp.parallel.agreement import prepare_on_all
    from mlp.records import Progress

    experiment = prepare_on_all(ranks, None, advise=False)
    with stop_signals(experiment.workers.stop), contextlib.suppress(DivergedError, RanksDiffer):  # all ranks meet these
        for _ in experiment.epochs(Progress()):
            pass

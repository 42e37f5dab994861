"""Under mpiexec, rank 0 runs the command as if it were alone; the others are silent and do the jobs that it gives them.

    prepare   read the data of the config that comes with it, and answer (see `mlp.parallel.together`)
    train     take the state that comes with it, and train along to the end
    end       with this exit code

So only rank 0 reads configs and run directories, writes, and prints; a command that does not train is rank 0's alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from mlp.cli.console import message, stop_signals
from mlp.cli.errors import explain
from mlp.parallel.mpi import MPIError, MPIRanks, connect
from mlp.text import one_line


def run_command(command: Callable[[MPIRanks | None], None]) -> None:
    """Run it here, with the other ranks at its service if this is rank 0 of several; on another rank, serve it."""
    try:
        ranks = connect()
    except (MPIError, ImportError) as error:
        if str(error):
            message(one_line(str(error)))
        sys.exit(2)
    if ranks is None:
        command(None)
    elif ranks.rank == 0:
        lead(ranks, command)
    else:
        serve(ranks)


def lead(ranks: MPIRanks, command: Callable[[MPIRanks | None], None]) -> NoReturn:
    """Run the command, and end all ranks with its exit code.

    If it failed while the others train, or seem to, they would wait for this rank for ever; so they are aborted.
    """
    code = 1
    try:
        command(ranks)
        code = 0
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else int(done.code is not None)
    except BaseException:  # with `mlp --debug`
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    if code and ranks.training:
        ranks.abort(code)
    ranks.start("end", code)
    sys.exit(code)


def serve(ranks: MPIRanks) -> NoReturn:
    """Do rank 0's jobs; what goes wrong in training is told here, in a line, and ends all ranks."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # while it waits in MPI, Python would not be asked
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            code = do_jobs(ranks)
        except Exception as error:
            if "--debug" in sys.argv:
                traceback.print_exc(file=sys.__stderr__)
            text, code = f"unexpected {type(error).__name__}: {error}", 1
            try:
                with contextlib.suppress(ImportError):  # it may be what has failed
                    text, code = explain(error)
                with contextlib.suppress(OSError), contextlib.redirect_stderr(sys.__stderr__):
                    message(one_line(f"rank {ranks.rank} on {ranks.host}: {text}"))
            finally:
                ranks.abort(code)
    sys.exit(code)


def do_jobs(ranks: MPIRanks) -> int:
    """Until rank 0 says the exit code."""
    from mlp.divergence import DivergedError
    from mlp.experiments.assemble import prepare
    from mlp.parallel.ranks import RanksDiffer
    from mlp.parallel.together import Answer, answer_of

    def stop() -> None:
        ranks.stop = True

    experiment = None
    while True:
        job, content = ranks.next_job()
        if job == "end":
            return int(content)
        if job == "prepare":
            try:
                experiment = prepare(content, advise=False)
                experiment.ranks = ranks
                answer = answer_of(ranks, experiment)
            except Exception as error:
                answer = Answer(ranks.host, *explain(error))
            ranks.gather(answer)
        else:
            assert experiment is not None
            progress = experiment.load_state(content)
            # what all ranks meet at once is told by rank 0
            with stop_signals(stop), contextlib.suppress(DivergedError, RanksDiffer):
                for _ in experiment.epochs(progress):
                    pass

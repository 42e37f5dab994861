"""Write messages to stderr and results to stdout, take the signals that stop a command, and turn errors into one line.

Every error ends a command with a line on stderr and an exit code.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, TextIO, cast

import click

from mlp.divergence import DivergedError
from mlp.errors import ConfigError, DataError, FileError
from mlp.parallel import RanksDiffer
from mlp.text import one_line, visible

STOPPED = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
if hasattr(signal, "SIGHUP"):
    STOPPED[signal.SIGHUP] = "disconnected"
"""The signals that stop a command, and what a run that they stop is."""

CURSOR = re.compile(r"\x1b\[\?25[lh]")  # hides it, and shows it again; a run that is killed would leave it hidden


class Messages:
    """stderr as a file that never fails: a run goes on when nobody reads its messages any more.

    A pipe that is full is waited for, until a signal has asked to stop: then what is left to say is dropped.
    """

    stopped = False

    def write(self, text: str) -> int:
        if sys.stderr is not None and self.ready():
            try:
                sys.stderr.write(CURSOR.sub("", text))
                sys.stderr.flush()
            except OSError:
                silence(sys.stderr)
        return len(text)

    def flush(self) -> None:
        """Nothing is left to flush: `write` does."""

    def ready(self) -> bool:
        """Wait until stderr takes more, and tell whether it does."""
        while not takes_more(0.1):
            if self.stopped:
                return False
        return True

    def isatty(self) -> bool:
        """Whether it is a terminal on which a line can be written again."""
        return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def takes_more(seconds: float) -> bool:
    """Tell whether stderr takes more within so many seconds, as far as the system knows it."""
    try:
        return bool(select.select([], [sys.stderr.fileno()], [], seconds)[1])
    except (OSError, ValueError):
        return True


STDERR = Messages()
MESSAGES = cast("TextIO", STDERR)  # which has what click needs


def message(text: str) -> None:
    """A line for the person, on stderr."""
    click.echo(printable(text), file=MESSAGES)


def result(text: str) -> None:
    """Lines of a result, on stdout."""
    click.echo(printable(text))


def printable(text: str) -> str:
    """The text with everything but line ends and visible characters escaped.

    Names come from tables and model files of strangers, and a terminal obeys control characters.
    """
    return "\n".join(map(visible, text.split("\n")))


def silence(stream: Any) -> None:
    """Send the rest of an output whose reader is gone to nowhere; otherwise Python complains when it exits."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def stop_signals(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Within this context the first Ctrl-C, SIGTERM or SIGHUP calls `stop`, and a second one ends the process at once.

    Yields a list, to which the number of the signal is added. The system handles the second one, so that it works in a
    long matrix product and in a write to a dead disk too. Signals that were ignored, as under nohup, stay ignored.
    """
    received: list[int] = []
    before: dict[int, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        STDERR.stopped = True
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        stop()
        with contextlib.suppress(Exception):  # past Python's buffers: it may be printing now
            if takes_more(0):
                os.write(sys.stderr.fileno(), b"\nstopping when this minibatch is saved; once more stops at once\n")

    if threading.current_thread() is threading.main_thread():
        for number in map(int, STOPPED):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, handle)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Failure(click.ClickException):
    """End a command with lines for the person and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__("\n".join(map(one_line, message.split("\n"))))
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: Any = None) -> None:
        if self.message:
            message(self.message)


class Commands(click.Group):
    """A group of commands whose errors become one line and an exit code; `--debug` shows the traceback instead."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        with errors_explained(debug=False):  # --help and --version print here
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with errors_explained(debug=ctx.params.get("debug", False)):
            return super().invoke(ctx)


@contextlib.contextmanager
def errors_explained(*, debug: bool) -> Iterator[None]:
    """Turn every error from inside into a Failure."""
    try:
        yield
    except (click.exceptions.Exit, click.ClickException, click.Abort):
        raise
    except KeyboardInterrupt:
        raise Failure("interrupted", 130) from None
    except BrokenPipeError:
        silence(sys.stdout)
        raise Failure("", 141) from None
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.filename is None:  # of standard output, as on a full disk
            silence(sys.stdout)
        raise Failure(*explain(error)) from None


def check_output(out: Path, used: Sequence[Path] = ()) -> None:
    """Refuse, before the work is done, a file that cannot be written, or is one of those that are used."""
    if not out.parent.is_dir():
        raise Failure(f"--out {out}: there is no directory {out.parent}", 2)
    for path in used:
        if out.exists() and path.exists() and out.samefile(path):
            raise Failure(f"--out {out}: would overwrite {path}; choose another file", 2)


def explain(error: Exception) -> tuple[str, int]:
    """The message and the exit code for an error."""
    for kind, code in ((ConfigError, 2), (DataError, 3), (FileError, 3), (RanksDiffer, 1)):
        if isinstance(error, kind):
            return str(error), code
    if isinstance(error, DivergedError):
        return "; ".join([f"diverged: {error}", *getattr(error, "__notes__", [])]), 4
    if isinstance(error, OSError):
        usage = error.errno in (errno.ENAMETOOLONG, errno.ELOOP)  # of a path that somebody wrote
        return f"{error.filename or 'I/O'}: {error.strerror or error}", 2 if usage else 1
    if isinstance(error, MemoryError) or isinstance(error.__context__, MemoryError):  # or what was closed because of it
        return f"out of memory ({error}); try a smaller network or training.batch_size", 1
    return f"unexpected {type(error).__name__}: {error} (mlp --debug shows where)", 1


overrides_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a config key, such as training.epochs=5; the last one wins.",
)

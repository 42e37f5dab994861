"""Write messages to stderr and results to stdout, and take the signals that ask a command to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TextIO, cast

import click

from mlp.text import visible

STOP_SIGNALS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)


class Messages:
    """stderr as a file that never fails: a run goes on when nobody reads its messages any more."""

    def write(self, text: str) -> int:
        if sys.stderr is not None:
            try:
                sys.stderr.write(text)
                sys.stderr.flush()
            except OSError:
                silence(sys.stderr)
        return len(text)

    def flush(self) -> None:
        """Nothing is left to flush: `write` does."""

    def isatty(self) -> bool:
        return sys.stderr is not None and sys.stderr.isatty()


def messages() -> TextIO:
    """The file for messages, as click wants it: with `write`, `flush` and `isatty`."""
    return cast("TextIO", Messages())


def message(text: str) -> None:
    """A line for the person, on stderr."""
    click.echo(printable(text), file=messages())


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
    """Within this context the first Ctrl-C or SIGTERM calls `stop`, and a second one ends the process at once.

    Yields a list, to which the number of the signal is added. The system handles the second one, so that it works in a
    long matrix product and in a write to a dead disk too. Signals that were ignored, as under nohup, stay ignored.
    """
    received: list[int] = []
    before: dict[int, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        stop()
        with contextlib.suppress(Exception):  # past Python's buffers: it may be printing now
            os.write(sys.stderr.fileno(), b"\nstopping when this minibatch is saved; once more stops at once\n")

    if threading.current_thread() is threading.main_thread():
        for number in STOP_SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, handle)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

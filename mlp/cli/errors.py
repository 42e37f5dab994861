"""Turn every error of a command into one line on stderr and an exit code."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mlp.cli.console import message, silence
from mlp.divergence import DivergedError
from mlp.errors import ConfigError, DataError, FileError
from mlp.parallel.ranks import RanksDiffer
from mlp.text import one_line


class Failure(click.ClickException):
    """End a command with lines for the person and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__("\n".join(map(one_line, message.split("\n"))))
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: Any = None) -> None:
        if self.message:
            message(self.message)


class ChecksFailed(Failure):
    """End `mlp check` or a replay with exit code 5; its result has told what is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 5)


class Commands(click.Group):
    """A group of commands whose errors become one line and an exit code; `--debug` shows the traceback instead."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        try:
            return super().make_context(*args, **options)  # --help and --version print here
        except OSError as error:
            silence(sys.stdout)
            raise Failure("", 141) if isinstance(error, BrokenPipeError) else Failure(*explain(error)) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except BrokenPipeError:
            silence(sys.stdout)
            raise Failure("", 141) from None
        except KeyboardInterrupt:
            raise Failure("interrupted", 130) from None
        except Exception as error:
            if ctx.params.get("debug"):
                raise
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

"""How a command ends: every error becomes one line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

import mlp


class Failure(click.ClickException):
    """Ends a command with lines for the person and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: Any = None) -> None:
        if self.message:
            click.echo(self.message, err=True)


class ChecksFailed(Failure):
    """Ends `mlp check`, whose table has told which checks failed, with exit code 5."""

    def __init__(self, failed: int, checks: int) -> None:
        super().__init__(f"{failed} of {checks} checks failed", 5)


class Commands(click.Group):
    """Turns every error into one line and an exit code; `--debug` shows the traceback instead."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        try:
            return super().make_context(*args, **options)  # --help and --version print here
        except OSError as error:
            silence_stdout()
            raise Failure("", 141) if isinstance(error, BrokenPipeError) else Failure(*explain(error)) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except BrokenPipeError:
            silence_stdout()
            raise Failure("", 141) from None
        except KeyboardInterrupt:
            raise Failure("interrupted", 130) from None
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            raise Failure(*explain(error)) from None


def silence_stdout() -> None:
    """Throw away what is still to be written to an output that is gone, or Python complains when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def explain(error: Exception) -> tuple[str, int]:
    """The message and the exit code for an error."""
    from mlp.experiments.archives import ModelFileError
    from mlp.experiments.yaml_text import ConfigError
    from mlp.tables import DataError

    if isinstance(error, ConfigError):
        return str(error), 2
    if isinstance(error, (DataError, ModelFileError)):
        return str(error), 3
    if isinstance(error, mlp.DivergedError):
        return f"diverged: {error}; try a smaller optimizer.learning_rate or training.clip: 1", 4
    if isinstance(error, OSError):
        return f"{error.filename or 'I/O'}: {error.strerror or error}", 1
    if isinstance(error, MemoryError):
        return f"out of memory ({error}); try a smaller network or training.batch_size", 1
    return f"unexpected {type(error).__name__}: {error} (mlp --debug shows where)", 1

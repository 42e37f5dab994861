"""The errors that a person can mend: a config, a table or a file that cannot be used, and why."""

from __future__ import annotations

from mlp.text import one_line

MAX_MISTAKES = 20  # that are told at once


class ConfigError(ValueError):
    """A config that cannot be used: one line a mistake, the first MAX_MISTAKES of them."""

    def __init__(self, *mistakes: str) -> None:
        lines = [one_line(each) for each in mistakes[:MAX_MISTAKES]]
        if len(mistakes) > MAX_MISTAKES:
            lines.append(f"and {len(mistakes) - MAX_MISTAKES:,} more mistakes")
        super().__init__("\n".join(lines))


class DataError(ValueError):
    """A table that cannot be used, in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class FileError(ValueError):
    """A model file, a checkpoint or a run directory that cannot be used, in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))

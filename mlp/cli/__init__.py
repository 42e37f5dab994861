"""The command line: `mlp`."""

from mlp.cli.commands import cli, main

__all__ = ["cli", "main"]

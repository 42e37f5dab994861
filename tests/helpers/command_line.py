"""The command line in this process, and what every kind of run has to hold."""

from click.testing import CliRunner
from small_runs import assert_same

from mlp.cli.commands import cli


def mlp(*arguments, code=0):
    """What a command says, which has to end with this exit code."""
    done = CliRunner().invoke(cli, [*map(str, arguments)], prog_name="mlp", catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


def assert_checked_resumed_and_replayed(path):
    """`mlp check` passes; two epochs and then two more end with the bytes of four; a replay is identical.

    The run of four epochs is in `whole`.
    """
    assert " 0 FAIL" in mlp("check", path).stdout
    mlp("train", path, "--out", "whole", "-q")
    mlp("train", path, "--out", "parts", "-q", "--set", "training.epochs=2")
    mlp("resume", "parts", "--set", "training.epochs=4", "-q")
    assert_same("whole", "parts")
    assert "identical" in mlp("train", "--replay", "whole", "-q").stdout

"""The command line as somebody to whom the permissions of files apply, which they do not to root."""

import os
import shutil
import subprocess
import sys

import pytest

RIGHTS = "-dac_override,-dac_read_search"  # root's, to read and write everything


def run_unprivileged(*args):
    """A command in a process of its own; skips the test where root cannot give up its rights."""
    command = [sys.executable, "-c", "from mlp.cli.commands import main; main()", *args]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root may read everything, and there is no setpriv to give that up")
        command = [setpriv, "--bounding-set", RIGHTS, "--inh-caps", RIGHTS, *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.stderr.startswith("setpriv"):
        pytest.skip(f"root may read everything, and {done.stderr.strip()}")
    return done

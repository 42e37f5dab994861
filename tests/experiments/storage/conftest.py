"""A trained run of two epochs, in the working directory of every test."""

import contextlib
import hashlib
import shutil

import pytest
from click.testing import CliRunner
from model_files import CONFIG, TABLE

from mlp.cli.commands import cli


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "c.yaml").write_text(CONFIG)
    (folder / "d.csv").write_text(TABLE)
    with contextlib.chdir(folder):
        result = CliRunner().invoke(cli, ["train", "c.yaml", "--out", "run", "--no-plot"])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(autouse=True)
def run(trained, tmp_path, monkeypatch):
    """A folder with a trained run of two epochs, "run"; the working directory of every test."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


@pytest.fixture
def refused(tmp_path):
    """Run a command that must fail in one line and change no file; returns the line."""

    def listing():
        paths = sorted(tmp_path.rglob("*"))
        return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "folder" for p in paths}

    def run_command(command):
        before = listing()
        result = CliRunner().invoke(cli, command)
        assert result.exit_code == 3, result.output
        assert result.output.count("\n") == 1, result.output
        assert "Traceback" not in result.output
        assert len(result.output) < 500
        assert listing() == before
        return result.output

    return run_command

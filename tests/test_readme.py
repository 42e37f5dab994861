"""The README is true: its Python runs from top to bottom, its config is valid, its keys and commands are complete."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from mlp.cli.commands import cli
from mlp.experiments.config.load import load_config
from mlp.experiments.config.mistakes import models_in
from mlp.experiments.config.schema import Config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    done = CliRunner().invoke(
        cli, ["train", str(ROOT / "configs/digits.yaml"), "--out", str(tmp_path / "runs/digits"), "--no-plot"]
    )
    assert done.exit_code == 0, done.output
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for code in blocks("python"):
        exec(compile(code, "README.md", "exec"), namespace)
    printed = capsys.readouterr().out
    before, after = map(float, re.search(r"([\d.]+) -> ([\d.]+)", printed).groups())
    assert after < before


def test_the_config_is_valid(tmp_path):
    (config,) = blocks("yaml")
    path = tmp_path / "readme.yaml"
    path.write_text(config)
    assert load_config(path).config.training.epochs == 40


def keys(model, prefix=""):
    """Every dotted key of the schema, except inside the tagged unions and lists that one row of the table describes."""
    for name, field in model.model_fields.items():
        inner = [each for each in models_in(field.annotation) if issubclass(each, BaseModel)]
        nested = inner and name in ("data", "split", "network", "output", "training")
        yield from keys(inner[0], f"{prefix}{name}.") if nested else [f"{prefix}{name}"]


def test_the_table_of_keys_is_complete():
    table = README[README.index("All keys:") : README.index("Activations:")]
    documented = {
        key for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for key in re.findall(r"`(.*?)`", row)
    }
    assert documented == set(keys(Config))


def test_the_commands_are_all_there_are():
    documented = set(re.findall(r"^\| `mlp (\w+) ", README, re.MULTILINE))
    assert documented == set(cli.commands)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()


def test_the_two_commands_are_those_that_are_checked():
    train, test = blocks("sh")
    assert "pip install . " in train
    assert "mlp train configs/digits.yaml" in train
    assert "pip install -e '.[test]'" in test
    ci = (ROOT / ".ci/run").read_text()
    assert "install --quiet --disable-pip-version-check -e '.[test]'" in ci
    assert "pytest" in ci

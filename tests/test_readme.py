"""The pages are true: their Python runs from top to bottom, their configs are valid, their tables are complete."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlp.activations import ACTIVATIONS
from mlp.cli.commands import cli
from mlp.experiments.config.load import load_config
from mlp.experiments.config.mistakes import sections_in
from mlp.experiments.config.schema import Config
from mlp.experiments.config.sections import KINDS_OF_LAYER
from mlp.experiments.config.yaml_text import parse_yaml
from mlp.initialization import SCHEMES

ROOT = Path(__file__).parents[1]
PAGES = {path: (ROOT / path).read_text("utf-8") for path in ("README.md", "configs/README.md")}
README, CONFIGS = PAGES.values()


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_the_python_runs_from_top_to_bottom(page, tmp_path, monkeypatch, capsys):
    done = CliRunner().invoke(
        cli, ["train", str(ROOT / "configs/digits.yaml"), "--out", str(tmp_path / "runs/digits"), "--no-plot"]
    )
    assert done.exit_code == 0, done.output
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for code in blocks(page, "python"):
        exec(compile(code, page, "exec"), namespace)
    for before, after in re.findall(r"([\d.]+) -> ([\d.]+)", capsys.readouterr().out):
        assert float(after) < float(before)


@pytest.mark.parametrize(("page", "config"), [(page, config) for page in PAGES for config in blocks(page, "yaml")])
def test_the_configs_are_valid(page, config, tmp_path):
    path = tmp_path / page
    path.parent.mkdir(exist_ok=True)
    path.write_text(config)
    data = load_config(path).config.data
    assert (ROOT / page).parent.joinpath(parse_yaml(config.encode(), page).data["data"]["path"]).exists(), data.path


def table(page, first):
    """The rows of the table whose first column has this name, as lists of cells."""
    rows = re.search(rf"^\| {first} \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, re.MULTILINE)[1]
    return [re.split(r" *(?<!\\)\| *", row)[1:-1] for row in rows.splitlines()]


def quoted(cell):
    return re.findall("`(.*?)`", cell)


def keys(section, prefix=""):
    """(dotted key, default) of everything in a section; what has several kinds is in tables of its own."""
    for name, field in section.model_fields.items():
        inner = sections_in(field.annotation)
        if len(inner) == 1 and name != "early_stopping":
            yield from keys(inner[0], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", "required" if field.is_required() else field.default


def test_the_table_of_keys_has_all_of_them_with_their_defaults():
    documented = {}
    for names, default, *_ in table(CONFIGS, "key"):
        written = quoted(default)[0] if quoted(default) else ""  # of "by task" and "none" nothing is written
        for name in quoted(names):
            documented[name] = parse_yaml(written.encode(), name).data if default else "required"
    assert documented == dict(keys(Config))


def kinds(key):
    """The kinds of a section that has several, by name, with their keys and defaults."""
    section = Config
    for step in key.split("."):
        found = sections_in(section.model_fields[step].annotation)
        section = found[0]
    return {kind.row: kind for kind in found}


@pytest.mark.parametrize(
    ("first", "kinds"),
    [("optimizer", kinds("optimizer")), ("schedule", kinds("training.schedule")), ("layer", KINDS_OF_LAYER)],
)
def test_the_kinds_of_a_section_are_there_with_their_keys_and_defaults(first, kinds):
    documented = {}
    for row, cell, *_ in table(CONFIGS, first):
        written = [parse_yaml(each.encode(), row).data for each in quoted(cell)]
        documented[quoted(row)[0]] = [{each: "required"} if isinstance(each, str) else each for each in written]
    assert documented == {
        row: [{key: default} for key, default in keys(kind) if key != "name"] for row, kind in kinds.items()
    }


@pytest.mark.parametrize(("what", "names"), [("Activations", ACTIVATIONS), ("Initializations", SCHEMES)])
def test_all_names_are_listed(what, names):
    listed = quoted(re.search(rf"^{what}: (.*?)\n\n", CONFIGS, re.MULTILINE | re.DOTALL)[1])
    assert [name for name in listed if not name.startswith("{")] == list(names)


def test_the_commands_are_all_there_are():
    documented = set(re.findall(r"^\| `mlp (\w+) ", README, re.MULTILINE))
    assert documented == set(cli.commands)


@pytest.mark.parametrize(
    ("page", "link"), [(page, link) for page, text in PAGES.items() for link in re.findall(r"\]\(([^)#]+)\)", text)]
)
def test_links_lead_somewhere(page, link):
    assert (ROOT / page).parent.joinpath(link).exists()


def test_the_two_commands_are_those_that_are_checked():
    train, test = blocks("README.md", "sh")
    assert "pip install . " in train
    assert "mlp train configs/digits.yaml" in train
    assert "pip install -e '.[test]'" in test
    ci = (ROOT / ".ci/run").read_text()
    assert "install --quiet --disable-pip-version-check -e '.[test]'" in ci
    assert "pytest" in ci

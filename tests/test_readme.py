"""The pages are true: their Python and commands run, their configs are valid, their tables and links are right."""

import importlib
import json
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml
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
FOLDERS = (".", "configs", "data", "mlp", "mlp/experiments", "mlp/parallel", "mlp/sklearn", "scripts")
PAGES = {
    path: (ROOT / path).read_text("utf-8")
    for path in (str(Path(folder, "README.md")) for folder in FOLDERS)
    if (ROOT / path).exists()
}
README, CONFIGS, REFERENCES = PAGES["README.md"], PAGES["configs/README.md"], PAGES["mlp/README.md"]
TITANIC = ROOT / "configs" / "titanic.yaml"


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)


def run_mlp(*arguments):
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, (arguments, done.output)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Like a clone after the first command: configs, data and runs/digits."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("configs", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("mnist*"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_mlp("train", "configs/digits.yaml", "--quiet")
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_the_python_runs_from_top_to_bottom(page, folder, monkeypatch, capsys):
    if page == "mlp/sklearn/README.md":
        pytest.importorskip("sklearn.base")
        pytest.importorskip("pandas")
    monkeypatch.chdir(folder)
    namespace = {}
    for code in blocks(page, "python"):
        exec(compile(code, page, "exec"), namespace)
    printed = capsys.readouterr().out
    assert " FAIL, " not in printed or " 0 FAIL, " in printed
    for before, after in re.findall(r"([\d.]+) -> ([\d.]+)", printed):
        assert float(after) < float(before)


@pytest.mark.long
def test_the_commands_of_the_readme_run_one_after_the_other(folder, monkeypatch):
    monkeypatch.chdir(folder)
    lines = [shlex.split(line, comments=True) for block in blocks("README.md", "sh") for line in block.splitlines()]
    commands = [arguments for program, *arguments in lines if program == "mlp"]
    for command, *arguments in commands:
        run_mlp(command, *arguments)
    assert {command for command, *_ in commands} == set(cli.commands)


def commands(page):
    """The simple commands in the blocks for a shell, as lists of words; those started by mpiexec without it."""
    for line in "\n".join(blocks(page, "sh")).splitlines():
        for part in line.split("&&"):
            words = shlex.split(part, comments=True)
            if words and words[0] == "mpiexec":
                words = words[next(i for i, word in enumerate(words) if word in ("mlp", "python")) :]
            if words:
                yield words


@pytest.mark.parametrize(("page", "words"), [(page, words) for page in PAGES for words in commands(page)])
def test_commands_and_their_options_exist(page, words):
    program, *arguments = Path(words[0]).name, *words[1:]
    options = [word.partition("=")[0] for word in arguments if word.startswith("--")]
    if program == "mlp":
        command = cli.commands[arguments[0]]
        assert set(options) <= {option for parameter in command.params for option in parameter.opts}
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
        assert set(re.findall(r"\.\[(\w+)\]", " ".join(arguments))) <= set(extras)
    elif program.startswith("python"):
        if arguments[0] != "-m":
            source = (ROOT / arguments[0]).read_text("utf-8")
            assert all(f'"{option}"' in source for option in options)
    else:
        assert program == "pytest" or (ROOT / words[0]).exists()


@pytest.mark.parametrize(("page", "config"), [(page, config) for page in PAGES for config in blocks(page, "yaml")])
def test_the_configs_are_valid(page, config, tmp_path):
    """Or parts of one, which are valid with the other sections of a shipped config."""
    beside = (ROOT / page).parent if page == "configs/README.md" else TITANIC.parent
    others = yaml.safe_load(TITANIC.read_text("utf-8"))
    missing = {key: value for key, value in others.items() if key not in yaml.safe_load(config)}
    path = tmp_path / page
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(config + (yaml.safe_dump(missing) if missing else ""))
    load_config(path)
    assert (beside / parse_yaml(path.read_bytes(), page).data["data"]["path"]).exists()


def test_the_config_of_the_readme_is_that_of_its_first_command():
    assert blocks("README.md", "yaml") == [TITANIC.read_text("utf-8")]
    assert "mlp train configs/titanic.yaml" in blocks("README.md", "sh")[0]


def test_nothing_is_left_to_be_filled_in():
    assert not [page for page, text in PAGES.items() if "<<" in text]


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize(
    ("page", "link"),
    [(page, link) for page, text in PAGES.items() for link in re.findall(r"\]\(((?!\w+:)[^)#]+)\)", text)],
)
def test_links_lead_somewhere(page, link):
    assert (ROOT / page).parent.joinpath(link).exists()


def table(page, first):
    """The rows of the table whose first column has this name, as lists of cells."""
    rows = re.search(rf"^\| {first} \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, re.MULTILINE)[1]
    return [re.split(r" *(?<!\\)\| *", row)[1:-1] for row in rows.splitlines()]


def quoted(cell):
    return re.findall("`(.*?)`", cell)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (name, path)
        for _, code, _ in table(README, "the note")
        for names, path in re.findall(r"((?:`[^`]+`, )*`[^`]+`) in \[.*?\]\((.*?)\)", code)
        for name in quoted(names)
    ],
)
def test_what_the_note_is_in_the_code_is_there(name, path):
    found = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    for part in name.split("."):
        found = getattr(found, part)


def test_every_notebook_is_in_the_table_of_the_note():
    links = re.findall(r"\(scripts/notebooks/(.*?)\)", " ".join(row[-1] for row in table(README, "the note")))
    assert sorted(set(links)) == sorted(path.name for path in ROOT.glob("scripts/notebooks/*.ipynb"))


NAME = r"\b([A-Z][A-Za-zéü]+(?:-[A-Z][a-zé]+)*)"
CITATION = re.compile(rf"{NAME}(?:(?:, [A-Z][\w-]+)*(?:,? and [A-Z]?[\w-]+)?| et al\.),? \(?((?:19|20)\d\d)\b")
ENTRIES = re.findall(r"^- ((?:.+\n)(?:  .+\n)*)", REFERENCES.partition("## References")[2], re.MULTILINE)


def text_of(path):
    """What is written in a source file or notebook, on one line and without the signs of comments."""
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return re.sub(r"[\s#]+", " ", text)


def test_every_paper_that_the_code_cites_is_among_the_references():
    sources = [*ROOT.glob("mlp/**/*.py"), *ROOT.glob("scripts/**/*.py"), *ROOT.glob("scripts/notebooks/*.ipynb")]
    cited = {(*match.groups(), path.name) for path in sources for match in CITATION.finditer(text_of(path))}
    assert len(cited) > 40
    months = {"September"}
    known = {(entry.partition(",")[0], re.search(r"\(((?:19|20)\d\d)\)", entry)[1]) for entry in ENTRIES[1:]}
    assert {
        (name, year, file) for name, year, file in cited if name not in months and (name, year) not in known
    } == set()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry[:30])
def test_the_files_of_a_reference_name_it(entry):
    for link in re.findall(r"\]\(([^):]+\.(?:py|ipynb))\)", entry):
        assert entry.partition(",")[0] in text_of(ROOT / "mlp" / link), link


def keys(section, prefix=""):
    """(dotted key, default) of everything in a section; what has several kinds is in tables of its own."""
    for name, field in section.model_fields.items():
        inner = sections_in(field.annotation)
        if len(inner) == 1 and name not in ("early_stopping", "plateau", "loss", "columns"):
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

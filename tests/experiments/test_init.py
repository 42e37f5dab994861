"""mlp init writes a config that runs as it is, and mlp summary shows the columns of a table."""

import csv
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import mlp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlp.cli.commands import cli
from mlp.experiments.assemble import prepare
from mlp.experiments.config.load import load_config
from mlp.experiments.config.yaml_text import parse_yaml
from mlp.experiments.init import scalar
from mlp.records import Progress


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(columns, path="t.csv", header=True, **options):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, **options)
        writer.writerows([columns] if header else [])
        writer.writerows(zip(*columns.values(), strict=True))


def table(n=200, **more):
    draw = random.Random(0)
    a = [draw.gauss(0, 1) for _ in range(n)]
    return {"a": [f"{x:.4f}" for x in a], "b": [draw.choice("uvw") for _ in a], **more} | {
        "y": ["yes" if x > 0 else "no" for x in a]
    }


def init(*args, target="y", path="t.csv"):
    """The config that is written, which trains and predicts."""
    text = mlp("init", path, "--target", target, *args).stdout
    Path("c.yaml").write_text(text, encoding="utf-8")
    mlp("train", "c.yaml", "--no-plot", "-q", "--set", "training.epochs=1", "--out", "run")
    mlp("predict", "run", path)
    return text, load_config("c.yaml").config


def test_a_table_of_numbers_and_text():
    write(table())
    text, config = init()
    assert config.task == "classification"
    assert config.data.path == "t.csv"
    assert (config.data.columns, config.data.exclude, config.data.missing) == ({}, [], "refuse")
    assert "# numbers: a\n# categories: b (3)\n" in text
    assert "2 classes: no (" in text


@pytest.mark.parametrize(
    ("name", "cells", "reason"),
    [
        ("who", [f"Name {k}" for k in range(200)], "200 different texts in 200 rows"),
        ("row", list(range(1, 201)), "counts the rows, 1 to 200"),
        ("customer_id", [k * 37 % 1000 for k in range(200)], "named like an identifier"),
        ("same", ["x"] * 200, "always 'x'"),
        ("five", [5] * 200, "always 5"),
        ("empty", [""] * 200, "no cell has a value"),
        ("seldom", [""] * 195 + ["1.5", "2", "1", "0", "3"], "only 5 of 200 rows have a value"),
        ("rarely", [""] * 195 + ["p", "q", "p", "q", "p"], "only 5 of 200 rows have a value"),
        ("size", [*(f"{k / 7:.3f}" for k in range(199)), "abc"], "1 cell no number ('abc'): correct or list in"),
        ("price", [f"{k + 1000:,}" for k in range(200)], "numbers written as '1,000'"),
    ],
)
def test_columns_of_no_use_are_ignored_with_the_reason(name, cells, reason):
    write(table(**{name: cells}))
    text, config = init()
    assert config.data.columns[name].kind == "ignore"
    (line,) = (line for line in text.splitlines() if line.startswith(f"    {name}: ignore"))
    assert reason in line


def test_gaps_are_filled_and_rows_without_a_target_left_out():
    columns = table(c=["", "1.5"] * 100)
    columns["y"][:3] = ["", "NA", "?"]
    write(columns)
    text, config = init()
    assert config.data.missing == "fill"
    assert "100 in c" in text
    assert config.data.missing_target == "drop"
    mlp("init", "t.csv", "--target", "y", "--set", "data.missing_target=drop")
    assert "3 rows have no target" in text


def test_a_rare_class_brings_weights_behind_a_comment_sign():
    columns = table()
    columns["y"] = ["bad" if k % 25 == 0 else "good" for k in range(200)]
    write(columns)
    text, config = init()
    assert "bad is rare (4.0%)" in text
    assert config.loss.class_weight is None
    Path("d.yaml").write_text(text.replace("# loss:", "loss:"))
    assert load_config("d.yaml").config.loss.class_weight == "balanced"


def test_classes_of_like_size_and_those_of_a_row_or_two_bring_no_weights():
    columns = table()
    columns["y"] = [f"class {k % 21 % 11}" for k in range(200)]
    write(columns)
    assert init()[1].loss.class_weight is None
    columns["y"] = ["odd" if k == 7 else "usual" for k in range(200)]
    write(columns)
    Path("run").rename("first")
    assert init()[1].loss.class_weight is None


def test_tasks_are_as_the_target_looks_or_as_they_are_given():
    columns = table()
    columns["y"] = [k % 3 for k in range(200)]
    write(columns)
    assert init()[1].task == "classification"
    mlp("init", "t.csv", "--target", "y", "--task", "regression")
    columns["y"] = [k % 30 for k in range(200)]
    write(columns)
    Path("run").rename("first")
    assert init()[1].task == "regression"


def test_levels_beyond_a_hundred_go_together_and_mixed_columns_are_categories():
    write(table(n=600, town=[f"t{k % 150}" for k in range(600)], room=["1", "2", "3", "A"] * 150))
    _, config = init()
    assert (config.data.columns["town"].kind, config.data.columns["town"].min_count) == ("category", 2)
    assert config.data.columns["room"].kind == "category"


def test_a_text_that_the_training_rows_alone_might_take_for_a_name_of_the_rows_runs():
    write(table(n=150, town=[f"t{k % 70}" for k in range(150)]))
    text, config = init()
    assert config.data.columns["town"].min_count == 2
    assert "70 levels in 150 rows" in text


def test_of_many_columns_without_use_there_is_a_list():
    write(table(**{f"c{k}": [0] * 200 for k in range(400)} | {f"d{k}": list(range(200)) for k in range(400)}))
    text, config = init()
    assert len(text.splitlines()) < 100
    assert max(map(len, text.splitlines())) < 130
    assert len(config.data.exclude) == 800
    assert config.data.columns == {}


def test_few_rows_are_not_split():
    write(table(n=12))
    text, config = init()
    assert config.data.split.valid == 0
    assert config.training.early_stopping is None
    assert "too few rows, 12" in text


def test_several_targets_and_columns_without_a_name_or_of_one_name():
    columns = table()
    rows = zip(*columns.values(), strict=True)
    with open("t.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", "twice", "twice", "a", "y", "z"])
        writer.writerows([k, 1, 2, a, y, "on" if float(a) > 1 else "off"] for k, (a, _, y) in enumerate(rows))
    text = mlp("init", "t.csv", "--target", "y", "--target", "z").stdout
    assert "exclude: ['', twice]" in text
    assert "target: [y, z]" in text
    content = Path("t.csv").read_text()
    Path("t.csv").write_text(content.replace("yes", "", 10))
    text = mlp("init", "t.csv", "--target", "z", "--target", "y").stdout
    assert "exclude: ['', twice]" in text
    assert "missing_target: drop" in text


def test_a_header_with_numbers_in_it_is_told_to_train_and_predict():
    columns = table(**{"2019": ["1.5", ""] * 100})
    columns["y"][0] = ""
    write(columns)
    _, config = init()
    assert config.data.header is True
    assert config.data.missing_target == "drop"


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (["same"] * 200, "target 'y' is always 'same': nothing to learn"),
        ([f"n{k}" for k in range(200)], "target 'y' has 200 different texts in 200 rows"),
        ([""] * 200, "no row has a value in 'y'"),
    ],
)
def test_targets_that_cannot_be_predicted_are_told(y, words):
    write(table() | {"y": y})
    assert words in mlp("init", "t.csv", "--target", "y", code=3).output


def test_a_table_without_an_input_of_use_is_told():
    write({"id": list(range(200)), "y": ["a", "b"] * 100})
    assert (
        "no column is of use as an input: 'id' counts the rows" in mlp("init", "t.csv", "--target", "y", code=3).output
    )


def test_dates_are_predicted_as_numbers():
    write(table() | {"y": [f"2024-0{1 + k % 9}-1{k % 7}" for k in range(200)]})
    assert init()[1].task == "regression"


def test_rows_without_a_target_are_left_out_of_the_rows_of_a_query():
    columns = table()
    columns["y"][:3] = ["", "NA", "?"]
    write(columns)
    _, config = init("--set", "data.query=\"SELECT *\\nFROM data WHERE b <> 'u';\"")
    assert config.data.query == "SELECT *\nFROM data WHERE b <> 'u';"
    assert config.data.missing_target == "drop"


@pytest.mark.parametrize(
    ("delimiter", "options"),
    [("|", ["data.delimiter=|"]), (";", ["data.delimiter=;", "data.decimal=,"]), ("\t", ["data.delimiter=tab"])],
)
def test_signs_of_yaml_are_set_and_kept(delimiter, options):
    columns = table()
    comma = "data.decimal=," in options
    columns["a"] = [x.replace(".", ",") if comma else x for x in columns["a"]]
    write(columns, delimiter=delimiter)
    text, config = init(*(word for option in options for word in ("--set", option)))
    assert config.data.delimiter == delimiter
    assert config.data.decimal == ("," if comma else ".")
    assert "# numbers: a" in text


def test_arrays_have_configs_too():
    X = np.random.default_rng(0).normal(size=(60, 3))
    np.save("t.npy", np.column_stack([X, np.arange(60) % 2, np.arange(60)]))
    np.savez("t.npz", X=np.column_stack([X, np.ones(60)]), y=X[:, 0])
    _, config = init(target="3", path="t.npy")
    assert (config.task, config.data.columns["4"].kind) == ("classification", "ignore")
    assert config.data.header is None
    Path("run").rename("first")
    assert init(path="t.npz")[1].task == "regression"


def test_notes_about_the_table_are_messages():
    write(table(zip=["01220", "94107"] * 100))
    found = mlp("init", "t.csv", "--target", "y")
    assert "note: column 'zip' has numbers with leading zeros" in found.stderr
    assert "note" not in found.stdout


def test_the_config_is_utf_8_whatever_the_terminal_shows():
    write(table(größe=[f"Name {k}" for k in range(200)]))
    done = subprocess.run(
        [sys.executable, "-c", "from mlp.cli import main; main()", "init", "t.csv", "--target", "y"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert "größe: ignore" in done.stdout.decode().replace("'", "")


def test_how_the_table_is_written_is_told_and_kept():
    write(table(), header=False, delimiter=";")
    _, config = init("--set", "data.header=false", target="2")
    assert config.data.header is False
    assert "data.header: true if these are" in mlp("init", "t.csv", "--target", "2", code=3).output
    assert (
        "for a table these keys can be set" in mlp("init", "t.csv", "--target", "2", "--set", "task=x", code=2).output
    )


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["gone.csv", "--target", "y"], 3, "gone.csv: No such file"),
        (["-", "--target", "y"], 2, "(standard input) cannot be read again"),
        (["t.csv", "--target", "x"], 3, "no column 'x' (the target); the columns are 'a', 'b'"),
        (["t.csv", "--target", "y", "--target", "y"], 2, "a column is listed twice"),
        (["t.csv"], 2, "Missing option '--target'"),
        (["t.csv", "--target", "b", "--task", "regression"], 3, "t.csv:2: column 'b': expected a number"),
        (["t.csv", "--target", "cost"], 3, "target 'cost': almost all cells are numbers, but not 'abc'; correct"),
        (["t.csv", "--target", "y", "--target", "b"], 3, "target 'b': 3 classes"),
        (["t.npy", "--target", "0"], 3, "no column is of use as an input: '1' always 1"),
        (["twice.csv", "--target", "y"], 3, "2 columns are named 'y' (the target); rename one, or take numbers"),
    ],
)
def test_mistakes_are_told(args, code, words):
    cost = [*(f"{k / 7:.3f}" for k in range(199)), "abc"]
    write(table(cost=cost))
    np.save("t.npy", np.ones((2, 2)))
    Path("twice.csv").write_text("a,y,y\n1,p,q\n2,q,p\n")
    found = mlp("init", *args, code=code)
    assert words in found.stderr
    assert found.stdout == ""


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@settings(deadline=None, max_examples=200)
@given(
    st.one_of(
        NAMES, st.sampled_from(["01", "no", "1e3", "2022-04-12", "null", "~", "a: b", "- a", "#x", "'", '"', "", "-"])
    )
)
def test_any_name_is_read_back(name):
    assert parse_yaml(f"data: {{path: x, target: {scalar(name)}}}".encode(), "x").data["data"]["target"] == name
    assert list(parse_yaml(f"{scalar(name)}: ignore".encode(), "x").data) == [name]


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES.filter(lambda name: name.strip() == name and name not in ("a", "b", "y") and not name.startswith("#")))
def test_columns_of_any_name_are_ignored(name):
    write(table(n=30) | {name: [f"n{k}" for k in range(30)]}, quoting=csv.QUOTE_ALL)
    Path("c.yaml").write_text(mlp("init", "t.csv", "--target", "y").stdout, encoding="utf-8")
    assert load_config("c.yaml").config.data.columns[name].kind == "ignore"


COLUMNS = st.sampled_from(
    [
        lambda draw, k: f"{draw.gauss(0, 1):.3f}",
        lambda draw, k: draw.choice(["p", "q", "r", "", "1"]),
        lambda draw, k: draw.choice(["true", "false", ""]),
        lambda draw, k: f"20{draw.randrange(10, 30)}-0{draw.randrange(1, 10)}-11",
        lambda draw, k: "",
        lambda draw, k: "7" if draw.random() < 0.1 else "",
        lambda draw, k: f"name {draw.randrange(60)}",
        lambda draw, k: f"{k:04d}",
        lambda draw, k: "1" if draw.random() < 0.97 else "x",
        lambda draw, k: draw.choice(["0", "1", "2"]),
    ]
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(COLUMNS, min_size=1, max_size=5), COLUMNS, st.sampled_from([1, 3, 25, 70, 150]), st.integers(0, 99))
def test_what_is_written_for_any_table_runs(inputs, target, n, seed):
    draw = random.Random(seed)
    cells = {f"c{j}": [make(draw, k) for k in range(n)] for j, make in enumerate(inputs)}
    write(cells | {"y": [target(draw, k) for k in range(n)]})
    found = CliRunner().invoke(cli, ["init", "t.csv", "--target", "y", "--set", "data.header=true"])
    if found.exit_code:
        assert (found.exit_code, found.stdout, len(found.stderr.splitlines())) == (3, "", 1)
    else:
        Path("c.yaml").write_text(found.stdout, encoding="utf-8")
        experiment = prepare(load_config("c.yaml", ["training.epochs=1"]))
        assert list(experiment.epochs(Progress()))


def test_summary_shows_the_columns_of_a_table():
    write(table(c=["", "1.5"] * 100, day=["2024-01-31", "2023-05-06"] * 100, who=[f"Name {k}" for k in range(200)]))
    lines = mlp("summary", "t.csv").stdout.splitlines()
    assert lines[0] == "t.csv: 200 rows, 6 columns"
    found = {line.split()[0]: line for line in lines[2:]}
    assert found["c"].split() == ["c", "number", "100", "1.5", "to", "1.5", "1.5"]
    assert "2023-05-06 to 2024-01-31" in found["day"]
    assert "3 levels" in found["b"]
    assert "of no use: 200 different texts" in found["who"]


def test_summary_shows_what_the_training_rows_of_a_config_hold():
    write(table(c=["", "1.5"] * 100, d=["2", "3", ""] * 66 + ["2"] * 2, t=["", "p", "q", "r"] * 50, u=["", "p"] * 100))
    init()
    lines = mlp("summary", "c.yaml").stdout.splitlines()
    experiment = prepare(load_config("c.yaml"))
    Z = dict(zip(experiment.model.coding.names, experiment.splits["train"][0].T, strict=True))
    found = {line.split()[0]: line.split() for line in lines if line}
    assert found["c"] == ["c", "number", f"{Z['c is missing'].sum():.0f}", "1.5", "to", "1.5", "1.5"]
    assert found["d"][2] == f"{Z['d is missing'].sum():.0f}"
    assert found["t"][2] == f"{Z['t=(missing)'].sum():.0f}"
    assert found["u"][2:] == [f"{Z['u=(missing)'].sum():.0f}", "1", "level:", "'p'", "p"]
    assert found["b"][2:] == ["3", "levels:", "'u',", "'v',", "'w'", "v"]
    assert found["a"][3] == "to"


def test_summary_of_many_columns_is_bounded():
    write(table(**{f"c{k}": [k, k + 1] * 100 for k in range(300)}))
    lines = mlp("summary", "t.csv").stdout.splitlines()
    assert len(lines) < 40
    assert lines[-1] == "... and 273 more columns"

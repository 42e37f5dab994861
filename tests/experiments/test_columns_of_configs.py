"""Keys that name columns and labels: taken as they are written, checked against each other and against the table."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlp.cli.commands import cli
from mlp.experiments.assemble import prepare
from mlp.experiments.config.load import load_config

PARTS, LABELS = ["train", "valid", "test"], ["01", "1", "no"]
TABLE = "01,no,1e3,2022-04-12,w,part,y\n" + "".join(
    f"{k % 5},{'abc'[k % 3]},{k},{k * 0.5},{1 + k % 2},{PARTS[k % 3]},{LABELS[k // 3 % 3]}\n" for k in range(60)
)
REST = "task: classification\nnetwork: {layers: [{units: 3}]}\ntraining: {epochs: 1, seed: 0}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(TABLE)


def config(data, rest=REST):
    Path("c.yaml").write_text(f"data: {{path: t.csv, header: true, {data}}}\n{rest}")
    return "c.yaml"


def refused(data, rest=REST, code=2):
    done = CliRunner().invoke(cli, ["train", config(data, rest), "--no-plot"])
    assert done.exit_code == code, done.output
    return done.output


def test_names_are_taken_as_they_are_written():
    loaded = load_config(
        config("target: y, inputs: [01, no, 1e3, 2022-04-12], columns: {01: category, 1e3: {kind: number}}, weight: w")
    ).config
    assert loaded.data.inputs == ["01", "no", "1e3", "2022-04-12"]
    assert loaded.data.columns.keys() == {"01", "1e3"}
    assert load_config("c.yaml", ["data.target=1e3", "data.inputs=[no]", "data.columns={}"]).config.data.target == [
        "1e3"
    ]
    assert load_config("c.yaml", ["data.inputs=[1e3]"]).config.data.inputs == ["1e3"]
    assert load_config("c.yaml", ["data.inputs=null"]).config.data.inputs is None


def test_labels_are_taken_as_they_are_written_and_the_config_of_a_run_keeps_them():
    rest = REST + "loss: {name: softmax_cross_entropy, class_weight: {01: 2, no: 3}}\n"
    done = CliRunner().invoke(
        cli, ["train", config("target: y, exclude: [part, w, 01]", rest), "--no-plot", "--out", "run"]
    )
    assert done.exit_code == 0, done.output
    kept = load_config("run/config.yaml").config
    assert kept.loss.class_weight == {"01": 2.0, "no": 3.0}
    assert kept.data.exclude == ["part", "w", "01"]
    assert CliRunner().invoke(cli, ["evaluate", "run"]).exit_code == 0


def test_missing_values_are_taken_as_they_are_written():
    assert load_config(config("target: y, missing_values: [-99, no, null, '']")).config.data.missing_values == [
        *("-99", "no", "null", "")
    ]


@pytest.mark.parametrize("text", [r"'\t'", r'"\t"', "tab"])
def test_a_tab_is_written_in_three_ways(text):
    assert load_config(config(f"target: y, delimiter: {text}")).config.data.delimiter == "\t"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("target: y, inputs: [no], exclude: [no]", "data.inputs: 'no' is also left out"),
        ("target: y, inputs: [no], columns: {no: ignore}", "data.inputs: 'no' is also left out"),
        ("target: y, inputs: [w], weight: w", "data.inputs: 'w' is also data.weight"),
        ("target: y, exclude: [y]", "data.target: 'y' is also in data.exclude"),
        (
            "target: y, columns: {no: text}",
            "data.columns.no.kind: unknown value 'text' (choose from number, category, ignore)",
        ),
        ("target: y, columns: {no: {knd: number}}", "data.columns.no.knd: unknown key (did you mean 'kind'?)"),
        ("target: y, columns: {no: {kind: number, min_count: 3}}", "data.columns.no.min_count: is for categories"),
        ("target: y, columns: {no: {kind: category, missing: mean}}", "data.columns.no.missing: mean is for numbers"),
        ("target: y, split: {by: no, order: 01, test: 0.2}", "data.split.order: and data.split.by are two ways"),
        (
            "target: y, split: {by: no, method: shuffled, test: 0.2}",
            "data.split.by: and data.split.method are two ways",
        ),
        ("target: y, split: {column: part, test: 0.2}", "data.split.column: says which rows are for what"),
        ("target: y, split: {test_part: 4}", "data.split.test_part: is a text of the cells of data.split.column"),
        ("target: y, encoding: cp1252", "data.encoding: unknown value 'cp1252'"),
        ("target: y, missing: zero", "data.missing: unknown value 'zero'"),
    ],
)
def test_contradictions_are_told(data, words):
    assert words in refused(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("target: y, exclude: [x]", "no column 'x' (data.exclude or data.columns)"),
        ("target: y, columns: {x: category}", "no column 'x' (data.exclude or data.columns)"),
        ("target: y, weight: x", "no column 'x'"),
        ("target: y, weight: no", "column 'no': expected a number, got 'a'"),
        ("target: y, split: {by: x, test: 0.2}", "no column 'x'"),
        ("target: y, query: SELECT 1", "no column 'y'"),
    ],
)
def test_columns_that_are_not_in_the_table_are_told(data, words):
    assert words in refused(data, code=3)


def rows_of(data):
    experiment = prepare(load_config(config(data)))
    return experiment, experiment.rows()


def test_the_column_that_splits_is_no_input():
    experiment, rows = rows_of("target: y, split: {column: part}, columns: {01: ignore, w: ignore}")
    assert rows == {"train": 20, "valid": 20, "test": 20}
    assert experiment.model.inputs == ("no", "1e3", "2022-04-12")


def test_the_past_is_trained_on():
    experiment, rows = rows_of("target: y, split: {order: 1e3, valid: 0.1, test: 0.2}")
    assert rows == {"train": 42, "valid": 6, "test": 12}
    assert experiment.model.coding.high[experiment.model.coding.numbers.index("2022-04-12")] == 20.5


def test_summary_and_run_json_agree_on_the_parts():
    done = CliRunner().invoke(
        cli, ["train", config("target: y, split: {by: 01, test: 0.2}"), "--no-plot", "--out", "run"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(Path("run/run.json").read_text())["rows"] == {"train": 48, "test": 12}


def test_gaps_are_refused_by_column_unless_a_key_fills_them():
    Path("t.csv").write_text("a,b,c,y\n" + ",u,1,p\n1,,2,q\n2,v,3,p\n3,u,4,q\n" * 5)
    assert "missing values: 5 in 'a', 5 in 'b'; data.missing: fill" in refused("target: y", code=3)
    assert "missing values: 5 in 'b'" in refused("target: y, columns: {a: {missing: median}}", code=3)
    assert "missing values: 5 in 'a'; " in refused("target: y, missing: fill, columns: {a: {missing: refuse}}", code=3)
    assert rows_of("target: y, missing: fill")[0].model.coding.names == ("a", "c", "a is missing", "b=v", "b=(missing)")


def test_several_files_are_trained_on_and_a_run_knows_when_one_has_changed():
    lines = TABLE.splitlines(keepends=True)
    for name, some in (("part1.csv", lines[1:31]), ("part2.csv", lines[31:])):
        Path(name).write_text(lines[0] + "".join(some))
    text = Path(config("target: y, split: {test: 0.2}")).read_text()
    whole, parts = "t.csv", "part*.csv"
    for out, path in (("whole", whole), ("parts", parts)):
        Path("c.yaml").write_text(text.replace("t.csv", path))
        done = CliRunner().invoke(cli, ["train", "c.yaml", "--no-plot", "--out", out])
        assert done.exit_code == 0, done.output
    assert (
        Path("whole/metrics.csv").read_text().split(",")[:-1] == Path("parts/metrics.csv").read_text().split(",")[:-1]
    )
    assert CliRunner().invoke(cli, ["evaluate", "parts"]).exit_code == 0
    Path("part3.csv").write_text(lines[0] + lines[1])
    done = CliRunner().invoke(cli, ["evaluate", "parts"])
    assert done.exit_code == 3
    assert "part*.csv: has changed since the run started" in done.output

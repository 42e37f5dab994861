"""Tables as people have them: from a raw file to predictions for another one, with other columns, texts and gaps."""

import csv
import datetime
import gzip
import io
import json
import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import mlp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlp.cli.commands import cli
from mlp.experiments.model import load_model

CONFIG = """\
data: {{path: {path}, target: {target}, split: {{valid: 0.2, test: 0.2{by}}}, {data}}}
task: {task}
network: {{layers: [{{units: 4}}]}}
training: {{epochs: 2, seed: 0, batch_size: 8}}
"""


def as_csv(columns, rows, delimiter=",", **options):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n", **options)
    writer.writerow(columns)
    writer.writerows([row[column] for column in columns] for row in rows)
    return text.getvalue().encode()


def answers(text):
    return list(csv.DictReader(io.StringIO(text)))


@dataclass
class Kind:
    """A kind of table: what makes a row of it, the config, the file, and what a new table may have that it has not."""

    row: object
    data: str = ""
    task: str = "classification"
    write: object = as_csv
    name: str = "t.csv"
    new: dict = field(default_factory=dict)
    by: str = ""


def person(draw):
    sex = draw.choice(["male", "female"])
    return {
        "name": f"Name {draw.random()}",
        "sex": sex,
        "age": draw.choice(["", f"{draw.uniform(1, 80):.1f}"]),
        "class": draw.choice(["1st", "2nd", "3rd"]),
        "y": "yes" if (sex == "female") != (draw.random() < 0.1) else "no",
    }


def numbers(draw):
    a, b = draw.gauss(0, 1), draw.gauss(5, 2)
    return {"a": f"{a:.3f}", "b": f"{b:.3f}", "y": f"{a + b:.3f}"}


def labelled(draw):
    a = draw.gauss(0, 1)
    return {"a": f"{a:.3f}", "b": draw.choice("uvw"), "y": "p" if a > 0 else "q"}


def gz(columns, rows):
    return gzip.compress(as_csv(columns, rows))


def ndjson(columns, rows):
    return b"".join(json.dumps({c: row[c] for c in columns}).encode() + b"\n" for row in rows)


def parquet(columns, rows):
    import duckdb

    Path("for_parquet.csv").write_bytes(as_csv(columns, rows))
    duckdb.sql("COPY (SELECT * FROM read_csv('for_parquet.csv')) TO 'made.parquet'")
    return Path("made.parquet").read_bytes()


KINDS = {
    "text, gaps and names": Kind(
        person, "missing: fill, columns: {name: ignore}", new={"sex": "", "class": "crew", "age": ""}
    ),
    "numbers for numbers": Kind(numbers, task="regression", new={"a": "1e3", "b": ""}),
    "semicolons and decimal commas": Kind(
        lambda draw: {k: v.replace(".", ",") for k, v in numbers(draw).items()},
        "decimal: ','",
        "regression",
        lambda columns, rows: as_csv(columns, rows, ";"),
        new={"a": ""},
    ),
    "quoted, with tabs": Kind(
        lambda draw: labelled(draw) | {"b": draw.choice(["u\tv", 'a "b"', "line\nend"])},
        write=lambda columns, rows: as_csv(columns, rows, "\t", quoting=csv.QUOTE_ALL),
        name="t.tsv",
        new={"b": "new\ttext"},
    ),
    "gzip": Kind(labelled, write=gz, name="t.csv.gz", new={"b": "z"}),
    "JSON by lines": Kind(lambda draw: labelled(draw) | {"a": draw.gauss(0, 1)}, write=ndjson, name="t.ndjson"),
    "Parquet": Kind(labelled, write=parquet, name="t.parquet", new={"b": "z"}),
    "UTF-16": Kind(
        lambda draw: labelled(draw) | {"b": draw.choice(["é", "ß", "語"])},
        write=lambda columns, rows: as_csv(columns, rows).decode().encode("utf-16"),
        new={"b": "ü"},
    ),
    "Latin-1 below a preamble": Kind(
        lambda draw: labelled(draw) | {"b": draw.choice(["é", "ß"])},
        "encoding: latin-1, skip_lines: 1",
        write=lambda columns, rows: b"# exported\n" + as_csv(columns, rows).decode().encode("latin-1"),
        new={"b": "ü"},
    ),
    "dates and truth values": Kind(
        lambda draw: {
            "day": str(datetime.date(2020, 1, 1) + datetime.timedelta(draw.randrange(900))),
            "open": draw.choice(["TRUE", "FALSE"]),
            "y": f"{draw.gauss(0, 1):.3f}",
        },
        "missing: fill",
        "regression",
        new={"day": "", "open": ""},
    ),
    "codes with leading zeros, and NA for Namibia": Kind(
        lambda draw: (
            labelled(draw) | {"a": draw.choice(["01220", "94107", "00501"]), "b": draw.choice(["NA", "NC", "NE"])}
        ),
        "columns: {a: category}, missing_values: ['']",
        new={"a": "1220", "b": "na"},
    ),
    "rare texts together, weights, and patients kept in one set": Kind(
        lambda draw: (
            labelled(draw)
            | {
                "b": draw.choice("aaaabbbb" + "cdefgh"),
                "w": f"{draw.uniform(0, 3):.2f}",
                "who": f"p{draw.randrange(12)}",
            }
        ),
        "columns: {b: {min_count: 4}}, weight: w",
        by=", by: who",
        new={"b": "zz"},
    ),
    "a query": Kind(
        lambda draw: {"t": f"2024-03-{draw.randrange(1, 28):02d} {draw.randrange(24):02d}:10:00"} | labelled(draw),
        'query: "SELECT * EXCLUDE (t), hour(t) AS hour FROM data"',
        new={"b": "z"},
    ),
    "numbers with outliers": Kind(
        lambda draw: numbers(draw) | {"a": f"{draw.gauss(0, 1) ** 9:.3g}"},
        "clip: smooth",
        "regression",
        new={"a": "1e30"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_raw_file_becomes_a_model_that_predicts_for_other_files(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    kind, draw = KINDS[kind], random.Random(0)
    rows = [kind.row(draw) for _ in range(120)]
    columns = list(rows[0])
    Path(kind.name).write_bytes(kind.write(columns, rows))
    Path("c.yaml").write_text(CONFIG.format(path=kind.name, target="y", task=kind.task, data=kind.data, by=kind.by))
    mlp("train", "c.yaml", "-q")
    mlp("evaluate", "runs/c")

    inputs = [column for column in columns if column != "y"]
    draw.shuffle(inputs)
    new = [kind.row(draw) | {"extra": "1"} for _ in range(9)]
    new[4] |= kind.new
    name = f"new_{kind.name}"
    Path(name).write_bytes(kind.write([*inputs, "extra"], new))
    found = answers(mlp("predict", "runs/c", name, "--keep", "extra").stdout)
    assert len(found) == 9
    assert {row["extra"] for row in found} == {"1"}
    for row in found:
        values = [float(value) for column, value in row.items() if column.startswith(("probability", "extra"))]
        assert np.isfinite(values).all()
    if kind.new:
        result = mlp("predict", "runs/c", name)
        assert "note: " in result.stderr
        assert "(--strict)" in mlp("predict", "runs/c", name, "--strict", code=3).stderr
    for i in (0, 4):  # the answer of a row does not depend on the rows beside it
        Path(name).write_bytes(kind.write([*inputs, "extra"], [new[i]]))
        (alone,) = answers(mlp("predict", "runs/c", name, "--keep", "extra").stdout)
        assert same(alone, found[i])


def same(one, other):
    return one.keys() == other.keys() and all(
        one[column] == other[column] or float(one[column]) == pytest.approx(float(other[column]), rel=1e-4, abs=1e-6)
        for column in one
    )


CELL = st.one_of(
    st.just(""),
    st.integers(-5, 5).map(str),
    st.floats(-1e3, 1e3).map(str),
    st.sampled_from(["a", "b", " a", "NA", "é", "TRUE", "2020-01-01"]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.integers(1, 4))
def test_whatever_the_cells_predict_gives_each_row_its_own_answer(tmp_path_factory, data, width):
    """Columns of any cells; new rows have cells of the same kinds, with other texts and more gaps."""
    folder = tmp_path_factory.mktemp("t")
    names = [f"c{j}" for j in range(width)]
    kinds = [data.draw(st.sampled_from(["number", "category"])) for _ in names]
    cells = {"number": st.one_of(st.just(""), st.floats(-1e3, 1e3).map(str)), "category": CELL}
    rows = [
        {name: data.draw(cells[kind]) for name, kind in zip(names, kinds, strict=True)} | {"y": "pq"[i % 2]}
        for i in range(18)
    ]
    (folder / "t.csv").write_bytes(as_csv([*names, "y"], rows))
    given_kinds = ", ".join(f"{name}: {kind}" for name, kind in zip(names, kinds, strict=True))
    config = CONFIG.format(
        path="t.csv", target="y", task="classification", by="", data=f"missing: fill, columns: {{{given_kinds}}}"
    )
    (folder / "c.yaml").write_text(config)
    result = CliRunner().invoke(cli, ["train", str(folder / "c.yaml"), "-q", "--no-plot", "--out", str(folder / "run")])
    assert result.exit_code in (0, 3), result.output
    if result.exit_code:
        return  # a column without any value, or none with two different ones
    model = load_model(folder / "run")
    new = [{name: data.draw(cells[kind]) for name, kind in zip(names, kinds, strict=True)} | {"i": i} for i in range(4)]
    (folder / "new.csv").write_bytes(as_csv(["i", *names], new, quoting=csv.QUOTE_ALL))
    together = model.predict(model.read(folder / "new.csv", with_targets=False))
    for i, row in enumerate(new):
        (folder / "new.csv").write_bytes(as_csv(["i", *names], [row], quoting=csv.QUOTE_ALL))
        alone = model.predict(model.read(folder / "new.csv", with_targets=False))
        for name, column in alone.items():
            if column.dtype.kind == "f":
                np.testing.assert_allclose(column[0], together[name][i], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("query", ["SELECT * FROM data WHERE fare < 99", "SELECT *, 2 * fare AS double FROM data;"])
def test_codes_and_labels_are_as_written_through_a_query(tmp_path, monkeypatch, query):
    monkeypatch.chdir(tmp_path)
    codes, labels = ["01", "1", "1.0", "007"], ["01", "1", "1.0", "01"]
    rows = [{"zip": codes[n % 4], "fare": str(n % 7), "y": labels[n % 4]} for n in range(80)]
    Path("t.csv").write_bytes(as_csv(["zip", "fare", "y"], rows))
    Path("new.csv").write_bytes(as_csv(["fare", "zip"], [{"zip": code, "fare": "3"} for code in [*codes, "7"]]))
    data = f"columns: {{zip: category}}, query: '{query}'"
    text = CONFIG.format(path="t.csv", target="y", by="", data=data, task="classification")
    Path("c.yaml").write_text(text.replace("epochs: 2", "epochs: 100"))
    mlp("train", "c.yaml")
    assert load_model(Path("runs/c")).coding.categories["zip"].levels == ("007", "01", "1", "1.0")
    assert [row["y"] for row in answers(mlp("predict", "runs/c", "t.csv").stdout)] == [row["y"] for row in rows]
    found = mlp("predict", "runs/c", "new.csv")
    assert [row["y"] for row in answers(found.stdout)][:4] == labels
    assert "column 'zip': 1 rows have a text that no training row has ('7')" in found.stderr


@pytest.mark.parametrize(("task", "values"), [("classification", ["p", "q"]), ("regression", ["1.5", "2.5"])])
def test_rows_without_a_target_are_left_out_and_predicted(tmp_path, monkeypatch, task, values):
    monkeypatch.chdir(tmp_path)
    rows = [{"x": str(n), "w": str(1 + n % 3), "y": "" if n % 10 == 0 else values[n % 2]} for n in range(60)]
    Path("t.csv").write_bytes(as_csv(["x", "w", "y"], rows))
    Path("clean.csv").write_bytes(as_csv(["x", "w", "y"], [row for row in rows if row["y"]]))
    Path("new.csv").write_bytes(as_csv(["x"], rows))
    data = "missing_target: drop, weight: w, query: 'SELECT * FROM data WHERE x >= 0'"
    for name in ("t", "clean"):
        Path(f"{name}.yaml").write_text(CONFIG.format(path=f"{name}.csv", target="y", by="", data=data, task=task))
    found = mlp("train", "t.yaml")
    assert "6 of 60 rows have no value in 'y', and are left out" in found.output
    mlp("train", "clean.yaml")
    new = mlp("predict", "runs/t", "new.csv").stdout
    assert len(answers(new)) == 60
    assert new == mlp("predict", "runs/clean", "new.csv").stdout  # the same weights, to the last bit
    scores = json.loads(mlp("evaluate", "runs/t", "t.csv", "--json").stdout)
    assert scores["rows"] == 54
    refused = mlp("evaluate", "runs/t", "t.csv", "--set", "data.missing_target=refuse", code=3)
    assert "t.csv: missing targets: 6 in 'y'" in refused.output
    Path("none.csv").write_bytes(as_csv(["x", "w", "y"], [row for row in rows if not row["y"]]))
    assert "no row has a value in 'y'" in mlp("evaluate", "runs/t", "none.csv", code=3).output


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("task", "query"),
    [
        ("regression", "SELECT x, ln(y) AS y FROM data"),
        ("regression", 'SELECT x, "Y" - 1 AS y FROM data ORDER BY x'),
        ("classification", "SELECT x, lower(y) AS y FROM data"),
    ],
)
def test_a_query_may_name_the_target_that_a_new_table_has_not(tmp_path, monkeypatch, task, query, form):
    import duckdb

    monkeypatch.chdir(tmp_path)
    rows = [{"x": str(n), "y": ["1.5", "2.5"][n % 2]} for n in range(40)]
    Path("t.csv").write_bytes(as_csv(["x", "y"], rows))
    if form == "parquet":
        duckdb.sql(f"COPY (SELECT x, y{'::VARCHAR' * (task == 'classification')} AS y FROM 't.csv') TO 't.parquet'")
        duckdb.sql("COPY (SELECT x FROM 't.csv') TO 'new.parquet'")
    Path("new.csv").write_bytes(as_csv(["x"], rows))
    data = f"query: '{query}'"
    Path("c.yaml").write_text(CONFIG.format(path=f"t.{form}", target="y", by="", data=data, task=task))
    mlp("train", "c.yaml")
    assert mlp("predict", "runs/c", f"new.{form}").stdout == mlp("predict", "runs/c", f"t.{form}").stdout
    none = mlp("predict", "runs/c", f"new.{form}", "--set", "data.query=SELECT x FROM data WHERE y IS NOT NULL", code=3)
    assert f"new.{form}: 0 rows: data.query leaves none" in none.output


def test_a_column_that_a_query_renames_may_be_a_category_of_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{"zip": ["01", "1"][n % 2], "label": ["01", "1"][n % 2]} for n in range(40)]
    Path("t.csv").write_bytes(as_csv(["zip", "label"], rows))
    Path("new.csv").write_bytes(as_csv(["zip"], rows))
    data = (
        "columns: {zip: category, code: category, label: category}, query: 'SELECT zip AS code, label AS y FROM data'"
    )
    text = CONFIG.format(path="t.csv", target="y", by="", data=data, task="classification")
    Path("c.yaml").write_text(text)
    mlp("train", "c.yaml")
    model = load_model(Path("runs/c"))
    assert model.coding.categories["code"].levels == ("01", "1")
    assert model.target.labels == {"y": ("01", "1")}
    refused = mlp("predict", "runs/c", "new.csv", code=3)
    assert 'Referenced column "label" not found' in refused.output
    found = mlp("predict", "runs/c", "new.csv", "--set", "data.query=SELECT zip AS code FROM data")
    assert len(answers(found.stdout)) == 40
    Path("c.yaml").write_text(text.replace("{zip:", "{zpi:"))
    assert "no column 'zpi' (data.exclude or data.columns)" in mlp("train", "c.yaml", code=3).output

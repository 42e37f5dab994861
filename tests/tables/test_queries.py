"""data.query: one SELECT over the file as `data`, which reads that file and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from mlp.errors import DataError
from mlp.tables import Reading, read_table

TABLE = (
    "id,start,fare,zone,y\n1,2024-03-01 10:30:00,7.5,a,p\n2,2024-03-02 23:10:00,400,b,q\n3,2024-03-03 05:00:00,9,?,p\n"
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(TABLE)
    Path("secret.csv").write_text("a,y\nsecret,p\n")
    return tmp_path


def read(query, path="t.csv", header=True, **options):
    return read_table(path, targets=["y"], labels=True, reading=Reading(query=query, header=header), **options)


def test_a_query_chooses_rows_and_makes_columns():
    table = read("SELECT * EXCLUDE (id, start), hour(start) AS hour FROM data WHERE fare < 300")
    assert table.kinds == {"fare": "number", "zone": "category", "hour": "number"}
    assert table.X.tolist() == [[7.5, 10], [9, 5]]
    assert table.texts["zone"].written().tolist() == ["a", None]
    assert table.Y.tolist() == [["p"], ["p"]]


def test_names_are_those_of_the_file_and_whole_numbers_are_whole():
    Path("odd.csv").write_text('"a b",01,y\n1,007,p\n2,008,q\n')
    table = read("""SELECT "a b" || '/' || "01" AS joined, y FROM data;""", "odd.csv", kinds={"joined": "category"})
    assert table.texts["joined"].levels == ("1/7", "2/8")


def test_rows_come_in_the_order_of_the_query():
    assert read("SELECT fare, y FROM data ORDER BY fare DESC").X[:, 0].tolist() == [400, 9, 7.5]


@pytest.mark.parametrize("name", ["t.parquet", "t.json", "t.ndjson"])
def test_a_query_reads_other_forms_of_files_too(name):
    import duckdb

    form = "parquet" if name == "t.parquet" else "json"
    array = ", ARRAY true" if name == "t.json" else ""
    duckdb.sql(f"COPY (SELECT * FROM read_csv('t.csv')) TO '{name}' (FORMAT {form}{array})")
    table = read("SELECT fare, zone, y FROM data WHERE id > 1", name)
    assert table.X[:, 0].tolist() == [400, 9]
    assert table.texts["zone"].written().tolist() == ["b", None]


ATTACKS = {
    "another file": "SELECT a AS x, y FROM read_csv('secret.csv')",
    "another file by its name": "SELECT a AS x, y FROM 'secret.csv'",
    "another file as text": "SELECT content AS x, 'p' AS y FROM read_text('secret.csv')",
    "another file as bytes": "SELECT 1 AS x, 'p' AS y FROM read_blob('/etc/hostname')",
    "another file in a part": "SELECT fare, (SELECT max(a) FROM read_csv('secret.csv')) AS y FROM data",
    "the names of files": "SELECT file AS x, 'p' AS y FROM glob('*')",
    "the form of another file": "SELECT 1 AS x, 'p' AS y FROM sniff_csv('secret.csv')",
    "the network": "SELECT 1 AS x, 'p' AS y FROM read_csv('https://example.com/t.csv')",
    "a bucket": "SELECT 1 AS x, 'p' AS y FROM read_parquet('s3://bucket/t.parquet')",
    "a query in a text": "SELECT * FROM query('SELECT a AS x, y FROM read_csv(''secret.csv'')')",
    "a variable of Python": "SELECT * FROM frame",
    "writing": "COPY (SELECT 1) TO 'out.csv'",
    "writing behind a SELECT": "SELECT fare, y FROM data; COPY (SELECT 1) TO 'out.csv'",
    "another database": "ATTACH 'other.db'",
    "a setting": "SET enable_external_access = true",
    "a setting behind a SELECT": "SELECT fare, y FROM data; SET enable_external_access = true",
    "a pragma": "PRAGMA database_list",
    "an extension": "INSTALL httpfs",
    "loading": "LOAD httpfs",
    "a table": "CREATE TABLE t AS SELECT 1",
    "a row": "INSERT INTO data VALUES (1)",
    "two": "SELECT fare, y FROM data; SELECT fare, y FROM data",
    "nothing": "-- SELECT",
    "out of its brackets": "SELECT fare, y FROM data); COPY (SELECT 1) TO 'out.csv'; SELECT (1",
}


@pytest.mark.parametrize("query", ATTACKS.values(), ids=ATTACKS)
def test_a_query_reads_no_other_file_writes_nothing_and_sets_nothing(query):
    frame = {"x": np.arange(2), "y": np.array(["p", "q"])}
    before = sorted(Path().iterdir())
    with pytest.raises(DataError, match=r"t\.csv: ") as error:
        read(query)
    assert sorted(Path().iterdir()) == before
    assert "secret," not in str(error.value)
    assert frame


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT fare FROM data", ["no column 'y'"]),
        ("SELECT far, y FROM data", ["data.query", "far"]),
        ("SELEC fare, y FROM data", ["data.query", "SELEC"]),
        ("SELECT fare, y FROM data WHERE fare > 1e6", ["0 rows"]),
        ("SELECT [fare] AS x, y FROM data", ["'x'", "DOUBLE[]", "data.exclude"]),
    ],
)
def test_a_query_that_cannot_work_says_why(query, words):
    with pytest.raises(DataError) as error:
        read(query)
    for word in words:
        assert word in str(error.value)


def test_a_query_spills_nothing_to_files():
    from mlp.tables import duck

    assert duck.connect().execute("SELECT current_setting('temp_directory')").fetchone() == ("",)


@pytest.mark.parametrize("name", ["t.parquet", "t.json"])
def test_the_name_of_a_folder_is_no_column(name):
    import duckdb

    Path("year=2020").mkdir()
    form = "parquet" if name == "t.parquet" else "json"
    duckdb.sql(f"COPY (SELECT * FROM read_csv('t.csv')) TO 'year=2020/{name}' (FORMAT {form})")
    table = read_table(f"year=2020/{name}", targets=["y"], labels=True, exclude=["start"])
    assert table.inputs == ("id", "fare", "zone")


def test_names_that_differ_by_case_alone_are_refused():
    Path("case.csv").write_text("a,A,y\n1,2,p\n3,4,q\n")
    with pytest.raises(DataError, match=r"case\.csv: data\.query: SQL does not tell 'a', 'A' apart; rename one"):
        read('SELECT "A", y FROM data', "case.csv")

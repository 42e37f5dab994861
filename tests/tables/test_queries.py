"""data.query: one SELECT over the file as `data`, which reads that file and nothing else."""

import json
import os
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


def test_names_that_differ_by_case_alone_are_refused_under_a_query():
    Path("case.csv").write_text("a,A,y\n1,2,p\n3,4,q\n")
    with pytest.raises(DataError, match=r"case\.csv: data\.query: SQL does not tell 'a', 'A' apart; rename one"):
        read('SELECT "A", y FROM data', "case.csv")


@pytest.mark.parametrize("name", ["case.parquet", "case.json", "case.ndjson"])
def test_names_that_differ_by_case_alone_are_refused_where_duckdb_renames_one(name):
    import pyarrow
    import pyarrow.parquet

    rows = [{"a": 1, "A": 3, "b": 5, "b_1": 7, "y": "p"}, {"a": 2, "A": 4, "b": 6, "b_1": 8, "y": "q"}]
    forms = {"case.json": json.dumps(rows), "case.ndjson": "\n".join(map(json.dumps, rows))}
    if name in forms:
        Path(name).write_text(forms[name])
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), name)
    with pytest.raises(DataError, match=rf"{name}: columns 'a', 'A' differ by case alone; rename one"):
        read_table(name, targets=["y"], labels=True)


def test_a_name_that_ends_like_a_renamed_one_is_a_name():
    Path("b.json").write_text('[{"b": 5, "B_1": 7, "y": "p"}]')
    assert read_table("b.json", targets=["y"], labels=True).inputs == ("b", "B_1")


CODES = "zip,fare,id,y\n01,7,12345678901234567890,1\n1,8,12345678901234567891,1.0\n1.0,9,3,01\n"


def test_a_query_sees_what_is_read_as_written_as_it_is_written():
    Path("codes.csv").write_text(CODES)
    reading = Reading(query="SELECT * FROM data WHERE y IS NOT NULL", as_written=("zip", "id", "y"))
    table = read_table(
        "codes.csv", targets=["y"], labels=True, kinds={"zip": "category", "id": "category"}, reading=reading
    )
    assert table.texts["zip"].written().tolist() == ["01", "1", "1.0"]
    assert table.texts["id"].written().tolist() == ["12345678901234567890", "12345678901234567891", "3"]
    assert table.Y.ravel().tolist() == ["1", "1.0", "01"]
    assert table.notes == ()


def test_a_query_keeps_the_notes_on_the_columns_that_it_takes_as_numbers():
    Path("codes.csv").write_text(CODES)
    written = read_table("codes.csv", targets=["y"], labels=True).notes
    assert len(written) == 2
    assert read("SELECT * FROM data", "codes.csv").notes == written
    assert (
        read("SELECT zip AS code, id::VARCHAR AS id, y FROM data", "codes.csv", kinds={"id": "category"}).notes
        == written[1:]
    )
    assert read("SELECT fare, y FROM data", "codes.csv").notes == ()
    assert read("SELECT id, fare, y FROM data", "codes.csv", others={"id": "text"}).notes == written[1:]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT fare, y FROM data; -- the fares",
        "SELECT fare, y FROM data -- the fares",
        ";; SELECT fare, y FROM data /* ; */ ; /* the fares */ ;",
        "SELECT fare, y FROM data WHERE zone IS NULL OR zone != ';' -- ; €",
        "-- é\nSELECT fare, y, FROM data WHERE ';é' != 'é;'; -- é",
    ],
)
def test_comments_and_semicolons_around_a_query(query):
    assert read(query).X[:, 0].tolist() == [7.5, 400, 9]


NAMES = ["p*.csv", "q[1].csv", "r?.csv", "s{1,2}.csv", "p*.parquet", "q[1].json"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("query", [None, "SELECT fare, y FROM data"])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_whose_name_looks_like_a_pattern(name, query):
    import duckdb

    for each in ("mine", "px", "q1", "rx", "s1", "s2"):
        path = f"{each}{Path(name).suffix}"
        content = f"(SELECT {each == 'mine'}::INTEGER AS fare, 'p' AS y)"
        form = {".csv": "csv", ".parquet": "parquet", ".json": "json"}[Path(name).suffix]
        duckdb.sql(f"COPY {content} TO '{path}' (FORMAT {form})")
    Path(f"mine{Path(name).suffix}").rename(name)
    assert read(query, name, header=None).X.tolist() == [[1]]


def test_duckdb_takes_no_more_threads_than_there_are_processors(monkeypatch):
    from mlp.tables import duck

    for processors, threads in ((0.5, 1), (2.5, 2), (64.0, 4)):
        monkeypatch.setattr(duck, "processors", lambda number=processors: number)
        assert duck.connect().execute("SELECT current_setting('threads')").fetchone() == (threads,)

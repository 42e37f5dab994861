"""What the columns of a text are taken for, and what is told about it."""

import numpy as np
import pytest

from mlp.errors import DataError
from mlp.tables import Reading, read_table


def read(tmp_path, cells, kinds=None, **reading):
    """The table of one input column `x`, beside a target."""
    quote = "".join(f'"{cell}",{i}\n' for i, cell in enumerate(cells))
    (tmp_path / "t.csv").write_text("x,y\n" + quote, encoding="utf-8")
    return read_table(tmp_path / "t.csv", targets=["y"], kinds=kinds, reading=Reading(**reading))


NAN = float("nan")
KINDS = {
    "numbers": (["1", " 2.5 ", "-3e2", ".5", "+1."], "number", [1, 2.5, -300, 0.5, 1]),
    "numbers with gaps": (["1", "", "NA", "nan", "?", "null", "2"], "number", [1, NAN, NAN, NAN, NAN, NAN, 2]),
    "truth": (["TRUE", "false", "", "True"], "boolean", [1, 0, NAN, 1]),
    "dates": (["1970-01-02", "", "1969-12-31"], "date", [1, NAN, -1]),
    "times": (["1970-01-01 12:00", "1970-01-02T06:00:00Z", "1970-01-01"], "date", [0.5, 1.25, 0]),
    "whole numbers of few values": (["1", "2", "1", "2"], "number", [1, 2, 1, 2]),
    "text": (["a", "1", "b", " a ", "B", "", "2020-01-01"], "category", ["a", "1", "b", "a", "B", None, "2020-01-01"]),
    "truth and text": (["TRUE", "FALSE", "maybe"], "category", ["TRUE", "FALSE", "maybe"]),
    "no such date": (["2020-01-01", "2020-02-31"], "category", ["2020-01-01", "2020-02-31"]),
    "nothing": (["", "", ""], "number", [NAN, NAN, NAN]),
}


@pytest.mark.parametrize(("cells", "kind", "values"), KINDS.values(), ids=KINDS)
def test_a_column_is_what_its_cells_are(tmp_path, cells, kind, values):
    table = read(tmp_path, cells)
    assert table.kinds == {"x": kind}
    if kind == "category":
        assert table.texts["x"].written().tolist() == values
        assert list(table.texts["x"].levels) == sorted(set(values) - {None})
    else:
        np.testing.assert_array_equal(table.X[:, 0], values)


def test_text_may_stand_below_many_numbers(tmp_path):
    """The first rows show numbers alone, and then the column is no number after all."""
    table = read(tmp_path, ["1"] * 3000 + ["x"] * 4000)
    assert table.kinds == {"x": "category"}
    assert np.bincount(table.texts["x"].codes).tolist() == [3000, 4000]


@pytest.mark.parametrize(
    ("cells", "kinds", "kind", "values"),
    [
        (["1", "2", "01"], {"x": "category"}, "category", ["1", "2", "01"]),
        (["1", "2"], {"x": "quantity"}, "number", [1, 2]),
        (["2020-01-01", "1970-01-01"], {"x": "quantity"}, "date", [18262, 0]),
        (["TRUE", "0", "1"], {"x": "boolean"}, "boolean", [1, 0, 1]),
        (["1", ""], {"x": "boolean"}, "boolean", [1, NAN]),
    ],
)
def test_a_given_kind_wins(tmp_path, cells, kinds, kind, values):
    table = read(tmp_path, cells, kinds)
    assert table.kinds == {"x": kind}
    found = table.texts["x"].written() if kind == "category" else table.X[:, 0]
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    ("cells", "kinds", "words"),
    [
        (["1", "2", "abc", "4", "xyz"], None, ["t.csv:4", "'x'", "'abc'", "1 more", "data.columns: {x: category}"]),
        (["1", "2020-01-01"], {"x": "number"}, ["t.csv:3", "expected a number", "'2020-01-01'"]),
        (["2020-01-01", "x"], {"x": "date"}, ["t.csv:3", "expected a date", "'x'"]),
        (["a", "b"], {"x": "quantity"}, ["t.csv:2", "expected a number", "'a'"]),
        (["1,234", "5"], None, ["t.csv:2", "'1,234'", "decimal comma", "thousands"]),
        (["1_000", "5"], None, ["t.csv:2", "'1_000'"]),
        (["1", "inf"], None, ["t.csv:3", "'inf'", "finite"]),
    ],
)
def test_a_cell_of_another_kind_is_told_with_its_place(tmp_path, cells, kinds, words):
    with pytest.raises(DataError) as error:
        read(tmp_path, cells, kinds)
    for word in words:
        assert word in str(error.value)


def test_exactly_the_listed_texts_are_missing(tmp_path):
    table = read(tmp_path, ["NA", "NC", "", "-"], missing_values=("", "-"))
    assert table.texts["x"].written().tolist() == ["NA", "NC", None, None]
    with pytest.raises(DataError, match="got 'NA'"):
        read(tmp_path, ["1", "NA", "2"], missing_values=("",))
    assert np.isnan(read(tmp_path, ["1", "-99", "2"], missing_values=("-99",)).X[:, 0]).tolist() == [False, True, False]


def test_a_decimal_comma(tmp_path):
    assert read(tmp_path, ["1,5", "-2", "3e1"], decimal=",").X[:, 0].tolist() == [1.5, -2, 30]
    with pytest.raises(DataError, match=r"got '1\.5'"):
        read(tmp_path, ["1,5", "1.5", "2,5"], decimal=",")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["5", "01220", "3"], ["'x'", "leading zeros ('01220')", "data.columns: {x: category}"]),
        (["5", "12345678901234567890"], ["'x'", "beyond 2^53"]),
        (["5"] * 5000 + ["007"], ["leading zeros ('007')"]),  # below the rows that are looked at first
    ],
)
def test_numbers_that_may_be_codes_are_told(tmp_path, cells, words):
    (note,) = read(tmp_path, cells).notes
    for word in words:
        assert word in note


@pytest.mark.parametrize("cells", [["0", "10", "-3"], ["0.5", "00.5", "1e3"], ["9007199254740992"]])
def test_other_numbers_are_not_told(tmp_path, cells):
    assert read(tmp_path, cells).notes == ()


def test_a_column_can_be_left_out_though_it_has_no_name_or_stands_twice(tmp_path):
    (tmp_path / "t.csv").write_text('"",day,x,day,y\n1,2,3,4,5\n')
    table = read_table(tmp_path / "t.csv", targets=["y"], exclude=["", "day"])
    assert table.kinds == {"x": "number"}
    with pytest.raises(DataError, match=r"no column 'dya'"):
        read_table(tmp_path / "t.csv", targets=["y"], exclude=["dya"])


def test_other_columns_come_as_text_or_as_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("x,w,who,y\n1,0.5,007,5\n2,,b,6\n")
    table = read_table(tmp_path / "t.csv", targets=["y"], others={"w": "number", "who": "text"})
    assert table.inputs == ("x",)
    np.testing.assert_array_equal(table.others["w"], [0.5, NAN])
    assert table.others["who"].written().tolist() == ["007", "b"]
    assert table.rows(np.array([1])).others["who"].written().tolist() == ["b"]


def test_several_files_are_one_table(tmp_path):
    for name, rows in (("b.csv", "3,q\n"), ("a.csv", "1,p\n2,p\n")):
        (tmp_path / name).write_text("x,y\n" + rows)
    table = read_table(str(tmp_path / "*.csv"), targets=["y"], labels=True)
    assert table.X[:, 0].tolist() == [1, 2, 3]
    (tmp_path / "c.csv").write_text("z,y\n3,q\n")
    with pytest.raises(DataError, match=r"c\.csv: its columns"):
        read_table(str(tmp_path / "*.csv"), targets=["y"])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.xlsx", b"PK\x03\x04" + b"x" * 50, "spreadsheet: unpack it, or save it as CSV or Parquet"),
        ("t.csv", b"\x1f\x8b\x08rest", "gzip file: name it .gz"),
        ("t.csv.gz", b"\x1f\x8b\x08rest", "not a whole gzip file"),
        ("t.csv", b"PAR1rest", "name it .parquet"),
        ("t.parquet", b"PAR1rest", "t.parquet: "),
        ("t.json", b"[1, 2", "t.json: "),
        ("t.csv.zst", b"nothing", "not a readable zstd file"),
    ],
)
def test_other_files_are_named_for_what_they_are(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as error:
        read_table(tmp_path / name, targets=["y"])
    assert words in str(error.value)


def test_zstd_is_read(tmp_path):
    import duckdb

    duckdb.sql(f"COPY (SELECT 1.5 AS x, 'p' AS y) TO '{tmp_path}/t.csv.zst' (HEADER, COMPRESSION zstd)")
    table = read_table(tmp_path / "t.csv.zst", targets=["y"], labels=True)
    assert (table.X.tolist(), table.Y.tolist()) == ([[1.5]], [["p"]])


@pytest.mark.parametrize("name", ["t.json.gz", "t.ndjson.zst"])
def test_packed_json_is_read(tmp_path, name):
    import duckdb

    duckdb.sql(f"COPY (SELECT 1.5 AS x, 'p' AS y) TO '{tmp_path}/{name}' (FORMAT json)")
    table = read_table(tmp_path / name, targets=["y"], labels=True)
    assert (table.X.tolist(), table.Y.tolist()) == ([[1.5]], [["p"]])


def test_excel_says_its_delimiter(tmp_path):
    (tmp_path / "t.csv").write_text("sep=;\nx;y\n1,5;p\n2,5;q\n")
    table = read_table(tmp_path / "t.csv", targets=["y"], labels=True, reading=Reading(decimal=","))
    assert table.X[:, 0].tolist() == [1.5, 2.5]


def test_a_comment_above_the_header_is_told_with_the_key(tmp_path):
    (tmp_path / "t.csv").write_text("# made by a tool\nsep=,\nx,y\n1,p\n2,q\n")
    with pytest.raises(DataError, match=r"t\.csv:1: looks like a comment; data\.skip_lines: 1"):
        read_table(tmp_path / "t.csv", targets=["y"], labels=True)
    assert len(read_table(tmp_path / "t.csv", targets=["y"], labels=True, reading=Reading(skip_lines=1))) == 2


@pytest.mark.parametrize("cell", ["-99", " -99", "-99 "])
def test_a_number_that_stands_for_nothing_is_missing_wherever_it_stands(tmp_path, cell):
    table = read(tmp_path, ["1"] * 3000 + [cell], missing_values=("-99",))
    assert np.isnan(table.X[-1, 0])
    assert not np.isnan(table.X[:-1]).any()


def test_a_row_that_is_too_long_is_told_where_a_delimiter_ends_each_row(tmp_path):
    (tmp_path / "t.csv").write_text("x,y,\n" + "1,2,\n" * 5000 + "3,4,5\n")
    with pytest.raises(DataError, match=r"t\.csv:5002: 3 cells, but the header has 2"):
        read_table(tmp_path / "t.csv", targets=["y"])


def test_a_last_column_without_a_name_is_a_column_and_a_delimiter_at_the_end_is_none(tmp_path):
    for header, row in (("a,y,", "1,p,7"), ("a,y,", "1,p,"), ("a,y,", "1,p")):
        (tmp_path / "t.csv").write_text(f"{header}\n{row}\n{row}\n")
        table = read_table(tmp_path / "t.csv", inputs=["a"], targets=["y"], labels=True)
        assert (table.X.tolist(), table.Y.tolist()) == ([[1], [1]], [["p"], ["p"]])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
def test_utf_16_is_read_with_and_without_its_mark_where_the_key_is_set(tmp_path, encoding):
    (tmp_path / "t.csv").write_bytes("a,y\n1,é\n2,q\n".encode(encoding))
    table = read_table(tmp_path / "t.csv", targets=["y"], labels=True, reading=Reading(encoding="utf-16"))
    assert (table.X.tolist(), table.Y.tolist()) == ([[1], [2]], [["é"], ["q"]])

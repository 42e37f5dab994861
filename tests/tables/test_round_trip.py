"""Whatever cells a table has, they are read as they were written, by DuckDB or by Python's csv module."""

import csv
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlp.errors import DataError
from mlp.tables import Reading, read_table

CELL = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
    st.sampled_from(
        ['"', '""', ",", ";", "\n", "\r", "\r\n", " a ", "\t", "'", "\\", "#", "1", "01", "-1e5", "NA", "nan", "\ufeff"]
    ),
)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.booleans(),
)
def test_texts_come_back(tmp_path, rows, delimiter, quoting, end, mark):
    if any("\r" in cell for row in rows for cell in row):
        quoting = csv.QUOTE_ALL  # or the writer would leave it bare
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerow(["one", "two", "n"])
    writer.writerows([*row, k] for k, row in enumerate(rows))
    (tmp_path / "t.csv").write_bytes(text.getvalue().encode("utf-8-sig" if mark else "utf-8"))
    reading = Reading(missing_values=("NA",), delimiter=delimiter)
    kinds = {"one": "category", "two": "category"}
    table = read_table(tmp_path / "t.csv", kinds=kinds, reading=reading)
    assert table.X[:, 0].tolist() == list(range(len(rows)))
    for j, name in enumerate(("one", "two")):
        cells = [row[j].strip() for row in rows]
        assert table.texts[name].written().tolist() == [None if cell == "NA" else cell for cell in cells]


NUMBER = st.one_of(
    st.integers(-(10**18), 10**18).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["", "NA", "+1", "1.", ".5", "-0", "1E5", " 7 ", "nan"]),
    st.sampled_from(["1_0", "0x1", "inf", "1e999", "--1", "1,0", "1d", "٣", "1 2"]),
)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(NUMBER, min_size=1, max_size=6))
def test_numbers_are_those_of_python_or_are_refused(tmp_path, cells):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["x", "y"], *([cell, k] for k, cell in enumerate(cells))])
    (tmp_path / "t.csv").write_text(text.getvalue(), encoding="utf-8")
    wanted, bad = [], False
    for cell in map(str.strip, cells):
        missing = cell.lower() in ("", "na", "nan")
        try:
            number = np.nan if missing else float(cell)
        except ValueError:
            number = np.inf
        bad |= "_" in cell or np.isinf(number)
        wanted.append(number)
    if bad:
        with pytest.raises(DataError, match=r"column 'x'"):
            read_table(tmp_path / "t.csv", targets=["y"], kinds={"x": "number"})
    else:
        table = read_table(tmp_path / "t.csv", targets=["y"], kinds={"x": "number"})
        np.testing.assert_array_equal(table.X[:, 0], wanted)

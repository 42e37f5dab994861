"""How input columns become numbers for the network, and back."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlp.errors import DataError
from mlp.tables.coding import Coding, ColumnOptions, gaps_by_column
from mlp.tables.table import Table, Texts

NAN = float("nan")


def table(numbers=None, texts=None):
    """A table of columns by name: numbers with nan, texts with None."""
    numbers, texts = numbers or {}, texts or {}
    n = len(next(iter((numbers | texts).values())))
    kinds = dict.fromkeys(numbers, "number") | dict.fromkeys(texts, "category")
    X = np.array(list(numbers.values()), float).T.reshape(n, len(numbers))
    return Table("t", kinds, X, {name: Texts.of(column) for name, column in texts.items()}, (), np.empty((n, 0)))


def coded(coding, rows):
    return np.asarray(coding.encode(rows)[:], np.float64)


def test_numbers_are_standardized_over_the_cells_that_are_there():
    train = table({"x": [1, NAN, 3, 8], "y": [2, 2, 4, 4]})
    coding = Coding.fit(train, missing="fill")
    z = coded(coding, train)
    mean, std = 4, np.std([1, 3, 8])
    np.testing.assert_allclose(z[:, 0], (np.array([1, 3, 3, 8]) - mean) / std, rtol=1e-6)  # the median, 3
    np.testing.assert_array_equal(z[:, 1], [-1, -1, 1, 1])
    np.testing.assert_array_equal(z[:, 2], [0, 1, 0, 0])
    assert coding.names == ("x", "y", "x is missing")


def test_the_mean_is_put_where_that_is_asked_for():
    train = table({"x": [1, NAN, 3, 8], "y": [1, NAN, 3, 8]})
    coding = Coding.fit(train, missing="mean", options={"y": ColumnOptions(missing="median")})
    np.testing.assert_array_equal(coding.fill, [4, 3])
    assert coded(coding, train)[1, 0] == 0


@pytest.mark.parametrize("value", [1234567890123456789.0, 1e300, 0.1, -7.0])
def test_a_constant_column_is_exactly_0(value):
    rows = table({"x": [value] * 7, "y": list(range(7))})
    np.testing.assert_array_equal(coded(Coding.fit(rows), rows)[:, 0], 0)


def test_a_constant_with_gaps_is_0_and_its_gaps_have_a_column():
    rows = table({"x": [0.5, NAN, 0.5]})
    np.testing.assert_array_equal(coded(Coding.fit(rows, missing="fill"), rows), [[0, 0], [0, 1], [0, 0]])


def test_zeros_and_ones_stay_as_they_are():
    rare = [1.0] + [0.0] * 19_999
    rows = table({"flag": rare, "twos": [2.0] + [0.0] * 19_999})
    z = coded(Coding.fit(rows, clip="smooth"), rows)
    np.testing.assert_array_equal(z[:, 0], rare)
    assert abs(z[0, 1]) > 2  # which is not a column of 0 and 1


def test_a_smooth_clip_bounds_numbers_and_leaves_small_ones():
    values = [*np.linspace(-1, 1, 999), 1e6]
    rows = table({"x": values, "y": list(range(1000))})
    plain, clipped = coded(Coding.fit(rows), rows), coded(Coding.fit(rows, clip="smooth"), rows)
    np.testing.assert_allclose(clipped, plain / np.sqrt(1 + (plain / 3) ** 2), rtol=1e-5)
    assert np.abs(clipped).max() < 3


def test_three_levels_have_a_column_each_and_gaps_one_more():
    rows = table(texts={"c": ["b", "a", None, "c", "a"]})
    coding = Coding.fit(rows)
    assert coding.names == ("c=a", "c=b", "c=c", "c=(missing)")
    np.testing.assert_array_equal(coded(coding, rows), np.eye(4)[[1, 0, 3, 2, 0]])


def test_two_levels_are_one_column_and_what_is_neither_is_0():
    train = table(texts={"sex": ["f", "m", "f"]})
    coding = Coding.fit(train)
    new = table(texts={"sex": ["m", "f", None, "x"]})
    assert coding.names == ("sex=m",)
    np.testing.assert_array_equal(coded(coding, new)[:, 0], [1, -1, 0, 0])
    assert [note.split(":")[1] for note in coding.news(new)] == [
        " 1 rows have a text that no training row has ('x'), taken as none of the levels",
        " 1 rows have no text, though all training rows have one; taken as none of the levels",
    ]


def test_a_level_that_was_never_seen_is_all_zeros():
    coding = Coding.fit(table(texts={"c": ["a", "b", "c"]}))
    np.testing.assert_array_equal(coded(coding, table(texts={"c": ["z", "c", "0"]})), [[0, 0, 0], [0, 0, 1], [0, 0, 0]])


def test_codes_are_those_of_the_texts_and_not_of_their_order_in_the_new_table():
    coding = Coding.fit(table(texts={"c": ["a", "b", "c"]}))
    new = Table(
        "t", {"c": "category"}, np.empty((2, 0)), {"c": Texts(("b", "zz"), np.array([0, 1]))}, (), np.empty((2, 0))
    )
    np.testing.assert_array_equal(coded(coding, new), [[0, 1, 0], [0, 0, 0]])


def test_rare_levels_go_together_and_new_ones_with_them():
    train = table(texts={"c": ["a"] * 3 + ["b"] * 3 + ["x", "y", "z"]})
    coding = Coding.fit(train, options={"c": ColumnOptions(min_count=2)})
    assert coding.names == ("c=a", "c=b", "c=(rare)")
    new = table(texts={"c": ["a", "x", "new"]})
    np.testing.assert_array_equal(coded(coding, new), np.eye(3)[[0, 2, 2]])
    assert not list(coding.news(new))


def test_numbers_that_are_missing_or_far_off_only_now_are_told():
    coding = Coding.fit(table({"x": [0, 4, 10], "y": [1, 2, 3]}))
    new = table({"x": [NAN, 5, 21], "y": [1, 2, 6]})
    missing, far = *coding.news(new), *coding.far_off(new.X)
    assert missing.startswith("column 'x': 1 rows have no value")
    assert far == (
        "1 of 3 rows are far outside the range of the training rows: 'x' outside 0 to 10 in 1, 'y' outside 1 to 3 in 1"
    )
    assert np.isfinite(coded(coding, new)).all()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (table({"x": [NAN, NAN], "y": [1, 2]}), "no value in the 2 training rows in 'x'"),
        (table({"y": [1, 2]}, {"c": [None, None]}), "column 'c' has no value in the 2 training rows"),
        (table({"y": range(30)}, {"id": [f"n{i}" for i in range(30)]}), "30 distinct texts in 30 training rows"),
        (table(texts={"c": ["a", "a"]}), "no input column has two different values"),
    ],
)
def test_columns_that_say_nothing_are_refused(rows, message):
    with pytest.raises(DataError, match=message):
        Coding.fit(rows, missing="fill")


def test_gaps_are_counted_by_column():
    first, second = table({"x": [1, NAN]}, {"c": ["a", None]}), table({"x": [NAN, 2]}, {"c": ["a", "b"]})
    assert gaps_by_column([first, second]) == {"x": 2, "c": 1}


CELLS = st.one_of(st.none(), st.floats(-1e6, 1e6, width=32))
TEXTS = st.one_of(st.none(), st.sampled_from(["a", "b", "c", "", "0", "é"]))


@settings(deadline=None)
@given(st.data(), st.integers(2, 12), st.sampled_from([None, "smooth"]))
def test_decode_is_the_inverse_of_encode_and_each_row_is_coded_alone(data, n, clip):
    x = [NAN if v is None else v for v in data.draw(st.lists(CELLS, min_size=n, max_size=n))]
    c = data.draw(st.lists(TEXTS, min_size=n, max_size=n))
    rows = table({"x": x, "n": list(range(n))}, {"c": c})
    try:
        coding = Coding.fit(rows, missing="fill", clip=clip)
    except DataError:
        return
    Z = coding.encode(rows)[:]
    X, codes = coding.decode(Z)
    gaps = np.isnan(rows.X)
    np.testing.assert_array_equal(np.isnan(X), gaps)
    far = 1e-5 * coding.stretch(rows.X) * np.maximum(coding.scaler.std, np.abs(coding.scaler.mean))
    assert (np.abs(X - rows.X) <= far)[~gaps].all()
    np.testing.assert_array_equal(codes["c"], coding.codes(rows)["c"])
    for i in range(n):
        np.testing.assert_array_equal(coding.encode(rows.rows(np.array([i])))[:], Z[i : i + 1])
    arrays, header = coding.arrays(), coding.header()
    again = Coding.from_header(arrays, header["columns"], header["clip"])
    np.testing.assert_array_equal(again.encode(rows)[:], Z)
    assert again.names == coding.names


def test_large_tables_are_coded_as_small_ones_are():
    rng = np.random.default_rng(0)
    n = 2**20 // 3
    texts = rng.choice(["a", "b", "c"], n)
    rows = table({"x": rng.normal(size=n)}, {"c": texts.tolist()})
    coding = Coding.fit(rows)
    Z = coding.encode(rows)
    assert not isinstance(Z, np.ndarray)
    few = rng.integers(0, n, 50)
    np.testing.assert_array_equal(Z[few], coding.encode(rows.rows(few))[:])
    assert dataclasses.asdict(coding.categories["c"]) == {"levels": ("a", "b", "c"), "gaps": False, "rare": False}

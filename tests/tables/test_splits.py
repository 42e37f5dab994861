"""Splits by a column: rows that stay together, rows in their order, and parts that a column names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.errors import DataError
from mlp.tables.splitting import split_by_parts, split_groups, split_ordered
from mlp.tables.table import Texts


def cover(parts, n):
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    for part in parts:
        assert (np.diff(part) > 0).all()


@given(st.lists(st.integers(0, 15), min_size=30, max_size=200), st.integers(0, 5))
def test_all_rows_of_a_group_are_in_one_part(groups, seed):
    groups = np.array(groups)
    try:
        parts = split_groups(groups, 0.2, 0.2, np.random.default_rng(seed), column="g")
    except DataError:
        assert len(np.unique(groups)) < 8
        return
    cover(parts, len(groups))
    assert sum(len(np.unique(groups[part])) for part in parts) == len(np.unique(groups))


def test_groups_fill_the_parts_as_nearly_as_they_can():
    groups = np.repeat(np.arange(100), 10)
    train, valid, test = split_groups(groups, 0.15, 0.25, np.random.default_rng(0), column="g")
    assert (len(train), len(valid), len(test)) == (600, 150, 250)
    other = split_groups(groups, 0.15, 0.25, np.random.default_rng(1), column="g")
    assert not np.array_equal(test, other[2])
    without = split_groups(groups, 0.0, 0.25, np.random.default_rng(0), column="g")
    assert [len(part) for part in without] == [750, 0, 250]


@given(st.lists(st.floats(-5, 5), min_size=20, max_size=100, unique=True))
def test_the_last_are_tested_on(values):
    values = np.array(values)
    parts = split_ordered(values, 0.2, 0.3, column="t")
    cover(parts, len(values))
    train, valid, test = parts
    assert values[train].max() < values[valid].min()
    assert values[valid].max() < values[test].min()
    assert abs(len(test) - 0.3 * len(values)) <= 1


def test_equal_times_stay_together():
    values = np.repeat([3, 1, 2], [10, 50, 40])
    train, valid, test = split_ordered(values, 0.4, 0.05, column="t")
    assert [set(values[part].tolist()) for part in (train, valid, test)] == [{1}, {2}, {3}]


@pytest.mark.parametrize(
    "split", [split_ordered, lambda *args, **options: split_groups(*args, np.random.default_rng(0), **options)]
)
def test_too_few_groups_or_times_are_told(split):
    with pytest.raises(DataError, match="too few for a train set"):
        split(np.zeros(10, int), 0.2, 0.2, column="'t'")


def test_the_parts_that_a_column_names():
    column = Texts.of(["train", "test", "valid", "train", "val", "training"])
    assert [part.tolist() for part in split_by_parts(column, "part", None, None)] == [[0, 3, 5], [2, 4], [1]]
    folds = Texts.of(["0", "1", "2", "0", "1"])
    assert [part.tolist() for part in split_by_parts(folds, "fold", "0", "2")] == [[1, 4], [0, 3], [2]]
    assert [part.tolist() for part in split_by_parts(folds, "fold", None, "1")] == [[0, 2, 3], [], [1, 4]]


@pytest.mark.parametrize(
    ("cells", "options", "words"),
    [
        (["train", None], (None, None), "1 rows have no value"),
        (["0", "1"], (None, None), "holds '0', '1', expected train, valid and test.*test_part: 1"),
        (["0", "1"], (None, "7"), "no '7' in column 'part', only '0', '1'"),
        (["test", "valid"], (None, None), "leaves no rows for training"),
    ],
)
def test_parts_that_cannot_be_are_told(cells, options, words):
    with pytest.raises(DataError, match=words):
        split_by_parts(Texts.of(cells), "part", *options)

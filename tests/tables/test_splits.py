"""Splits by a column: rows that stay together, rows in their order, and parts that a column names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.errors import DataError
from mlp.tables.splitting import split_by_parts, split_groups, split_ordered, split_rows
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


@pytest.mark.parametrize("method", ["stratified", "shuffled", "file_order"])
@pytest.mark.parametrize(("n", "count", "test"), [(60, 5, 0.2), (61, 3, 0.2), (23, 4, 0.0)])
def test_folds_share_the_test_rows_and_each_row_is_validated_once(method, n, count, test):
    labels = np.arange(n)[:, None] % 3
    folds = [
        split_rows(n, 0, test, method=method, rng=np.random.default_rng(7), labels=labels, fold=(k, count))
        for k in range(1, count + 1)
    ]
    whole = split_rows(n, 0, test, method=method, rng=np.random.default_rng(7), labels=labels)
    for train, valid, tested in folds:
        cover([train, valid, tested], n)
        assert np.array_equal(tested, whole[2])
    validated = [valid for _, valid, _ in folds]
    assert sorted(np.concatenate(validated).tolist()) == whole[0].tolist()
    assert max(map(len, validated)) - min(map(len, validated)) <= 1
    if method == "stratified":
        shares = [np.bincount(labels[valid, 0], minlength=3) for valid in validated]
        assert np.ptp(shares, axis=0).max() <= 2


def test_folds_keep_groups_together():
    groups = np.random.default_rng(0).integers(40, size=300)
    folds = [split_groups(groups, 0, 0.2, np.random.default_rng(7), column="g", fold=(k, 4)) for k in range(1, 5)]
    for train, valid, test in folds:
        cover([train, valid, test], 300)
        assert not {*groups[train]} & {*groups[valid]}
        assert np.array_equal(test, folds[0][2])
        assert 30 < len(valid) < 90
    assert sum(len(valid) for _, valid, _ in folds) == 300 - len(folds[0][2])


def test_more_folds_than_rows_are_refused():
    with pytest.raises(DataError, match="leaves 0 of 3 rows for valid"):
        split_rows(3, 0, 0, method="shuffled", rng=np.random.default_rng(0), fold=(1, 5))
    with pytest.raises(DataError, match="too few for a valid set"):
        split_groups(np.array([0, 0, 1]), 0, 0, np.random.default_rng(0), column="g", fold=(3, 5))

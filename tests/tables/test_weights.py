"""Weights of rows from a column and from classes: normalized over the training rows, or refused."""

import numpy as np
import pytest

from mlp.errors import DataError
from mlp.tables.columns import one_hot
from mlp.tables.table import Rows
from mlp.tables.weights import row_weights

LABELS = {"kind": ("a", "b", "Cé")}
CODES = {"train": np.array([0, 0, 0, 1, 1, 2]), "valid": np.array([2, 0])}
Y = {split: one_hot(codes, 3) for split, codes in CODES.items()}


def of_column(train, valid=(1.0, 1.0)):
    written = {"train": np.array(train), "valid": np.array(valid)}
    return row_weights(Y, labels=LABELS, column="w {of} row", written=written)


def of_classes(spec):
    return row_weights(Y, labels=LABELS, class_weight=spec)


def test_a_column_has_mean_1_over_the_training_rows_and_all_splits_the_same_factor():
    found = of_column([1, 2, 3, 0, 0, 6], [4, 0])
    np.testing.assert_allclose(found["train"], [0.5, 1, 1.5, 0, 0, 3], rtol=1e-15)
    np.testing.assert_allclose(found["valid"], [2, 0], rtol=1e-15)
    huge = of_column([1e308, 1e308, 1e308, 0, 0, 0])
    np.testing.assert_allclose(huge["train"], [2, 2, 2, 0, 0, 0], rtol=1e-15)


@pytest.mark.parametrize("value", [1.0, 0.1, 7, 1e-300, 1e308])
def test_equal_weights_are_none_at_all(value):
    assert of_column([value] * 6, [value] * 2) == {"train": None, "valid": None}
    assert of_classes(dict.fromkeys(("a", "b", "Cé"), value)) == {"train": None, "valid": None}
    found = of_column([value] * 6, [value, 0])
    assert found["train"] is None
    assert found["valid"].tolist() == [1, 0]


def test_without_column_and_classes_no_row_has_a_weight():
    assert row_weights(Y, labels=LABELS) == {"train": None, "valid": None}


def test_balanced_classes_weigh_the_same_in_all():
    found = of_classes("balanced")
    np.testing.assert_allclose(found["train"], [6 / 9] * 3 + [1] * 2 + [2], rtol=1e-15)
    np.testing.assert_allclose(found["valid"], [2, 6 / 9], rtol=1e-15)
    assert row_weights({"train": Y["train"][[0, 3, 5]]}, labels=LABELS, class_weight="balanced") == {"train": None}


def test_classes_by_their_labels_and_the_others_weigh_1():
    found = of_classes({"Cé": 3, "a": 0})
    np.testing.assert_allclose(found["train"], np.array([0, 0, 0, 1, 1, 3]) * 6 / 5, rtol=1e-15)
    np.testing.assert_allclose(found["valid"], np.array([3, 0]) * 6 / 5, rtol=1e-15)


@pytest.mark.parametrize("column", [None, "w"])
def test_only_the_shares_of_the_classes_count(column):
    """To the last bit, also where a column of many digits is multiplied."""
    rng = np.random.default_rng(0)
    rows, written = {"train": one_hot(rng.integers(3, size=300), 3)}, {"train": rng.uniform(size=300)}
    small, large = (
        row_weights(rows, labels=LABELS, column=column, written=written, class_weight=spec)
        for spec in ({"a": 1, "b": 10, "Cé": 3}, {"a": 100, "b": 1000, "Cé": 300})
    )
    assert np.array_equal(small["train"], large["train"])


def test_column_and_classes_are_multiplied_and_normalized_once():
    column = {"train": np.array([1.0, 2, 3, 4, 5, 6]), "valid": np.array([7.0, 8])}
    found = row_weights(Y, labels=LABELS, column="w", written=column, class_weight={"b": 2})
    product = np.array([1, 2, 3, 8, 10, 6])
    np.testing.assert_allclose(found["train"], product / product.mean(), rtol=1e-14)
    np.testing.assert_allclose(found["valid"], np.array([7, 8]) / product.mean(), rtol=1e-14)
    assert column["train"].tolist() == [1, 2, 3, 4, 5, 6]


def test_one_output_for_two_classes_and_rows_that_are_made_when_asked_for():
    yes = np.array([[0], [1], [0], [0]], np.float32)
    lazy = Rows((4, 1), np.float32, lambda rows: yes[rows])
    for Y in (yes, lazy):
        found = row_weights({"train": Y}, labels={"died": ("no", "yes")}, class_weight="balanced")
        np.testing.assert_allclose(found["train"], [2 / 3, 2, 2 / 3, 2 / 3], rtol=1e-15)


@pytest.mark.parametrize(
    ("train", "valid", "words"),
    [
        ([1, np.nan, 1, np.nan, 1, 1], [1, 1], "2 of 6 train rows have no weight; fill them"),
        ([1] * 6, [np.nan, 1], "1 of 2 valid rows have no weight"),
        ([1, 1, -2, -1, 1, 1], [1, 1], "expected finite numbers of 0 or more, got -2, in 2 of 6 train rows"),
        ([1, 1, 1, 1, 1, np.inf], [1, 1], "got inf, in 1 of 6 train rows"),
        ([0] * 6, [1, 1], "is zero in all 6 train rows; some must have more"),
        ([1] * 6, [0, 0], "is zero in all 2 valid rows"),
    ],
    ids=["missing", "missing elsewhere", "negative", "infinite", "all 0", "all 0 elsewhere"],
)
def test_columns_that_hold_no_weights_are_refused_with_their_name_and_a_count(train, valid, words):
    with pytest.raises(DataError) as error:
        of_column(np.array(train, float), valid)
    assert str(error.value).startswith("data.weight 'w {of} row': ")
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"A": 2}, "no label 'A' of target 'kind', whose labels are 'a', 'b', 'Cé'; did you mean 'a'?"),
        ({"cé": 2, "b": 1}, "did you mean 'Cé'?"),
        ({"quite another": 2}, "whose labels are 'a', 'b', 'Cé'"),
        ({"a": -1}, "'a': expected a number of 0 or more, got -1"),
        ({"b": np.inf}, "'b': expected a number of 0 or more, got inf"),
        ({"b": np.nan}, "got nan"),
        ({"a": 0, "b": 0, "Cé": 0}, "is 0 for all 3 classes"),
    ],
)
def test_class_weights_that_cannot_work_are_refused(spec, words):
    with pytest.raises(DataError) as error:
        of_classes(spec)
    assert str(error.value).startswith("loss.class_weight: ")
    assert words in str(error.value)
    if "quite another" in spec:
        assert "did you mean" not in str(error.value)


def test_a_product_that_is_0_in_all_rows_is_refused():
    written = {"train": np.array([1.0, 1, 1, 0, 0, 0]), "valid": np.ones(2)}
    with pytest.raises(DataError, match=r"data\.weight 'w' times loss.class_weight: is zero in all 6 train rows"):
        row_weights(Y, labels=LABELS, column="w", written=written, class_weight={"a": 0})
    with pytest.raises(DataError, match=r"loss\.class_weight: is zero in all 2 valid rows"):
        of_classes({"a": 0, "Cé": 0})


@pytest.mark.parametrize("spec", ["balanced", {"a": 2}])
def test_class_weights_need_one_column_of_classes(spec):
    several, none = {"one": ("a", "b"), "two": ("a", "b")}, {}
    with pytest.raises(DataError, match="of one target column, but the target has 2 columns of classes; leave it out"):
        row_weights({"train": np.eye(2)}, labels=several, class_weight=spec)
    with pytest.raises(DataError, match="but the target is not one of classes; leave it out"):
        row_weights({"train": np.eye(2)}, labels=none, class_weight=spec)

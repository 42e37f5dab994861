"""Splitting, standardizing, class labels, target codings and metrics, against small cases worked out by hand."""

import numpy as np
import pytest

from mlp.errors import DataError
from mlp.metrics import accuracy, binary_accuracy, confusion_matrix, mae, r2, rmse
from mlp.tables.columns import Scaler, distinct_labels, label_codes
from mlp.tables.numbers import RegressionTarget
from mlp.tables.splitting import distinct_rows, split_rows
from mlp.tables.target import OtherKind
from mlp.tables.targets import MulticlassTarget, MultilabelTarget

METHODS = ["stratified", "shuffled", "file_order"]


def split(n, valid, test, method="shuffled", seed=0, labels=None):
    labels = np.array([["a"], ["b"]])[np.arange(n) % 2] if labels is None else labels
    return split_rows(n, valid, test, method=method, rng=np.random.default_rng(seed), labels=labels)


# Splits


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("n", "valid", "test", "sizes"),
    [
        (10, 0, 0, (10, 0, 0)),
        (10, 0.2, 0.3, (5, 2, 3)),
        (10, 0, 0.3, (7, 0, 3)),
        (10, 0.16, 0.14, (7, 2, 1)),
        (1797, 0.15, 0.15, (1257, 270, 270)),  # 269.55 rows each
        (3, 0.4, 0.4, (1, 1, 1)),
        (1, 0, 0, (1, 0, 0)),
    ],
)
def test_sets_are_disjoint_complete_in_file_order_and_of_the_right_size(method, n, valid, test, sizes):
    parts = split(n, valid, test, method)
    assert tuple(len(part) for part in parts) == sizes
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(n))
    for part in parts:
        assert np.array_equal(part, np.sort(part))


def test_file_order_takes_training_then_validation_then_test():
    train, valid, test = split(10, 0.2, 0.3, "file_order")
    assert train.tolist() == [0, 1, 2, 3, 4]
    assert valid.tolist() == [5, 6]
    assert test.tolist() == [7, 8, 9]


@pytest.mark.parametrize("method", METHODS)
def test_one_seed_is_one_split_and_another_seed_is_another(method):
    one, again, other = (split(100, 0.2, 0.2, method, seed) for seed in (1, 1, 2))
    for a, b, c in zip(one, again, other, strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(a, c) == (method == "file_order")


def test_shuffled_splits_put_every_row_everywhere_equally_often():
    test_rows = np.concatenate([split(10, 0.2, 0.3, seed=seed)[2] for seed in range(2000)])
    counts = np.bincount(test_rows, minlength=10)  # each binomial(2000, 0.3): 600, give or take 20.5
    assert counts.sum() == 6000
    assert np.abs(counts - 600).max() < 5 * 20.5


CLASS_SIZES = {
    "iris": [50, 50, 50],
    "digits": [178, 182, 177, 183, 181, 182, 181, 179, 174, 180],
    "unequal": [90, 10],
    "tiny": [7, 3, 2],
    "one row": [99, 1],
    "many small": [3] * 30,
    "one large, five small": [300] + [8] * 5,
    "one large, fifteen small": [1000] + [7] * 15,
    "one large, fifty of two": [100] + [2] * 50,
}


@pytest.mark.parametrize("sizes", CLASS_SIZES.values(), ids=CLASS_SIZES)
@pytest.mark.parametrize(("valid", "test"), [(0.15, 0.15), (0.2, 0.1), (0.1, 0), (0, 0.25)])
def test_stratified_sets_hold_each_class_within_a_row_of_what_is_due(sizes, valid, test):
    n = sum(sizes)
    for seed in range(5):
        classes = np.random.default_rng(seed + 100).permutation(np.repeat(np.arange(len(sizes)), sizes))
        for part in split(n, valid, test, "stratified", seed, classes.astype(str)[:, None]):
            due = np.array(sizes) * len(part) / n
            found = np.bincount(classes[part], minlength=len(sizes))
            assert np.abs(found - due).max() <= 1 + 1e-9


def test_stratified_counts_the_combinations_of_several_target_columns():
    labels = np.array([["0", "0"], ["0", "1"], ["1", "0"], ["1", "1"]])[np.arange(80) % 4]
    for part in split(80, 0.2, 0.3, "stratified", labels=labels):
        _, counts = np.unique(labels[part], axis=0, return_counts=True)
        assert counts.tolist() == [len(part) / 4] * 4


@pytest.mark.parametrize("K", [1, 2, 3])
def test_distinct_rows_are_numbered_in_sorted_order(K):
    labels = np.random.default_rng(0).integers(0, 12, size=(500, K)).astype(str)
    _, wanted = np.unique(labels, axis=0, return_inverse=True)
    assert np.array_equal(distinct_rows(labels), wanted.reshape(-1))


def test_a_stratified_split_draws_the_rows_of_a_class():
    labels = np.repeat(["a", "b"], 50)[:, None]
    seen = np.concatenate([split(100, 0, 0.2, "stratified", seed, labels)[2] for seed in range(200)])
    assert np.array_equal(np.unique(seen), np.arange(100))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("n", "valid", "test", "empty"),
    [(4, 0.1, 0, "valid"), (4, 0, 0.1, "test"), (2, 0.4, 0.5, "train"), (0, 0, 0, "train"), (1, 0.2, 0.2, "valid")],
)
def test_a_set_without_rows_is_refused(method, n, valid, test, empty):  # 46
    with pytest.raises(DataError, match=rf"0 of {n} rows for {empty}"):
        split(n, valid, test, method)


# Standardization


def test_mean_and_standard_deviation_by_hand():
    scaler = Scaler.fit(np.array([[1.0, -10], [3, 30], [5, 10], [7, 10]]), ["a", "b"])
    assert scaler.mean.tolist() == [4, 10]
    np.testing.assert_allclose(scaler.std, [np.sqrt(5), np.sqrt(200)], rtol=1e-15)
    Z = scaler.transform(np.array([[4.0, 10], [4 + np.sqrt(5), -10]]), np.float64)
    np.testing.assert_allclose(Z, [[0, 0], [1, -np.sqrt(2)]], rtol=1e-15)


def test_other_rows_are_scaled_by_the_statistics_of_the_training_rows():  # 47
    train, test = np.array([[0.0], [2]]), np.array([[100.0], [200]])
    scaler = Scaler.fit(train, ["a"])
    kept = scaler.mean.copy(), scaler.std.copy()
    assert scaler.transform(test).tolist() == [[99], [199]]
    assert np.array_equal((scaler.mean, scaler.std), kept)


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e8, 1e300, 1e-300])  # 45
def test_scaled_columns_have_mean_0_and_deviation_1_and_come_back(unit):
    X = unit * np.random.default_rng(0).normal(3, 2, size=(200, 3))
    scaler = Scaler.fit(X, ["a", "b", "c"])
    Z = scaler.transform(X, np.float64)
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose(Z.std(axis=0), 1, rtol=1e-13)
    np.testing.assert_allclose(scaler.inverse(Z), X, rtol=1e-12)
    assert scaler.transform(X).dtype == np.float32
    np.testing.assert_allclose(scaler.inverse(scaler.transform(X)), X, rtol=0, atol=1e-6 * np.abs(X).max())


def test_a_large_offset_does_not_drown_small_differences():
    X = 1e9 + np.array([[0.0], [1], [2]])
    scaler = Scaler.fit(X, ["a"])
    np.testing.assert_allclose(scaler.transform(X, np.float64), np.array([[-1], [0], [1]]) * np.sqrt(1.5), rtol=1e-12)


@pytest.mark.parametrize("constant", [0.0, 0.1, -3, 1e300, 1e-300])  # 44
@pytest.mark.parametrize("n", [1, 3, 10])
def test_constant_columns_become_0_and_come_back(constant, n):
    X = np.full((n, 1), constant)
    scaler = Scaler.fit(X, ["a"])
    assert scaler.std.tolist() == [1]
    np.testing.assert_allclose(scaler.transform(X, np.float64), 0, atol=1e-15 * max(1, abs(constant)))
    np.testing.assert_allclose(scaler.inverse(scaler.transform(X, np.float64)), X, rtol=1e-15)


@pytest.mark.parametrize("dtype", ["?", "i8", "u1", "f4"])  # 48
def test_columns_of_any_number_type_are_scaled_in_double_precision(dtype):
    X = np.array([[0], [1], [1], [0], [1]]).astype(dtype)
    scaler = Scaler.fit(X, ["a"])
    assert scaler.mean.dtype == scaler.std.dtype == np.float64
    np.testing.assert_allclose([scaler.mean[0], scaler.std[0]], [0.6, np.sqrt(0.24)], rtol=1e-15)
    assert scaler.transform(X).dtype == np.float32


def test_what_overflows_is_refused_with_the_column_and_its_size():  # 45
    X = np.array([[1.0, 1.7e308], [2, 1.7e308], [3, -1.7e308]])
    with pytest.raises(DataError, match=r"'wide' \(up to 1.7e\+308\): rescale") as error:
        Scaler.fit(X, ["narrow", "wide"])
    assert "narrow" not in str(error.value)


def test_the_identity_changes_nothing():
    X = np.random.default_rng(0).normal(size=(5, 2))
    assert np.array_equal(Scaler.identity(2).transform(X, np.float64), X)
    assert np.array_equal(Scaler.identity(2).inverse(X), X)


# Labels


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        (["10", "9", "2", "10"], ("2", "9", "10")),  # numbers in numeric order
        (["0", "7", "5"], ("0", "5", "7")),  # gaps
        (["1", "-1", "1"], ("-1", "1")),
        (["2.0", "10.0", "-3.0"], ("-3.0", "2.0", "10.0")),
        (["010", "9", "2"], ("2", "9", "010")),
        (["1e3", "20"], ("20", "1e3")),
        (["pear", "apple", "Quince"], ("Quince", "apple", "pear")),  # text in alphabetical order (of code points)
        (["10", "9", "x"], ("10", "9", "x")),
        (["2.5", "a"], ("2.5", "a")),
        (["1.0", "01", "1", "0.5"], ("0.5", "01", "1", "1.0")),  # numbers are in order too, and texts stay different
        (["b\nc", "b", "é"], ("b", "b\nc", "é")),
    ],
)
def test_labels_are_kept_as_written_and_ordered(written, labels):  # 42
    found = distinct_labels("y", np.array(written))
    assert found == labels
    codes = label_codes("y", found, np.array(written), "training")
    assert [labels[code] for code in codes] == written


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (["a", "a", "a"], ["'y'", "only one class", "'a'"]),  # 43
    ],
)
def test_labels_that_cannot_be_classes_are_refused(written, words):
    with pytest.raises(DataError) as error:
        distinct_labels("y", np.array(written))
    for word in words:
        assert word in str(error.value)


def test_targets_that_need_another_kind_are_refused_with_its_name():
    written = np.array([["a", "u"], ["b", "v"], ["c", "u"]])
    with pytest.raises(OtherKind, match=r"'x': 3 classes .*each column of a multilabel target has 2") as error:
        MultilabelTarget.fit(["x", "y"], written)
    assert error.value.kind == "multiclass"
    with pytest.raises(OtherKind, match=r"2 target columns, but a multiclass target is one column") as error:
        MulticlassTarget.fit(["x", "y"], written)
    assert error.value.kind == "multilabel"


def test_unknown_labels_are_named_with_where_they_are_and_what_is_known():  # 43
    with pytest.raises(DataError) as error:
        label_codes("y", ("a", "b"), np.array(["b", "d", "c", "d"]), "test")
    for word in ("'y'", "'c', 'd'", "test", "training", "'a', 'b'"):
        assert word in str(error.value)


# Target codings


def test_a_multiclass_target_by_hand():
    target = MulticlassTarget.fit(["fruit"], np.array([["pear"], ["apple"], ["pear"], ["fig"]]))
    assert (target.size, target.names) == (3, ("fruit",))
    Y = target.encode(np.array([["fig"], ["apple"], ["pear"], ["pear"]]), "test")
    assert Y.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert Y.dtype == np.float32
    P = np.array([[0.1, 0.2, 0.5, 0.0], [0.7, 0.3, 0.1, 0.4], [0.2, 0.5, 0.4, 0.6]])
    found = target.predictions(P)
    assert list(found) == ["fruit", "probability_apple", "probability_fig", "probability_pear"]
    assert found["fruit"].tolist() == ["fig", "pear", "apple", "pear"]
    assert np.array_equal(found["probability_pear"], P[2])
    assert {name: metric(P, Y.T) for name, metric in target.metrics().items()} == {"accuracy": 0.5}
    assert target.labels == {"fruit": ("apple", "fig", "pear")}
    assert target.confusion(P, Y.T)["fruit"].tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 1]]


def test_a_multilabel_target_of_one_column_by_hand():
    target = MultilabelTarget.fit(["ill"], np.array([["yes"], ["no"], ["no"]]))
    assert (target.size, target.names) == (1, ("ill",))
    Y = target.encode(np.array([["yes"], ["no"], ["yes"], ["no"]]), "test")
    assert Y.tolist() == [[1], [0], [1], [0]]
    assert Y.dtype == np.float32
    P = np.array([[0.9, 0.2, 0.4, 0.6]])
    found = target.predictions(P)
    assert list(found) == ["ill", "probability_yes"]
    assert found["ill"].tolist() == ["yes", "no", "no", "yes"]
    assert np.array_equal(found["probability_yes"], P[0])
    assert {name: metric(P, Y.T) for name, metric in target.metrics().items()} == {"accuracy": 0.5}
    assert target.labels == {"ill": ("no", "yes")}
    assert target.confusion(P, Y.T)["ill"].tolist() == [[1, 1], [1, 1]]


def test_a_probability_of_one_half_is_the_same_class_in_predictions_accuracy_and_confusion():
    target = MultilabelTarget({"y": ("no", "yes")})
    P, Y = np.array([[0.5]]), np.array([[1.0]])
    assert target.predictions(P)["y"].tolist() == ["yes"]
    assert target.metrics()["accuracy"](P, Y) == 1
    assert target.confusion(P, Y)["y"].tolist() == [[0, 0], [0, 1]]


def test_a_multilabel_target_of_several_columns_by_hand():
    written = np.array([["0", "b"], ["1", "a"], ["1", "b"]])
    target = MultilabelTarget.fit(["u", "v"], written)
    assert (target.size, target.names) == (2, ("u", "v"))
    Y = target.encode(written, "test")
    assert Y.tolist() == [[0, 1], [1, 0], [1, 1]]
    P = np.array([[0.1, 0.8, 0.3], [0.6, 0.7, 0.9]])
    found = target.predictions(P)
    assert list(found) == ["u", "v", "probability_u_1", "probability_v_b"]
    assert found["u"].tolist() == ["0", "1", "0"]
    assert found["v"].tolist() == ["b", "b", "b"]
    assert np.array_equal(found["probability_v_b"], P[1])
    assert target.metrics()["cell_accuracy"](P, Y.T) == pytest.approx(4 / 6)
    confusion = target.confusion(P, Y.T)
    assert confusion["u"].tolist() == [[1, 0], [1, 1]]
    assert confusion["v"].tolist() == [[0, 1], [0, 2]]


def test_a_regression_target_of_one_column_by_hand():
    target = RegressionTarget.fit(["price"], np.array([[8.0], [12], [8], [12]]))
    assert (target.size, target.names) == (1, ("price",))
    assert (target.scaler.mean.tolist(), target.scaler.std.tolist()) == ([10], [2])
    Y = target.encode(np.array([[11.0], [8]]), "test")
    assert Y.tolist() == [[0.5], [-1]]
    assert Y.dtype == np.float32
    P = np.array([[0.0, 1]])  # 10 and 12, where 11 and 8 are right
    assert target.predictions(P)["price"].tolist() == [10, 12]
    scores = {name: metric(P, Y.T) for name, metric in target.metrics().items()}
    assert scores == pytest.approx({"rmse": np.sqrt((1 + 16) / 2), "mae": 2.5, "r2": 1 - 17 / 4.5})
    assert target.confusion(P, Y.T) == {}


def test_a_regression_target_of_several_columns_by_hand():
    target = RegressionTarget.fit(["p", "q"], np.array([[8.0, 100], [12, 300]]))
    Y = target.encode(np.array([[10.0, 100], [12, 300]]), "test")
    P = np.array([[1, 1], [0, 0.5]], dtype=np.float32)  # p: 12, 12; q: 200, 250
    assert {name: column.tolist() for name, column in target.predictions(P).items()} == {"p": [12, 12], "q": [200, 250]}
    scores = {name: metric(P, Y.T) for name, metric in target.metrics().items()}
    wanted = {"rmse_p": np.sqrt(2), "mae_p": 1, "r2_p": 1 - 4 / 2}
    wanted |= {"rmse_q": np.sqrt(12500 / 2), "mae_q": 75, "r2_q": 1 - 12500 / 20000}
    assert scores == pytest.approx(wanted)


def test_numbers_may_be_left_as_they_are():
    target = RegressionTarget.fit(["p"], np.array([[8.0], [12]]), standardize=False)
    assert target.encode(np.array([[11.0]]), "test").tolist() == [[11]]
    assert target.predictions(np.array([[11.0]]))["p"].tolist() == [11]


@pytest.mark.parametrize("unit", [1e300, 1e-300])  # 45
def test_metrics_are_right_in_any_unit(unit):
    target = RegressionTarget.fit(["p"], unit * np.array([[8.0], [12], [8], [12]]))
    Y = target.encode(unit * np.array([[11.0], [8]]), "test")
    scores = {name: metric(np.array([[0.0, 1]]), Y.T) for name, metric in target.metrics().items()}
    assert scores["rmse"] / unit == pytest.approx(np.sqrt(17 / 2))
    assert scores["mae"] / unit == pytest.approx(2.5)
    assert scores["r2"] == pytest.approx(1 - 17 / 4.5)


# Metrics


def test_accuracy_by_hand():
    Y = np.eye(3)[:, [0, 1, 2, 2]]
    P = np.array([[0.8, 0.1, 0.3, 0.0], [0.1, 0.2, 0.4, 0.1], [0.1, 0.7, 0.3, 0.9]])
    assert accuracy(P, Y) == 0.5
    assert accuracy(Y, Y) == 1
    assert accuracy(np.full((3, 4), 1 / 3), Y) == 0.25  # ties go to the first row


def test_binary_accuracy_by_hand():
    Y = np.array([[0, 1, 1], [1, 0, 0]])
    P = np.array([[0.4, 0.5, 0.3], [0.9, 0.1, 0.6]])
    assert binary_accuracy(P, Y) == pytest.approx(4 / 6)
    assert binary_accuracy(Y, Y) == 1


def test_rmse_and_mae_by_hand():
    P, Y = np.array([[1.0, 2], [3, 4]]), np.array([[1.0, 4], [0, 4]])
    assert rmse(P, Y) == pytest.approx(np.sqrt((4 + 9) / 4))
    assert mae(P, Y) == pytest.approx((2 + 3) / 4)
    assert rmse(Y, Y) == mae(Y, Y) == 0


def test_r2_by_hand():
    Y = np.array([[1.0, 2, 3, 6]])  # mean 3, sum of squares 4 + 1 + 0 + 9 = 14
    assert r2(Y, Y) == 1
    assert r2(np.full((1, 4), 3.0), Y) == 0
    assert r2(np.array([[1.0, 2, 3, 4]]), Y) == pytest.approx(1 - 4 / 14)
    assert r2(np.array([[9.0, 2, 3, 6]]), Y) == pytest.approx(1 - 64 / 14)
    two = np.concatenate([Y, [[0.0, 0, 1, 1]]])
    assert r2(np.array([[1.0, 2, 3, 4], [0.5] * 4]), two) == pytest.approx((1 - 4 / 14 + 0) / 2)
    assert np.isnan(r2(Y, np.full((1, 4), 3.0)))


def test_confusion_matrix_by_hand():
    Y = np.eye(3)[:, [0, 0, 1, 2, 2, 2]]
    P = np.eye(3)[:, [0, 1, 1, 0, 2, 2]]
    counts = confusion_matrix(P, Y)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    assert counts.dtype.kind == "i"
    assert np.trace(counts) / counts.sum() == pytest.approx(accuracy(P, Y))


def test_a_class_that_is_never_right_nor_predicted_keeps_its_row_and_column():
    Y = np.eye(4)[:, [0, 1]]
    assert confusion_matrix(Y, Y).tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]

"""Scores of classes, of two-class probabilities and of constants, against slow sums over pairs and thresholds."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from mlp.cli.commands import cli
from mlp.metrics import average_precision, balanced_accuracy, class_scores, count_pairs, roc_auc, row_accuracy
from mlp.tables.columns import Scaler
from mlp.tables.targets import MulticlassTarget, MultilabelTarget, RegressionTarget

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30)


def apart(pairs):
    scores, positive = np.array(pairs, float).T
    return scores / 4, positive.astype(bool)


@given(PAIRS)
def test_the_area_under_the_curve_is_the_share_of_pairs_in_order(pairs):
    scores, positive = apart(pairs)
    wins = [(p > n) + (p == n) / 2 for p in scores[positive] for n in scores[~positive]]
    assert roc_auc(scores, positive) == pytest.approx(np.mean(wins) if wins else np.nan, nan_ok=True)


@given(PAIRS)
def test_average_precision_sums_over_thresholds(pairs):
    scores, positive = apart(pairs)
    if not positive.any():
        assert np.isnan(average_precision(scores, positive))
        return
    total, before = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        taken = scores >= threshold
        recall = (taken & positive).sum() / positive.sum()
        total += (recall - before) * (taken & positive).sum() / taken.sum()
        before = recall
    assert average_precision(scores, positive) == pytest.approx(total)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_precision_recall_and_f1_of_each_class(pairs):
    true, decided = np.array(pairs).T
    counts = count_pairs(true, decided, 3)
    recalls = []
    for k, (precision, recall, f1) in enumerate(zip(*class_scores(counts), strict=True)):
        right = ((true == k) & (decided == k)).sum()
        assert precision == pytest.approx(right / (decided == k).sum() if (decided == k).any() else np.nan, nan_ok=True)
        assert recall == pytest.approx(right / (true == k).sum() if (true == k).any() else np.nan, nan_ok=True)
        if precision + recall > 0:
            assert f1 == pytest.approx(2 * precision * recall / (precision + recall))
        recalls += [recall] if (true == k).any() else []
    assert balanced_accuracy(counts) == pytest.approx(np.mean(recalls))


def test_values_of_others():
    """Those of scikit-learn 1.7 for its own example of both functions."""
    scores, positive = np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])
    assert roc_auc(scores, positive) == 0.75
    assert average_precision(scores, positive) == pytest.approx(0.8333333333333333)


def test_the_report_of_classes_and_of_numbers():
    target = MulticlassTarget({"y": ("a", "b", "c")})
    P = np.array([[0.7, 0.2, 0.5, 0.0], [0.2, 0.5, 0.3, 1.0], [0.1, 0.3, 0.2, 0.0]])
    Y = np.eye(3)[:, [0, 1, 1, 1]]
    report = target.reports(target.evidence(P, Y))["y"]
    assert report.scores == {
        "balanced_accuracy": pytest.approx((1 + 2 / 3) / 2),
        "log_loss": pytest.approx(-np.log([0.7, 0.5, 0.3, 1.0]).mean()),
    }
    assert report.always == ("b", {"accuracy": 0.75})
    assert report.classes["b"] == {
        "precision": 1.0,
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(0.8),
        "rows": 3,
    }
    assert np.isnan(report.classes["c"]["recall"])
    numbers = RegressionTarget(("p",), Scaler(np.array([10.0]), np.array([2.0])))
    report = numbers.reports(numbers.evidence(np.zeros((1, 3)), np.array([[-1.0, 0, 1]])))["p"]
    assert report.always == (
        "the mean of these rows, 10",
        {"rmse": pytest.approx(np.sqrt(8 / 3)), "mae": pytest.approx(4 / 3)},
    )


def test_two_classes_are_scored_alike_by_both_losses():
    p, true = np.array([0.9, 0.4, 0.6, 0.2]), np.array([1.0, 1, 0, 0])
    softmax, logistic = MulticlassTarget({"y": ("no", "yes")}), MultilabelTarget({"y": ("no", "yes")})
    one = softmax.reports(softmax.evidence(np.stack([1 - p, p]), np.stack([1 - true, true])))["y"]
    other = logistic.reports(logistic.evidence(p[None], true[None]))["y"]
    assert one == other
    assert one.scores["roc_auc"] == 0.75


def test_several_columns_are_scored_by_cell_and_by_row():
    P, Y = np.array([[0.9, 0.2, 0.8], [0.1, 0.2, 0.9]]), np.array([[1, 0, 0], [0, 1, 1]])
    assert list(MultilabelTarget({"u": ("0", "1"), "v": ("0", "1")}).metrics()) == ["cell_accuracy", "row_accuracy"]
    assert row_accuracy(P, Y) == pytest.approx(1 / 3)
    assert list(MultilabelTarget({"u": ("0", "1")}).metrics()) == ["accuracy"]


def test_evaluate_prints_and_writes_all_of_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{k % 7},{k % 5},{'yes' if k % 7 > 3 else 'no'}" for k in range(140)]
    Path("t.csv").write_text("a,b,y\n" + "\n".join(rows) + "\n")
    Path("c.yaml").write_text(
        "data: {path: t.csv, target: y, split: {test: 0.3}}\ntask: classification\n"
        "network: {layers: [{units: 4}]}\ntraining: {epochs: 3, seed: 0}\n"
    )
    assert CliRunner().invoke(cli, ["train", "c.yaml", "--out", "run", "--no-plot"]).exit_code == 0
    text = CliRunner().invoke(cli, ["evaluate", "run"]).stdout
    for words in (
        "precision  recall",
        "balanced accuracy",
        "log-loss",
        "ROC AUC of 'yes'",
        "always 'no': accuracy 0.5714",
    ):
        assert words in text, text
    found = json.loads(CliRunner().invoke(cli, ["evaluate", "run", "--json"]).stdout)
    assert found["columns"]["y"]["always"] == {"answer": "no", "accuracy": pytest.approx(24 / 42)}
    assert found["columns"]["y"]["log_loss"] == pytest.approx(found["loss"], rel=1e-5)
    assert found["columns"]["y"]["classes"]["yes"]["rows"] == 18

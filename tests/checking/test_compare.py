"""Arrays set side by side, and derivatives of any function of an array."""

import numpy as np
import pytest

from mlp import Layer
from mlp.checking import FAIL, INCONCLUSIVE, PASS, check_gradient, check_layer, compare, numerical_gradient, table


def test_each_kind_of_mistake_is_told(rng):
    W, b = rng.normal(size=(3, 3)), rng.normal(size=(3, 5))
    mine = {"W": W.T, "b": b, "c": 5 * W, "d": W * (1 + 1e-9), "e": W, "f": -W, "g": 0 * W, "H": b[:, :2]}
    right = {"W": W, "b": b.sum(axis=1, keepdims=True), **dict.fromkeys("cdefg", W), "H": b}
    found = compare(mine, right, columns=5)
    assert [row.verdict for row in found] == ["wrong"] * 3 + ["approximate", "exact"] + ["wrong"] * 3
    for row, words in zip(
        found,
        [
            "a transpose",
            "shape (3, 5), not (3, 1): the sum over the minibatch is missing",
            "a factor B = 5",
            "",
            "",
            "the sign",
            "the bar is 0",
            "shape (3, 2), not (3, 5)",
        ],
        strict=True,
    ):
        assert words in row.guess
    assert not found
    assert found[2].where == np.unravel_index(np.abs(W).argmax(), W.shape)
    assert found[2].mine == 5 * found[2].right


def test_it_is_shown_as_a_table(rng):
    W = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = compare({"<W>": W + np.diag([0.0, 1]), "b": W[0]}, {"<W>": W, "b": W[0]})
    heading, first, second = repr(found).splitlines()
    assert heading.split() == ["array", "verdict", "largest", "difference", "at", "mine", "right", "guess"]
    assert first.split()[:7] == ["<W>", "wrong", "1", "[1,", "1]", "5", "4"]
    assert second.split()[:2] == ["b", "exact"]
    assert "<td>&lt;W&gt;</td>" in found._repr_html_()


def test_a_single_array_and_what_cannot_be_compared():
    assert compare([1.0, 2.0], [1.0, 2.0])
    assert compare(2.0, 2.0)
    assert compare([np.nan, 1.0], [np.nan, 1.0])
    assert not compare([np.nan, 1.0], [1.0, 1.0])
    assert not compare([0.0], [1e-300])
    with pytest.raises(ValueError, match="mine has W, and right has W, b"):
        compare({"W": 1.0}, {"W": 1.0, "b": 2.0})
    with pytest.raises(ValueError, match="two arrays, or two mappings"):
        compare({"W": 1.0}, 1.0)
    with pytest.raises(ValueError, match="W must hold numbers"):
        compare({"W": "text"}, {"W": 1.0})


def test_a_numerical_gradient_says_how_it_was_computed(rng):
    x = np.array([1.5, 0.8])
    exact = numerical_gradient(lambda x: x[0] ** 2 * x[1], x)  # the note's first function
    np.testing.assert_allclose(exact.value, [2.4, 2.25], rtol=1e-15)
    assert exact.method == "complex step"
    np.testing.assert_allclose(exact.steps, 1e-20 * np.maximum(x, np.sqrt(np.mean(x**2))))
    real = numerical_gradient(lambda x: float(np.abs(x).sum()), x)
    np.testing.assert_allclose(real.value, [1, 1], rtol=1e-9)
    assert real.method == "central differences"
    assert ((real.steps > 1e-10) & (real.steps < 1e-3)).all()
    assert real.doubt < 1e-6
    assert numerical_gradient(lambda x: np.abs(x).sum(), [1.0, 0.0]).doubt > 1  # a kink
    A = rng.normal(size=(3, 4))
    np.testing.assert_allclose(numerical_gradient(lambda X: (X * X * A).sum(), A).value, 2 * A * A, rtol=1e-12)
    assert numerical_gradient(np.sin, 0.3).value.shape == ()
    with pytest.raises(ValueError, match=r"one number, got an array of shape \(2,\)"):
        numerical_gradient(np.sin, x)


def test_a_gradient_of_ones_own_is_checked():
    def f(x):
        return x[0] ** 2 * x[1]

    x = [1.5, 0.8]
    assert check_gradient(f, lambda x: [2 * x[0] * x[1], x[0] ** 2], x).verdict == PASS
    wrong = check_gradient(f, lambda x: [2 * x[0] * x[1], 2 * x[0]], x)
    assert (wrong.verdict, wrong.check) == (FAIL, "complex step")
    assert "at [1]: df gives 3, complex step 2.25" in wrong.reason
    assert "a factor 2" in check_gradient(f, lambda x: [4 * x[0] * x[1], 2 * x[0] ** 2], x).guess
    assert "shape (1,), not (2,)" in check_gradient(f, lambda x: [1.0], x).reason
    assert "df raised KeyError" in check_gradient(f, lambda x: {}["a"], x).reason
    assert check_gradient(np.abs, np.sign, 0.0).verdict == INCONCLUSIVE


def test_results_are_shown_as_a_table(rng):
    results = check_layer(Layer(rng.normal(size=(4, 3)), rng.normal(size=(4, 1)), "tanh"), rng.normal(size=(3, 5)))
    assert repr(results) == str(results) == table(results)
    assert repr(results).startswith("verdict  array")
    html = results._repr_html_()
    assert html.count("<tr>") == len(results) + 1
    assert f"<caption>{len(results)} PASS, 0 FAIL, 0 INCONCLUSIVE</caption>" in html
    assert isinstance(results, list)

"""Test the self-test: every planted mistake is caught, named and guessed, and one that is missed is told."""

from types import SimpleNamespace

import numpy as np
import pytest
from checks import only, passed

from mlp import ACTIVATIONS, Activation
from mlp.checking import FAIL, failures, self_test, table
from mlp.checking.selftest import PLANTED
from mlp.losses import LOSSES


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_planted_mistakes_are_caught_named_and_guessed(planted, seed):
    results = planted.check(np.random.default_rng(seed))
    found = only(results, planted.array)
    guesses = [result.guess for result in failures(results) if result.what == planted.array]
    assert any(planted.guess in guess for guess in guesses), table(results)
    if np.isfinite(found.error) and planted.array != "Y":
        assert found.error > 1e-3
        assert any(word in found.reason for word in ("at [", "minibatch"))


def test_the_self_test_tells_them_one_by_one(monkeypatch):
    results = passed(self_test())
    assert [result.what for result in results[: len(PLANTED)]] == [planted.name for planted in PLANTED]
    assert {*ACTIVATIONS} <= {result.what.removeprefix("layer with ") for result in results}
    assert {*LOSSES} <= {result.what for result in results}
    blind = SimpleNamespace(name="blind", check=lambda rng: [], array="W", guess="")
    monkeypatch.setattr("mlp.checking.selftest.PLANTED", (blind,))
    assert self_test()[0].verdict == FAIL
    wrong = Activation("relu", value=lambda A: np.maximum(A, 0), slope=lambda A, H: np.ones_like(A))
    monkeypatch.setitem(ACTIVATIONS, "relu", wrong)
    assert "slope" in only(self_test(), "layer with relu").reason

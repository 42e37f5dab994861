"""Check the weights of rows in a training loop: a row of weight 2 equals the row twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlp.checking.bar import EXACT, identity
from mlp.checking.copies import copy_of, float64
from mlp.checking.results import INCONCLUSIVE, Result, as_results
from mlp.checking.training import Watch
from mlp.losses.loss import offers
from mlp.types import Array

IGNORED = "the weights are left out"
DIVIDED = "divided by the sum of the weights instead of B, so that the pull of a row depends on its neighbours"


@as_results
@np.errstate(all="ignore")
def check_weights(
    loop: Callable[..., Any],
    network: Any,
    loss: Any,
    data: tuple[Array, Array],
    *,
    rng: np.random.Generator | None = None,
) -> list[Result]:
    """Check a loop that is called like `mlp.train` with weights of rows, on data = (X, Y), N x D and N x K.

    It runs one epoch of a single minibatch with (X, Y, w), where every second weight is 2 and the others are 1, and one
    with the rows of weight 2 twice and no weights. Costs and bars are means over the rows of a minibatch, so B times
    each has to be the same. The network is left bitwise as it was. What the loop raises is raised.
    """
    if not offers(loss, "costs", "cost"):
        return [inconclusive("the loss has no costs(F, Y) beside its cost, so it takes no weights")]
    rng = np.random.default_rng(0) if rng is None else rng
    X, Y = map(float64, data)
    counts = 2 - np.arange(len(X)) % 2

    def sums(*data: Array) -> dict[str, Any]:
        """B times the bars of the only step and, if the loop reports it, the cost."""
        own, B = copy_of(network), len(data[0])
        own.draws = [False for _ in own.layers]  # a row that is there twice would get two masks
        watch = Watch(own, loss)
        records = list(loop(own, watch, watch, data, rng=rng, epochs=1, batch_size=B, l2=0.0))
        if len(watch.steps) != 1:
            return {}
        found: dict[str, Any] = {name: B * bar for name, bar in own.named(watch.steps[0][2]).items()}
        reported = getattr(records[-1], "train_loss", None) if records else None
        return found if reported is None else {**found, "c": B * float(reported)}

    weighted, twice = sums(X, Y, counts.astype(np.float64)), sums(*(np.repeat(each, counts, axis=0) for each in (X, Y)))
    if not weighted or weighted.keys() != twice.keys():
        return [inconclusive("the loop did not make one step with all rows")]
    unweighted, share = sums(X, Y), len(X) / counts.sum()
    pairs = {name: (found, twice[name]) for name, found in weighted.items()}
    suspects = {name: {IGNORED: unweighted.get(name), DIVIDED: share * right} for name, right in twice.items()}
    return identity(
        "weights", pairs, ("of weight 2", "twice"), suspects=suspects, good="a row of weight 2 equals the row twice"
    )


def inconclusive(reason: str) -> Result:
    return Result("c", "weights", INCONCLUSIVE, np.nan, EXACT, reason)

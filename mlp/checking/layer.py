"""Check one layer: its bars, what it stores, and that it hides nothing."""

from __future__ import annotations

import copy
from inspect import signature
from typing import Any

import numpy as np

from mlp.checking.copies import Private, layer_bars, two_columns
from mlp.checking.identities import dot_product, identity, taylor_along
from mlp.checking.results import FAIL, Result, attempt, calling
from mlp.checking.sweep import Sweep, called_again, from_the_top, minibatch, stored
from mlp.network import Network
from mlp.types import Array


class Weighted:
    """The cost c = <H_bar, H>, whose seed is H_bar."""

    def cost(self, H: Array, H_bar: Array) -> Any:
        return np.sum(H_bar * H)

    def seed(self, H: Array, H_bar: Array) -> Array:
        return H_bar.astype(H.dtype)


@np.errstate(all="ignore")
def check_layer(layer: Any, H_in: Array, *, rng: np.random.Generator | None = None) -> list[Result]:
    """Check a layer, one's own included (see `mlp.network.LayerLike`), at the input H_in, K_in x B.

    With random H_bar, the cost is c = <H_bar, H>: its derivatives with respect to every parameter and H_in are the
    bars that `backward` has to return. A single column is taken twice, because some mistakes do not show with B = 1.
    The layer is left bitwise as it was. What its backward raises is a failure, what its forward raises is raised.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    (X,) = two_columns(H_in)
    private = Private(Network([copy.deepcopy(layer)]), alone=True)
    H_bar = rng.normal(size=private.fresh()(X.copy()).shape)
    sweep = Sweep(private, Weighted(), X, H_bar, ["H_in"], lambda H: float(np.sum(np.abs(H_bar * H))))
    return [
        *attempt("bars", "backward", lambda: check_bars(sweep, rng)),
        *attempt("bars", "minibatch", lambda: minibatch(sweep)),
        *stored(sweep),
        *attempt("bars", "as lowest", lambda: as_lowest(private.fresh().layers[0], X, H_bar)),
        *attempt("bars", "called again", lambda: [called_again(sweep)]),
    ]


def check_bars(sweep: Sweep, rng: np.random.Generator) -> list[Result]:
    """Compare the bars with numbers, one by one and together."""
    bars = sweep.bars(sweep.values, sweep.seed)
    results = from_the_top(sweep, bars, rng, [])
    if sweep.fits(bars):
        results += [dot_product(sweep.problem(bars), rng), taylor_along(sweep.problem(bars), rng)]
    return results


def as_lowest(layer: Any, X: Array, H_bar: Array) -> list[Result]:
    """Call a layer as the lowest of a network: not asked for H_in_bar, and perhaps with arrays to write bars into."""
    values = layer.forward(X.copy())
    bars = layer_bars(layer, values, H_bar)
    ways: list[tuple[dict[str, Any], tuple[str, str]]] = [({}, ("input_bar=False", "True"))]
    if "out" in signature(layer.backward).parameters:
        room = {name: np.full_like(getattr(layer, name), np.nan) for name in layer.parameters}
        ways.append(({"out": room}, ("with out", "without")))
    for options, words in ways:
        with calling("backward"):
            lowest = layer.backward(values, H_bar, input_bar=False, **options)
            pairs = {name: (np.array(getattr(lowest, f"{name}_bar")), bars[name]) for name in layer.parameters}
        results = identity("as lowest", pairs, words, good="the same bars with input_bar=False")
        if any(result.verdict == FAIL for result in results):
            break
    return results

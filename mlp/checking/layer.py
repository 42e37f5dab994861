"""Checks of one layer: its bars, what it stores, and that it hides nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlp.checking.compare import check_bar
from mlp.checking.comparison import Quantity
from mlp.checking.copies import Private, float64, layer_parameters, long_double, other_columns, two_columns
from mlp.checking.guesses import close
from mlp.checking.numerical import typical
from mlp.checking.results import INCONCLUSIVE, Result, attempt, calling
from mlp.checking.state import check_state, check_stored
from mlp.checking.suspects import layer_bars, layer_suspects
from mlp.checking.together import EXACT, Problem, dot_product, identity, taylor_along
from mlp.types import Array


@np.errstate(all="ignore")
def check_layer(layer: Any, H_in: Array, *, rng: np.random.Generator | None = None) -> list[Result]:
    """All checks of a layer, one's own included (see `mlp.network.LayerLike`), at the input H_in, K_in x B.

    With random H_bar, the cost is c = <H_bar, H>: its derivatives with respect to every parameter and H_in are the
    bars that `backward` has to return. A single column is taken twice, because some mistakes do not show with B = 1.
    The layer is left bitwise as it was. What its backward raises is a failure, what its forward raises is raised.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    (X,) = two_columns(float64(H_in))
    private = Private(layer, layer_parameters)
    H_bar = rng.normal(size=private.fresh().forward(X.copy()).H.shape)
    return [
        *attempt("bars", "backward", lambda: check_bars(private, X, H_bar, rng)),
        *attempt("bars", "minibatch", lambda: sum_of_examples(private.fresh(), X, H_bar)),
        *check_stored("A", private.fresh(), X),
        *attempt("bars", "as lowest", lambda: as_lowest(private.fresh(), X, H_bar)),
        *attempt("bars", "called again", lambda: [repeated(private, X, H_bar)]),
    ]


def check_bars(private: Private, X: Array, H_bar: Array, rng: np.random.Generator) -> list[Result]:
    """The bars against numbers, one by one and together."""
    other = other_columns(X)
    values, bars = after_another(private.fresh(), other, X, H_bar)

    def cost(arrays: dict[str, Array]) -> Any:
        parameters = {name: x for name, x in arrays.items() if name != "H_in"}
        return np.sum(H_bar * private.variant(parameters).forward(arrays.get("H_in", X)).H)

    arrays = {**private.parameters, "H_in": X}
    size, scale = float(np.sum(np.abs(H_bar * values.H))), typical(values.H) or typical(X)

    def precise() -> dict[str, Array]:
        own = private.fresh(long_double(private.parameters))
        return after_another(own, *(array.astype(np.longdouble) for array in (other, X, H_bar)))[1]

    suspects = layer_suspects(private.fresh, X, other, H_bar, bars)
    results = [
        check_bar(
            Quantity(
                name,
                one(cost, name),
                x,
                bars[name],
                size,
                columns=X.shape[1],
                suspects=suspects[name],
                scale=scale,
                precise=precise,
            ),
            rng,
        )
        for name, x in arrays.items()
    ]
    if all(bars[name].shape == x.shape for name, x in arrays.items()):
        problem = Problem(cost, arrays, bars, size, precise, dict.fromkeys(arrays, scale))
        results += [dot_product(problem, rng), taylor_along(problem, rng)]
    return results


def after_another(layer: Any, other: Array, X: Array, H_bar: Array) -> tuple[Any, dict[str, Array]]:
    """The values and bars of X after a forward pass of other: whoever keeps something keeps the wrong thing."""
    layer.forward(other.copy())
    values = layer.forward(X.copy())
    return values, layer_bars(layer, values, H_bar)


def one(cost: Callable[[dict[str, Array]], Any], name: str) -> Callable[[Array], Any]:
    """The cost as a function of one array."""
    return lambda x: cost({name: x})


def as_lowest(layer: Any, X: Array, H_bar: Array) -> list[Result]:
    """Where a layer is the lowest of a network, training does not ask for H_in_bar; the other bars are the same."""
    values = layer.forward(X.copy())
    bars = layer_bars(layer, values, H_bar)
    with calling("backward"):
        lowest = layer.backward(values, H_bar, input_bar=False)
        pairs = {name: (np.array(getattr(lowest, f"{name}_bar")), bars[name]) for name in layer.parameters}
    return identity("as lowest", pairs, ("input_bar=False", "True"), good="the same bars with input_bar=False")


def repeated(private: Private, X: Array, H_bar: Array) -> Result:
    own = private.fresh()
    return check_state(own.forward, lambda values: layer_bars(own, values, H_bar), X, (H_bar, private.parameters))


def sum_of_examples(layer: Any, X: Array, H_bar: Array) -> list[Result]:
    """A layer's bars sum over the minibatch, with no factor of their own; those of its input stand side by side."""
    B = X.shape[1]
    together, values = layer.forward(X.copy()), [layer.forward(X[:, [b]]) for b in range(B)]
    bars = layer_bars(layer, together, H_bar)
    alone = np.concatenate([value.H for value in values], axis=1)
    if not np.isfinite(alone).all():
        return [Result("H", "minibatch", INCONCLUSIVE, np.nan, EXACT, "not finite")]
    if (np.any(alone) or np.any(together.H)) and not close(alone, together.H):
        reason = "the layer mixes the examples of a minibatch, so that their bars do not add up"
        return [Result("H", "minibatch", INCONCLUSIVE, np.nan, EXACT, reason)]
    single = [layer_bars(layer, value, H_bar[:, [b]]) for b, value in enumerate(values)]
    pairs = {name: (bars[name], np.sum([s[name] for s in single], axis=0)) for name in layer.parameters}
    pairs["H_in"] = (bars["H_in"], np.concatenate([s["H_in"] for s in single], axis=1))
    return identity("minibatch", pairs, ("minibatch", "its examples"), columns=B, good=f"the sum over {B} examples")

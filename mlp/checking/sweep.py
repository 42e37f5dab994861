"""Sweep up and down through the layers of a private copy, and check the bars that come down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from mlp.checking.bar import ELEMENTS, Problem, check_bars
from mlp.checking.copies import Private, fingerprint, float64, layer_bars, other_columns
from mlp.checking.guesses import STATE, close, is_dense, layer_suspects
from mlp.checking.identities import EXACT, identity
from mlp.checking.numerical import typical
from mlp.checking.results import FAIL, INCONCLUSIVE, Result, calling
from mlp.types import Array

IN_PLACE = "g is applied in place, on the stored A"


class Sweep:
    """The bars of a minibatch, by the names of their arrays, and its cost as a function of each of them.

    `input_names` are those of the layers' inputs, lowest first; `size(F)` is the magnitude that the cost is rounded at.
    """

    def __init__(
        self, private: Private, loss: Any, X: Array, Y: Array, input_names: list[str], size: Callable[[Array], float]
    ) -> None:
        self.private, self.loss, self.X, self.Y, self.input_names = private, loss, X, Y, input_names
        self.own = private.fresh()
        first: dict[int, int] = {}  # a layer that stands twice has the names of its first place
        self.names = [
            {
                name: name if private.alone else f"{name}{first.setdefault(id(layer), number)}"
                for name in layer.parameters
            }
            for number, layer in enumerate(self.own.layers, 1)
        ]
        earlier = self.own.forward(other_columns(X))  # whoever keeps something keeps the wrong thing
        self.values = self.own.forward(X.copy())
        outputs = [value.H for value in self.values]
        self.inputs, self.F = [X, *outputs[:-1]], outputs[-1]
        self.other_inputs = [other_columns(X), *(value.H for value in earlier[:-1])]
        self.seed = float64(loss.seed(self.F, Y))
        self.size = size(self.F)
        self.arrays = {**private.parameters, input_names[0]: X}
        # In a network of one's own that is no chain of its layers, only the whole can be asked.
        self.is_chain = np.allclose(chain(self.own.layers, X), self.F, equal_nan=True)
        # A change of a bias that is 0 is measured by the values of its layer.
        self.scales = [typical(H) or typical(x) for H, x in zip(outputs, self.inputs, strict=True)]
        # The more a forward pass costs, the fewer elements: seconds for 10^4 parameters, and for 10^6 too.
        self.elements = int(np.clip(2e7 / max(self.own.theta.size, 1), 16, ELEMENTS))

    def bars(self, values: list[Any], seed: Array, own: Any = None) -> dict[str, Array]:
        """The bars of the parameters and of all inputs, layer by layer; one of a layer that stands twice is a sum."""
        own = self.own if own is None else own
        bars: dict[str, Array] = {}
        if not self.is_chain:
            with calling("backward"):
                found = own.backward(values, seed, input_bar=True)
                bars = dict(zip(self.input_names, (float64(layer.H_in_bar) for layer in found), strict=True))
                return bars | self.private.named(float64(found.theta_bar))
        H_bar = seed
        for number in reversed(range(len(values))):
            found = layer_bars(own.layers[number], values[number], H_bar)
            H_bar = bars[self.input_names[number]] = found.pop("H_in")
            for name, bar in found.items():
                full = self.names[number][name]
                bars[full] = bars[full] + bar if full in bars else bar
        return bars

    def precise_bars(self) -> dict[str, Array]:
        """The bars once more, in long double."""
        own, X = self.private.fresh(np.longdouble), self.X.astype(np.longdouble)
        own.forward(other_columns(X))
        values = own.forward(X)
        return self.bars(values, self.loss.seed(values[-1].H, self.Y), own)

    def cost(self, arrays: dict[str, Array]) -> Any:
        """The cost with these arrays in the place of the network's own, X among them."""
        X = arrays.get(self.input_names[0], self.X)
        return self.loss.cost(self.private.variant(arrays).forward(X)[-1].H, self.Y)

    def cost_above(self, number: int, arrays: dict[str, Array]) -> Any:
        """The cost with arrays of a layer (counted from 0), or its input, replaced: computed from there up."""
        H_in = arrays.get(self.input_names[number], self.inputs[number])
        return self.loss.cost(chain(self.private.variant(arrays).layers[number:], H_in), self.Y)

    def layer_problem(self, number: int, bars: dict[str, Array]) -> Problem:
        """The parameters and the input of a layer (counted from 0), with what may be wrong about their bars."""
        H_in, H_bar = self.inputs[number], bars.get([*self.input_names[1:], ""][number], self.seed)
        names = {**self.names[number], "H_in": self.input_names[number]}
        found = {name: bars[full] for name, full in names.items()}
        suspects = layer_suspects(
            lambda: self.private.fresh().layers[number], H_in, self.other_inputs[number], H_bar, found
        )
        below = {full for places in self.names[:number] for full in places.values()}
        arrays = {**self.arrays, names["H_in"]: H_in} if self.is_chain else self.arrays
        return Problem(
            partial(self.cost_above, number) if self.is_chain else self.cost,
            {full: arrays[full] for full in names.values() if full in arrays and full not in below},
            bars,
            self.size,
            scale=self.scales[number],
            suspects={full: suspects[name] for name, full in names.items()},
            columns=self.X.shape[1],
            precise=self.precise_bars,
            elements=self.elements,
        )

    def problem(self, bars: dict[str, Array]) -> Problem:
        """The parameters and X together."""
        return Problem(self.cost, self.arrays, bars, self.size, max(self.scales), precise=self.precise_bars)

    def fits(self, bars: dict[str, Array]) -> bool:
        """Whether every bar has the shape of its array."""
        return all(bars[name].shape == x.shape for name, x in self.arrays.items())


def chain(layers: Iterable[Any], X: Array) -> Any:
    H = X
    for layer in layers:
        H = layer.forward(H).H
    return H


def from_the_top(sweep: Sweep, bars: dict[str, Array], rng: np.random.Generator, seed: list[Result]) -> list[Result]:
    """Compare bars with numbers as the reverse sweep goes; a failure below a wrong bar gets no guess of its own."""
    results = list(seed)
    for number in reversed(range(len(sweep.inputs))):
        above = [*sweep.input_names[1:], "F"][number]
        wrong = any(r.what == above and r.verdict == FAIL for r in results)
        for result in check_bars(sweep.layer_problem(number, bars), rng):
            follows = wrong and result.verdict == FAIL
            results.append(replace(result, guess=f"it follows from {above}: mend that first") if follows else result)
    return results


def minibatch(sweep: Sweep) -> list[Result]:
    """Compare the bars of a minibatch with the sums of those of its examples, or their means where the cost is a mean.

    Those of the input stand side by side.
    """
    alone, B = sweep.private.alone, sweep.X.shape[1]
    what, kind = ("H", "layer") if alone else ("F", "network")
    examples = [[b] for b in range(B)]
    values = [sweep.own.forward(sweep.X[:, b]) for b in examples]
    F = np.concatenate([value[-1].H for value in values], axis=1)
    if not np.isfinite(F).all():
        return [Result(what, "minibatch", INCONCLUSIVE, np.nan, EXACT, "not finite")]
    if (np.any(F) or np.any(sweep.F)) and not close(F, sweep.F):
        reason = f"the {kind} mixes the examples of a minibatch, so that their bars do not add up"
        return [Result(what, "minibatch", INCONCLUSIVE, np.nan, EXACT, reason)]
    seeds = [sweep.loss.seed(F[:, b], sweep.Y[:, b]) / (1 if alone else B) for b in examples]
    single = [sweep.bars(value, seed) for value, seed in zip(values, seeds, strict=True)]
    together, X = sweep.bars(sweep.own.forward(sweep.X.copy()), sweep.seed), sweep.input_names[0]
    pairs = {name: (together[name], np.sum([bars[name] for bars in single], axis=0)) for name in sweep.arrays}
    pairs[X] = together[X], np.concatenate([bars[X] for bars in single], axis=1)
    words = ("minibatch", "its examples" if alone else "mean of examples")
    good = f"the sum over {B} examples" if alone else f"the mean of {B} examples"
    return identity("minibatch", pairs, words, columns=B, good=good)


def called_again(sweep: Sweep) -> Result:
    """Look for hidden state: bars are the same after another forward pass, and nothing is changed in place."""
    X, seed = sweep.X, sweep.seed
    before = fingerprint(X, seed, sweep.own.theta)
    sweep.own.forward(other_columns(X))
    values = sweep.own.forward(X)
    kept = fingerprint(values)
    bars = sweep.bars(values, seed)
    sweep.own.forward(other_columns(X))
    again = sweep.bars(values, seed)
    reason = ""
    if fingerprint(X, seed, sweep.own.theta) != before:
        reason = "forward or backward changed its input, a bar or a parameter in place"
    elif fingerprint(values) != kept:
        reason = "the stored values were changed in place"
    if reason:
        return Result("state", "called again", FAIL, np.inf, EXACT, reason)
    pairs = {name: (bar, again[name]) for name, bar in bars.items()}
    words = ("at first", "after another forward pass")
    result = identity("called again", pairs, words, good="the same bars, nothing changed in place")[0]
    return replace(result, guess=STATE if result.verdict == FAIL else "")


def stored(sweep: Sweep) -> list[Result]:
    """Check that dense layers store A = W H_in + b 1^T, which g applied in place overwrites.

    The bars may be right all the same: the slope of a ReLU is the same at H as at A. What is neither W H_in + b 1^T nor
    H may be meant so, in a layer of one's own.
    """
    layers: list[Any] = sweep.own.layers
    results = []
    for number, (layer, H_in) in enumerate(zip(layers, sweep.inputs, strict=True), 1):
        values = layer.forward(H_in.copy())
        if not is_dense(layer) or not hasattr(values, "A"):
            continue
        pair = (values.A, layer.W @ getattr(values, "H_in", H_in) + layer.b)
        (result,) = identity("stored", {"A": pair}, ("stored", "W H + b 1ᵀ"), good="W H + b 1ᵀ, not overwritten")
        if result.verdict == FAIL and close(values.A, values.H):
            result = replace(result, guess=IN_PLACE)
        elif result.verdict == FAIL:
            result = replace(result, verdict=INCONCLUSIVE, guess="")
        results.append(replace(result, what="A" if sweep.private.alone else f"A{number}"))
    return results

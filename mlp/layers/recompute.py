"""Compute the values of layers again on the way down, instead of keeping them on the way up."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from mlp.layers.around import Around, layers_of, sizes
from mlp.layers.dropout import Draws
from mlp.layers.rows import check_bar
from mlp.layers.table import Entry, Maker, header_of
from mlp.shown import shown
from mlp.stack import Stack
from mlp.types import Array


@shown
class RecomputeValues(NamedTuple):
    """All that a `Recompute` keeps: its input and its output, which the layers below and above keep anyway, and where
    the random numbers of its layers began, if they draw some."""

    H_in: Array
    H: Array
    draws: Draws | None


class Recompute(Around):
    """Layers in order, lowest first, as one layer of a Network that keeps their input alone.

    `backward` computes their values again from it ("check-pointing" in the note's footnote 3; Griewank and Walther
    2000; Chen, Xu, Zhang and Guestrin 2016, arXiv 1604.06174). Of L layers in blocks of k, about L/k inputs and the
    values of k layers are alive at once: fewest for k near sqrt(L), for the work of one more forward pass. The bars
    keep every bit, as long as a layer's forward, called again, gives the same values. W of its first layer is `r1_W`.

    Raises ValueError when there is no layer, or when one does not fit the one below.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__("r", Stack(layers))
        self.n_in, self.n_out = sizes(self.inner.layers)
        if self.inner.followers:
            raise ValueError("layers that follow their values (batch_norm) cannot be recomputed: put them outside")

    def __repr__(self) -> str:
        return f"Recompute({self.inner.layers!r})"

    def forward(self, H_in: Array, draws: Draws | None = None) -> RecomputeValues:
        """H of the highest layer, from H_in of the lowest; their values are not kept."""
        before = copy.deepcopy(draws)
        return RecomputeValues(H_in, self.inner(H_in, draws), before)

    def backward(
        self, values: RecomputeValues, H_bar: Array, *, out: Mapping[str, Array] | None = None, input_bar: bool = True
    ) -> SimpleNamespace:
        """The bars of all parameters, and H_in_bar: one more forward pass, then the reverse sweep."""
        check_bar(values, RecomputeValues, H_bar)
        out = self.room_for_bars(out, H_bar)
        again = self.inner.forward(values.H_in, copy.deepcopy(values.draws))
        return self.bars(out, self.inner_sweep(again, H_bar, out, input_bar))

    @classmethod
    def from_config(cls, n_in: int, maker: Maker, /, recompute: list[Entry]) -> Recompute:
        """The layers of a config's entry `{recompute: [{units: 64}, {units: 64}]}`."""
        return cls(list(maker.layers(recompute, n_in)))

    def header(self) -> dict[str, Any]:
        """The layers without their arrays, for a model file."""
        return {"layers": [header_of(layer) for layer in self.inner.layers]}

    @classmethod
    def from_header(cls, arrays: Mapping[str, Array], /, layers: list[Entry]) -> Recompute:
        """The layers of a header with these arrays."""
        return cls(layers_of(layers, arrays, "r"))

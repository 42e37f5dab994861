"""Multiply each input by a factor of its own that is learnt."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from mlp.arguments import float_array
from mlp.layers.rows import PerUnit, check_bar, check_rows, column
from mlp.layers.table import Columns, Flag, Maker
from mlp.shown import shown
from mlp.types import Array


@shown
class GainValues(NamedTuple):
    """The values that `Gain.forward` computed, both K x B."""

    H_in: Array
    H: Array


@shown
class GainBars(NamedTuple):
    """dc/ds, K x 1, and dc/dH_in, K x B."""

    s_bar: Array
    H_in_bar: Array


class Gain(PerUnit):
    """H = s * H_in: one factor an input, the same for all examples.

    As the lowest layer it learns which columns of a table matter (the scaling layer of Holzmüller, Grinsztajn and
    Steinwart 2024). s is K x 1 and is copied. Raises ValueError for any other shape.
    """

    parameters: ClassVar[tuple[str, ...]] = ("s",)
    penalized: ClassVar[tuple[str, ...]] = ()

    def __init__(self, s: Any) -> None:
        self.s = column(float_array(s, "s"), "s")

    def forward(self, H_in: Array) -> GainValues:
        """H = s * H_in. Raises ValueError when H_in is not K x B."""
        check_rows(H_in, self.n_in)
        return GainValues(H_in, self.s * H_in)

    def backward(self, values: GainValues, H_bar: Array, *, input_bar: bool = True) -> GainBars:
        """s_bar = (H_bar * H_in) 1, a sum over the minibatch, and H_in_bar = s * H_bar."""
        check_bar(values, GainValues, H_bar)
        return GainBars((H_bar * values.H_in).sum(axis=1, keepdims=True), self.s * H_bar)

    def columns_above(self, columns: Columns) -> Columns:
        """The same columns."""
        return columns

    @classmethod
    def from_config(cls, n_in: int, maker: Maker, /, gain: Flag) -> Gain:
        """The layer of a config's entry `{gain: true}`: all factors are 1."""
        return cls(np.ones((n_in, 1), maker.dtype))

"""Add what layers make of their input to it."""

from __future__ import annotations

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
class ResidualValues(NamedTuple):
    """The values of the inner layers, lowest first, and H = H_in + layers(H_in)."""

    inner: list[Any]
    H: Array


class Residual(Around):
    """H = H_in + layers(H_in), with layers in order, lowest first (He, Zhang, Ren and Sun 2016, eq. 1).

    W of the first of them is `r1_W`. Raises ValueError when there is no layer, when one does not fit the one below, or
    when they have not as many outputs as inputs.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__("r", Stack(layers))
        self.n_in, self.n_out = sizes(self.inner.layers)
        if None not in (self.n_in, self.n_out) and self.n_in != self.n_out:
            raise ValueError(
                f"the layers of a residual have {self.n_in} inputs and {self.n_out} outputs, expected as many: both "
                "are added"
            )

    def __repr__(self) -> str:
        return f"Residual({self.inner.layers!r})"

    def forward(self, H_in: Array, draws: Draws | None = None) -> ResidualValues:
        """H = H_in + layers(H_in)."""
        values = self.inner.forward(H_in, draws)
        return ResidualValues(values, H_in + values[-1].H)

    @property
    def follows(self) -> bool:
        """Whether an inner layer keeps something of its values in training."""
        return bool(self.inner.followers)

    def follow(self, values: ResidualValues) -> None:
        """Let the inner layers follow their values."""
        self.inner.follow(values.inner)

    def backward(
        self, values: ResidualValues, H_bar: Array, *, out: Mapping[str, Array] | None = None, input_bar: bool = True
    ) -> SimpleNamespace:
        """The bars of all parameters, and H_in_bar: H_bar, plus what the reverse sweep through the layers gives."""
        check_bar(values, ResidualValues, H_bar)
        out = self.room_for_bars(out, H_bar)
        swept = self.inner_sweep(values.inner, H_bar, out, input_bar)
        return self.bars(out, None if swept is None else H_bar + swept)

    @classmethod
    def from_config(cls, n_in: int, maker: Maker, /, residual: list[Entry]) -> Residual:
        """The layers of a config's entry `{residual: [{units: 64}, {units: 64}]}`."""
        return cls(list(maker.layers(residual, n_in)))

    def header(self) -> dict[str, Any]:
        """The layers without their arrays, for a model file."""
        return {"layers": [header_of(layer) for layer in self.inner.layers]}

    @classmethod
    def from_header(cls, arrays: Mapping[str, Array], /, layers: list[Entry]) -> Residual:
        """The layers of a header with these arrays."""
        return cls(layers_of(layers, arrays, "r"))

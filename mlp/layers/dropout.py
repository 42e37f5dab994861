"""Leave out units at random while a network is trained."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mlp.arguments import check_argument, check_array
from mlp.layers.rows import check_bar
from mlp.layers.table import Columns, Maker
from mlp.shown import shown
from mlp.types import Array, Fraction


class Draws:
    """What layers get in training: the random numbers of one minibatch of B examples, the same in whatever process.

    They follow from `seed`. A process that works on some of the `columns` draws the numbers of all B and takes its own.
    `total` sums an array over the processes (see `mlp.minibatches.Workers`).
    """

    def __init__(
        self, seed: Sequence[int], B: int, columns: Any = slice(None), total: Callable[[Array], Array] = np.asarray
    ) -> None:
        self.rng, self.B, self.columns, self.total = np.random.default_rng(seed), B, columns, total

    def __deepcopy__(self, memo: Any) -> Draws:
        """The same numbers again."""
        again = copy.copy(self)
        again.rng = copy.deepcopy(self.rng)
        return again

    def uniform(self, K: int) -> Array:
        """Numbers between 0 and 1, K for each of this process's examples: K x B in single precision."""
        return self.rng.random((self.B, K), np.float32)[self.columns].T


@shown
class DropoutValues(NamedTuple):
    """The mask of `Dropout.forward`, None where there is none, and its output."""

    M: Array | None
    H: Array


@shown
class DropoutBars(NamedTuple):
    """dc/dH_in, K x B."""

    H_in_bar: Array


class Dropout:
    """H = M * H_in in training, where each entry of M is 0 with probability p, else 1/(1 - p); else H = H_in.

    The mean of H is H_in, so evaluation needs no factor (Srivastava et al. 2014, with 1/(1 - p) moved to training).
    `forward` draws M from the `Draws` that it is given; without any it leaves its input as it is. Raises ValueError
    unless 0 <= p < 1.
    """

    parameters: ClassVar[tuple[str, ...]] = ()
    penalized: ClassVar[tuple[str, ...]] = ()

    def __init__(self, p: float) -> None:
        check_argument("dropout", Fraction, p)
        self.p = p

    def __repr__(self) -> str:
        return f"Dropout({self.p:g})"

    def forward(self, H_in: Array, draws: Draws | None = None) -> DropoutValues:
        """H = M * H_in."""
        check_array("H_in", H_in)
        if draws is None:
            return DropoutValues(None, H_in)
        kept = draws.uniform(len(H_in)) >= self.p
        M = kept * H_in.real.dtype.type(1 / (1 - self.p))
        return DropoutValues(M, M * H_in)

    def backward(self, values: DropoutValues, H_bar: Array, *, input_bar: bool = True) -> DropoutBars:
        """H_in_bar = M * H_bar."""
        check_bar(values, DropoutValues, H_bar)
        return DropoutBars(H_bar if values.M is None else values.M * H_bar)

    def columns_above(self, columns: Columns) -> Columns:
        """The same columns."""
        return columns

    @classmethod
    def from_config(cls, n_in: int, maker: Maker, /, dropout: Fraction) -> Dropout:
        """The layer of a config's entry `{dropout: 0.1}`."""
        return cls(dropout)

    def header(self) -> dict[str, Any]:
        """All of the layer, for a model file."""
        return {"p": self.p}

    @classmethod
    def from_header(cls, arrays: Mapping[str, Array], /, p: Fraction) -> Dropout:
        """The layer of a header."""
        return cls(p)

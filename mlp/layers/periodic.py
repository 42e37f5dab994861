"""Embed numbers by cosines of learnt frequencies, so that a network sees small differences of a number too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mlp.arguments import check_argument, check_whole, float_array
from mlp.layers.rows import Parameters, check_bar, check_rows
from mlp.layers.table import Columns, Maker
from mlp.shown import shown
from mlp.types import Array, Count, Positive


@shown
class PeriodicValues(NamedTuple):
    """The values that `Periodic.forward` computed: the numbers x are D x B, Z and C = cos Z D x F x B."""

    x: Array
    Z: Array
    C: Array
    H: Array


@shown
class PeriodicBars(NamedTuple):
    """The bars of the parameters, each of its parameter's shape, and dc/dH_in, if it is asked for."""

    w_bar: Array
    b_bar: Array
    V_bar: Array
    c_bar: Array
    H_in_bar: Array | None


class Periodic(Parameters):
    """E_j = (x_j, V_j cos(2 pi w_j x_j + b_j) + c_j) for the number x_j of each of D columns; other columns stay.

    The densely connected periodic embedding of Holzmüller, Grinsztajn and Steinwart 2024 (PBLD), after Gorishniy,
    Rubachev and Babenko 2022, eq. 2. A number becomes itself and M others by F frequencies: w and b are D x F, V is
    D x M x F and c is D x M. Of K inputs the D `columns` are embedded. H has the other K - D first, then the D
    numbers, then what stands below each of them: K + D M outputs.

    Raises ValueError for other shapes, and for columns that are none of the inputs, or listed twice.
    """

    parameters: ClassVar[tuple[str, ...]] = ("w", "b", "V", "c")
    penalized: ClassVar[tuple[str, ...]] = ("V",)

    def __init__(self, n_in: Count, columns: Sequence[int], w: Any, b: Any, V: Any, c: Any) -> None:
        check_argument("n_in", Count, n_in)
        check_whole("columns", columns)
        self.n_in, self.columns = n_in, list(columns)
        self.w, self.b, self.V, self.c = (
            float_array(array, name) for array, name in ((w, "w"), (b, "b"), (V, "V"), (c, "c"))
        )
        if not self.columns or len(set(self.columns)) < len(self.columns):
            raise ValueError(f"expected different columns, at least one, got {self.columns}")
        if min(self.columns) < 0 or max(self.columns) >= n_in:
            raise ValueError(f"there are {n_in} inputs, but columns has numbers up to {max(self.columns)}")
        if self.V.ndim != 3 or 0 in self.V.shape:
            raise ValueError(f"V has shape {self.V.shape}, expected (D, M, F)")
        D, M, F = self.V.shape
        for name, shape in (("w", (D, F)), ("b", (D, F)), ("c", (D, M))):
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, expected {shape}")
        if len(self.columns) != D:
            raise ValueError(f"V has shape {self.V.shape}, but there are {len(self.columns)} columns")
        self.others = np.delete(np.arange(n_in), self.columns)

    @property
    def n_out(self) -> int:
        return self.n_in + int(self.c.size)

    def __repr__(self) -> str:
        D, M, F = self.V.shape
        return f"Periodic({self.n_in} -> {self.n_out}, {D} numbers, {F} frequencies, {M} outputs, {self.V.dtype})"

    def forward(self, H_in: Array) -> PeriodicValues:
        """H, K + D M rows. Raises ValueError when H_in is not K x B."""
        check_rows(H_in, self.n_in)
        x = H_in[self.columns]
        Z = (2 * math.pi * self.w)[:, :, None] * x[:, None, :] + self.b[:, :, None]
        C = np.cos(Z)
        E = self.V @ C + self.c[:, :, None]
        return PeriodicValues(x, Z, C, np.concatenate([H_in[self.others], x, E.reshape(-1, x.shape[1])]))

    def backward(self, values: PeriodicValues, H_bar: Array, *, input_bar: bool = True) -> PeriodicBars:
        """The bars, from Z_bar = -sin(Z) * (V^T E_bar), all sums over the minibatch.

        V_bar = E_bar C^T,  c_bar = E_bar 1,  b_bar = Z_bar 1,  w_bar = 2 pi Z_bar x^T,  and x_bar is that of x itself
        plus 2 pi sum_f w_f Z_bar_f.
        """
        check_bar(values, PeriodicValues, H_bar)
        x, Z, C, _ = values
        D, M, _ = self.V.shape
        n = len(self.others)
        E_bar = H_bar[n + D :].reshape(D, M, -1)
        Z_bar = -np.sin(Z) * (self.V.transpose(0, 2, 1) @ E_bar)
        H_in_bar = None
        if input_bar:
            H_in_bar = np.empty((self.n_in, H_bar.shape[1]), np.result_type(H_bar, Z_bar))
            H_in_bar[self.others] = H_bar[:n]
            H_in_bar[self.columns] = H_bar[n : n + D] + 2 * math.pi * (self.w[:, None, :] @ Z_bar)[:, 0]
        return PeriodicBars(
            2 * math.pi * (Z_bar @ x[:, :, None])[:, :, 0],
            Z_bar.sum(axis=2),
            E_bar @ C.transpose(0, 2, 1),
            E_bar.sum(axis=2),
            H_in_bar,
        )

    def columns_above(self, columns: Columns) -> Columns:
        """The columns that are no numbers, which stand in front now."""
        return columns.among(self.others.tolist())

    @classmethod
    def from_config(
        cls, n_in: int, maker: Maker, /, periodic: Count, outputs: Count = 3, scale: Positive = 0.1
    ) -> Periodic:
        """The layer of a config's entry `{periodic: 16, outputs: 3, scale: 0.1}`, with F = 16 and M = 3.

        w is normal with deviation `scale`, b uniform between -pi and pi, V and c between -1/sqrt(F) and 1/sqrt(F).
        Raises ValueError when it does not stand on the columns of a table, or these have no numbers.
        """
        if maker.columns is None:
            raise ValueError("periodic embeds the numbers of a table: put it below all layers of units")
        D, rng, limit = len(maker.columns.numbers), maker.rng, 1 / math.sqrt(periodic)
        if not D:
            raise ValueError("periodic embeds numbers, and no input column is one that data.standardize scales")
        w = rng.normal(0, scale, (D, periodic))
        b = rng.uniform(-math.pi, math.pi, (D, periodic))
        V, c = rng.uniform(-limit, limit, (D, outputs, periodic)), rng.uniform(-limit, limit, (D, outputs))
        return cls(n_in, maker.columns.numbers, *(array.astype(maker.dtype) for array in (w, b, V, c)))

    def header(self) -> dict[str, Any]:
        """The layer without its arrays, for a model file."""
        return {"n_in": self.n_in, "columns": self.columns}

    @classmethod
    def from_header(cls, arrays: Mapping[str, Array], /, n_in: Count, columns: list[int]) -> Periodic:
        """The layer with these arrays. Raises ValueError when they do not fit."""
        return cls(n_in, columns, *(arrays[name] for name in cls.parameters))

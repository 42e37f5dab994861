"""Embed the categories of a table: a vector for each level, which is learnt."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mlp.arguments import check_arguments, check_whole, float_array
from mlp.layers.rows import Parameters, check_bar, check_rows
from mlp.layers.table import Columns, Maker
from mlp.shown import shown
from mlp.types import Array, Count


@shown
class EmbeddingValues(NamedTuple):
    """The values that `Embedding.forward` computed: its input and its output."""

    H_in: Array
    H: Array


@shown
class EmbeddingBars(NamedTuple):
    """dc/dW, M x L, and dc/dH_in, K x B."""

    W_bar: Array
    H_in_bar: Array


class Embedding(Parameters):
    """E_j = W_j H_j: of each of the categories, the column of W_j that belongs to the level of the row.

    H_j are the rows of H_in that are 1 for a level of category j and 0 for all others (Guo and Berkhahn 2016). They are
    named by `categories`, and the columns of W, M x L, are those of all levels in this order. H has the other K - L
    inputs first, then M numbers for each category. A text that no training row has is 0 in all of H_j, so it is 0 here
    too: no column that was never trained answers for it. W is copied.

    Raises ValueError for a W of another shape, and for columns that are none of the inputs, or listed twice.
    """

    parameters: ClassVar[tuple[str, ...]] = ("W",)
    penalized: ClassVar[tuple[str, ...]] = ("W",)

    def __init__(self, n_in: Count, categories: Sequence[Sequence[int]], W: Any) -> None:
        check_arguments(Embedding.__init__, locals())
        for rows in categories:
            check_whole("categories", rows)
        self.n_in, self.categories, self.W = n_in, [list(rows) for rows in categories], float_array(W, "W")
        rows = [row for category in self.categories for row in category]
        if not self.categories or not all(self.categories) or len(set(rows)) < len(rows):
            raise ValueError("expected different columns for each category, at least one")
        if min(rows) < 0 or max(rows) >= n_in:
            raise ValueError(f"there are {n_in} inputs, but the categories have columns up to {max(rows)}")
        if self.W.ndim != 2 or self.W.shape[1] != len(rows) or not self.W.size:
            raise ValueError(f"W has shape {self.W.shape}, expected (M, {len(rows)}): a column for each level")
        self.others = np.delete(np.arange(n_in), rows)
        ends = np.cumsum([0, *map(len, self.categories)])
        self.parts = [slice(start, end) for start, end in itertools.pairwise(ends)]  # of W

    @property
    def n_out(self) -> int:
        return len(self.others) + len(self.W) * len(self.categories)

    def __repr__(self) -> str:
        return f"Embedding({self.n_in} -> {self.n_out}, {len(self.categories)} categories, {self.W.dtype})"

    def forward(self, H_in: Array) -> EmbeddingValues:
        """H, K - L + M rows a category. Raises ValueError when H_in is not K x B."""
        check_rows(H_in, self.n_in)
        E = [self.W[:, part] @ H_in[rows] for rows, part in zip(self.categories, self.parts, strict=True)]
        return EmbeddingValues(H_in, np.concatenate([H_in[self.others], *E]))

    def backward(self, values: EmbeddingValues, H_bar: Array, *, input_bar: bool = True) -> EmbeddingBars:
        """W_j_bar = E_j_bar H_j^T, a sum over the minibatch, and H_j_bar = W_j^T E_j_bar."""
        check_bar(values, EmbeddingValues, H_bar)
        W_bar = np.empty(self.W.shape, np.result_type(H_bar, values.H_in))
        H_in_bar = np.empty(values.H_in.shape, np.result_type(H_bar, self.W))
        n, M = len(self.others), len(self.W)
        H_in_bar[self.others] = H_bar[:n]
        for j, (rows, part) in enumerate(zip(self.categories, self.parts, strict=True)):
            E_bar = H_bar[n + j * M : n + (j + 1) * M]
            W_bar[:, part] = E_bar @ values.H_in[rows].T
            H_in_bar[rows] = self.W[:, part].T @ E_bar
        return EmbeddingBars(W_bar, H_in_bar)

    def columns_above(self, columns: Columns) -> Columns:
        """The columns that are not embedded, which stand in front now."""
        return columns.among(self.others.tolist())

    @classmethod
    def from_config(cls, n_in: int, maker: Maker, /, embedding: Count, above: Count = 8) -> Embedding:
        """The layer of a config's entry `{embedding: 8, above: 8}`: M = 8 for categories of more than 8 levels.

        W is standard normal. Raises ValueError when it does not stand on the columns of a table, or these have no
        such category.
        """
        if maker.columns is None:
            raise ValueError("embedding is for categories of a table: put it below all layers of units")
        categories = [rows for rows in maker.columns.categories if len(rows) > above]
        if not categories:
            raise ValueError(f"embedding: no input column is a category of more than {above} levels (above)")
        W = maker.rng.normal(size=(embedding, sum(map(len, categories))))
        return cls(n_in, categories, W.astype(maker.dtype))

    def header(self) -> dict[str, Any]:
        """The layer without its arrays, for a model file."""
        return {"n_in": self.n_in, "categories": self.categories}

    @classmethod
    def from_header(cls, arrays: Mapping[str, Array], /, n_in: Count, categories: list[list[int]]) -> Embedding:
        """The layer with this array. Raises ValueError when it does not fit."""
        return cls(n_in, categories, arrays["W"])

"""The loss of quantiles: several outputs for each target, each too low in another share of the cases."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlp.arguments import is_a, wrong
from mlp.losses.errors import Residuals
from mlp.types import Array


class Quantile(Residuals):
    """h(r) = max((1 - q) r, -q r) of r = F - Y, for the level q of each row: least where F is the q-quantile of Y.

    The pinball loss (Koenker and Bassett 1978). The rows of F are all levels of the first target, then all of the next;
    Y has each target as many times. `predict` is the identity; answers are sorted by their level where they are read
    (see `mlp.tables.intervals`), so that none cross.

    Raises ValueError for levels that do not rise from above 0 to below 1, and where the rows are no multiple of them.
    """

    name, target = "quantile", "quantiles"
    unit = "pinball loss"
    chance_words = "the pinball loss of the targets' own quantiles"

    def __init__(self, levels: Sequence[float] = (0.1, 0.5, 0.9)) -> None:
        form = "numbers that rise from above 0 to below 1, such as [0.1, 0.5, 0.9]"
        if not isinstance(levels, (list, tuple)) or not all(is_a(float, level) for level in levels):
            raise wrong("levels", form, levels)
        self.levels = tuple(float(level) for level in levels)
        rises = all(low < high for low, high in itertools.pairwise((0.0, *self.levels, 1.0)))
        if not self.levels or not rises:
            raise ValueError(f"levels must be {form}, got {list(levels)}")

    def rows(self, F: Array) -> Array:
        """The level of each row of F, as a column."""
        if len(F) % len(self.levels):
            raise ValueError(f"F has {len(F)} rows, expected a multiple of {len(self.levels)}: one for each level")
        levels = np.array(self.levels, F.real.dtype)
        return np.tile(levels, len(F) // len(levels))[:, None]

    def chance(self, Y: Array) -> float:
        Y = Y.astype(np.float64)
        levels = self.rows(Y)
        best = np.array([[np.quantile(y, q)] for y, (q,) in zip(Y, levels, strict=True)])
        return float(self.costs(np.broadcast_to(best, Y.shape), Y).mean())

    def h(self, R: Array) -> Array:
        q = self.rows(R)
        return np.where(R.real > 0, (1 - q) * R, -q * R)

    def slope(self, R: Array) -> Array:
        q = self.rows(R)
        return np.where(R.real > 0, 1 - q, np.where(R.real < 0, -q, 0)).astype(R.dtype)

    def header(self) -> dict[str, Any]:
        return {"levels": list(self.levels)}

    def target_keys(self) -> dict[str, Any]:
        """What the target has to know to offer its rows."""
        return {"levels": self.levels}

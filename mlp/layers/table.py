"""Make layers from the entries of a config and from the headers of a model file, by the table of their classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, NewType

import numpy as np

from mlp.types import Array, OneOf

LAYERS: dict[str, Any] = {}  # filled in `mlp/layers/__init__.py`

Entry = NewType("Entry", dict[str, Any])
"""A layer in a config: a mapping with the key that stands in LAYERS, such as `{units: 64, activation: relu}`."""


Flag = Annotated[bool, OneOf((True,))]
"""The value of a key that only says which layer it is: `{gain: true}`."""


class Columns(NamedTuple):
    """The inputs of a layer that are columns of a table: which are numbers, and which belong to each category."""

    numbers: tuple[int, ...]
    categories: tuple[tuple[int, ...], ...]

    def among(self, kept: Sequence[int]) -> Columns:
        """The same where of all inputs these are kept, and stand in front; a category stays as a whole, or goes."""
        place = {old: new for new, old in enumerate(kept)}
        return Columns(
            tuple(place[number] for number in self.numbers if number in place),
            tuple(tuple(place[row] for row in rows) for rows in self.categories if set(rows) <= place.keys()),
        )


class Maker(NamedTuple):
    """The means to make the layers of one network: the generator, the type of numbers, and the columns below, if any.

    A layer above which the inputs are still columns of the table has `columns_above(columns)`.
    """

    rng: np.random.Generator
    dtype: Any
    columns: Columns | None = None

    def layers(self, entries: Sequence[Mapping[str, Any]], n_in: int) -> Iterator[Any]:
        """The layers of a config, lowest first, on `n_in` inputs. Raises ValueError for one that does not fit."""
        columns = self.columns
        for number, entry in enumerate(entries, 1):
            try:
                layer = LAYERS[kind_of(entry)].from_config(n_in, self._replace(columns=columns), **entry)
            except ValueError as error:
                raise ValueError(f"layer {number}: {error}") from None
            yield layer
            n_in = getattr(layer, "n_out", n_in)
            above = getattr(layer, "columns_above", None)
            columns = above(columns) if above is not None and columns is not None else None


def kind_of(entry: Mapping[str, Any]) -> str:
    """The key of an entry that says what layer it is. Raises ValueError when it has none, or two."""
    found = [kind for kind in LAYERS if kind in entry]
    if len(found) != 1:
        raise ValueError(f"a layer has one of the keys {', '.join(LAYERS)}, got {', '.join(map(str, entry)) or 'none'}")
    return found[0]


def header_of(layer: Any) -> dict[str, Any]:
    """A layer without its arrays, for a model file. Raises ValueError for a class that is not in LAYERS."""
    for kind, known in LAYERS.items():
        if type(layer) is known:
            return {"kind": kind, **layer.header()}
    raise ValueError(f"its network has a {type(layer).__name__}, and only layers of mlp.layers.LAYERS can be saved")


def from_header(header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Any:
    """The layer of a header with these arrays, by the names of its parameters. Raises ValueError where they differ."""
    keys = dict(header)
    return LAYERS[keys.pop("kind")].from_header(arrays, **keys)

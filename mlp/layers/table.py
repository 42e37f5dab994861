"""Make layers from the entries of a config and from the headers of a model file, by the table of their classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NewType

import numpy as np

from mlp.types import Array

LAYERS: dict[str, Any] = {}  # filled in `mlp/layers/__init__.py`

Entry = NewType("Entry", dict[str, Any])
"""A layer in a config: a mapping with the key that stands in LAYERS, such as `{units: 64, activation: relu}`."""


class Maker(NamedTuple):
    """The generator and the type of numbers that the layers of one network are made with."""

    rng: np.random.Generator
    dtype: Any

    def layers(self, entries: Sequence[Mapping[str, Any]], n_in: int | None) -> Iterator[Any]:
        """The layers of a config, lowest first, on `n_in` inputs."""
        for entry in entries:
            layer = LAYERS[kind_of(entry)].from_config(n_in, self, **entry)
            yield layer
            n_in = getattr(layer, "n_out", None) or n_in


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

"""Derive the sections of a config for optimizers, schedules and layers from the tables that these stand in.

The keys of a section are the arguments of a class or function, with its ranges and defaults, so a new row of a table
needs nothing here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, Union

from pydantic import BeforeValidator, Discriminator, Field, Tag, create_model, model_validator
from pydantic_core import PydanticCustomError

from mlp.experiments.signatures import Section, keys_of
from mlp.initialization import SCHEMES, Scheme
from mlp.layers import LAYERS
from mlp.layers.table import Entry
from mlp.text import closest


class Kind(Section):
    """A section of one of several kinds; `row` is its row of their table."""

    row: ClassVar[str]


class Made(Kind):
    """The arguments of a class or function. What they contradict is what that raises ValueError for."""

    makes: ClassVar[Any]
    arguments: ClassVar[set[str]]

    def make(self) -> Any:
        return self.makes(**self.model_dump(include=self.arguments))

    @model_validator(mode="after")
    def can_be_made(self) -> Self:
        self.make()
        return self


def named(table: Mapping[str, Any], **shared: Any) -> Any:
    """The kinds of section that say by the key `name` which row of the table they are.

    Each has the keys of its row, and those that all of them `shared`.
    """
    kinds = []
    for row, makes in table.items():
        arguments = keys_of(makes, {})
        keys: dict[str, Any] = {"name": (Literal[row], ...), **arguments, **shared}
        kind = create_model(row, __base__=Made, **keys)
        kind.row, kind.makes, kind.arguments = row, staticmethod(makes), set(arguments)
        kinds.append(kind)
    return Annotated[Union[tuple(kinds)], Field(discriminator="name")]  # noqa: UP007


def check_initialization(value: object) -> object:
    """The name of a scheme, or {uniform: r} or {normal: s} with a positive scale that a float can hold."""
    if isinstance(value, str) and value in SCHEMES:
        return value
    if isinstance(value, dict) and len(value) == 1:
        ((kind, scale),) = value.items()
        number = isinstance(scale, (int, float)) and not isinstance(scale, bool)
        if kind in ("uniform", "normal") and number and 0 < scale <= sys.float_info.max:
            return {kind: float(scale)}
    wanted = f"expected one of {', '.join(SCHEMES)}, or {{uniform: r}} or {{normal: s}} with a number > 0"
    raise PydanticCustomError("initialization", "{wanted}", {"wanted": wanted})


Initialization = Annotated[str | dict[str, float], BeforeValidator(check_initialization)]


def layer_row(entry: Any) -> str | None:
    """The row of LAYERS that an entry means: by the key that marks it, or by one that is close to it."""
    if isinstance(entry, Kind):
        return entry.row
    keys = list(entry) if isinstance(entry, dict) else []
    meant = [row for row in LAYERS if row in keys] or [row for key in keys for row in closest(key, LAYERS)]
    if meant:
        return meant[0]
    first = next(iter(LAYERS))
    return first if not keys or KINDS_OF_LAYER[first].model_fields.keys() & keys else None


KINDS_OF_LAYER: dict[str, type[Kind]] = {}
for row, layer in LAYERS.items():
    known = {
        Scheme: Initialization,
        Scheme | None: Initialization | None,
        list[Entry]: Annotated[list["AnyLayer"], Field(min_length=1)],
    }
    kind = create_model(row, __base__=Kind, __module__=__name__, **keys_of(layer.from_config, known))
    KINDS_OF_LAYER[row], kind.row = kind, row
ALL_KINDS = tuple(Annotated[kind, Tag(row)] for row, kind in KINDS_OF_LAYER.items())
AnyLayer: Any = Annotated[Union[ALL_KINDS], Discriminator(layer_row)]  # noqa: UP007
for kind in KINDS_OF_LAYER.values():
    kind.model_rebuild()

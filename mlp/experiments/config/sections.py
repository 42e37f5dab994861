"""Derive the sections of a config for optimizers, schedules and layers from the tables that these stand in.

The keys of a section are the arguments of a class or function, with its ranges and defaults, so a new row of a table
needs nothing here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, create_model, model_validator
from pydantic_core import PydanticCustomError, PydanticKnownError

from mlp.initialization import SCHEMES, Scheme
from mlp.layers import LAYERS
from mlp.layers.table import Entry
from mlp.text import closest
from mlp.types import OneOf, Range


class Section(BaseModel):
    """A mapping with known keys: strict about types, frozen, without numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Kind(Section):
    """A section of one of several kinds; `row` is its row of their table."""

    row: ClassVar[str]


class Made(Kind):
    """The arguments of a class or function. What they contradict is what that raises ValueError for."""

    makes: ClassVar[Any]
    arguments: ClassVar[set[str]]
    followed: ClassVar[Mapping[str, Any]]

    def make(self, **others: Any) -> Any:
        """What it makes; `others` are taken for those arguments that are left to whoever makes it."""
        arguments = self.model_dump(include=self.arguments)
        return self.makes(**{name: others.get(name) if value is None else value for name, value in arguments.items()})

    @model_validator(mode="after")
    def can_be_made(self) -> Self:
        self.make(**dict.fromkeys(self.followed, 1))
        return self


def keys_of(function: Callable[..., Any], known: Mapping[Any, Any]) -> dict[str, Any]:
    """The named parameters of a function or class, for `create_model`: (annotation, default) by name.

    `known` has what stands for annotations of other kinds than ranges and names.
    """
    hints = get_type_hints(function.__init__ if inspect.isclass(function) else function, include_extras=True)
    return {
        name: (translated(hints[name], known), ... if each.default is each.empty else each.default)
        for name, each in inspect.signature(function).parameters.items()
        if each.kind is not each.POSITIONAL_ONLY
    }


def translated(annotation: Any, known: Mapping[Any, Any]) -> Any:
    """The annotation with pydantic's constraints for our marks, `Range` and `OneOf`."""
    if annotation in known:
        return known[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        kind, *marks = arguments
        return Annotated[(translated(kind, known), *map(constraint, marks))]
    if origin in (Union, UnionType):
        return Union[tuple(translated(each, known) for each in arguments)]  # noqa: UP007
    return annotation


def constraint(mark: Any) -> Any:
    if isinstance(mark, Range):
        return Field(gt=mark.above, ge=mark.least, lt=mark.below, le=mark.most)
    return BeforeValidator(lambda value: check_choice(mark, value)) if isinstance(mark, OneOf) else mark


def check_choice(mark: OneOf, value: object) -> object:
    choices = list(mark.choices)  # those that there are when it is asked for
    if value not in choices:
        raise PydanticKnownError("literal_error", {"expected": ", ".join(map(repr, choices))})
    return value


def made(
    row: str, makes: Any, follows: Sequence[str] = (), first: Mapping[str, Any] | None = None, **others: Any
) -> type[Made]:
    """The section whose keys are the arguments of a class or function, with others `first` and last."""
    arguments = keys_of(makes, {})
    followed = {name: (arguments[name][0] | None, None) for name in follows if name in arguments}
    keys: dict[str, Any] = {**(first or {}), **arguments, **followed, **others}
    kind = create_model(row, __base__=Made, **keys)
    kind.row, kind.makes, kind.arguments, kind.followed = row, staticmethod(makes), set(arguments), followed
    return kind


def named(table: Mapping[str, Any], follows: Sequence[str] = (), **shared: Any) -> Any:
    """The kinds of section that say by the key `name` which row of the table they are.

    Each has the keys of its row, and those that all of them `shared`. An argument that follows another key of the
    config may be null, which it is at first.
    """
    kinds = [made(row, makes, follows, {"name": (Literal[row], ...)}, **shared) for row, makes in table.items()]
    return Annotated[Union[tuple(kinds)], Field(discriminator="name")]  # noqa: UP007


LARGEST_SCALE = 1e36


def check_initialization(value: object) -> object:
    """The name of a scheme, or {uniform: r} or {normal: s} with a scale whose weights single precision can hold."""
    if isinstance(value, str) and value in SCHEMES:
        return value
    if isinstance(value, dict) and len(value) == 1:
        ((kind, scale),) = value.items()
        number = isinstance(scale, (int, float)) and not isinstance(scale, bool)
        if kind in ("uniform", "normal") and number and 0 < scale <= LARGEST_SCALE:
            return {kind: float(scale)}
    limits = f"with a number > 0, at most {LARGEST_SCALE:g}"
    wanted = f"expected one of {', '.join(SCHEMES)}, or {{uniform: r}} or {{normal: s}} {limits}"
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

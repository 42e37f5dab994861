"""Derive pydantic models from annotated signatures, so that keys, ranges and defaults stand once: in the code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticKnownError

from mlp.types import OneOf, Range


class Section(BaseModel):
    """A mapping with known keys: strict about types, frozen, without numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def keys_of(function: Callable[..., Any], known: Mapping[Any, Any]) -> dict[str, Any]:
    """The named parameters of a function or class, for `pydantic.create_model`: (annotation, default) by name.

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
    for each, stands_for in known.items():
        if annotation == each:  # and not `in known`: an annotation may hold what has no hash
            return stands_for
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
    return one_of(mark) if isinstance(mark, OneOf) else mark


def one_of(mark: OneOf) -> BeforeValidator:
    def check(value: object) -> object:
        choices = list(mark.choices)  # those that there are when it is asked for
        if value not in choices:
            raise PydanticKnownError("literal_error", {"expected": ", ".join(map(repr, choices))})
        return value

    return BeforeValidator(check)

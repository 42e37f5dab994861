"""Check the headers of files, which may be a stranger's, by strict pydantic models: the first mistake names its key."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from reprlib import repr as brief
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError, create_model

from mlp.experiments.config.schema import Config
from mlp.experiments.config.sections import Section, keys_of
from mlp.layers import LAYERS
from mlp.layers.table import Entry
from mlp.losses import LOSSES, losses_for
from mlp.tables.targets import TARGETS

MAX_KEYS = 100  # of a mapping: each unknown one is a mistake, which takes a kB
MAX_LAYERS = 10_000
MAX_VALUES = 40_000  # of a config, twice what a YAML text may have; the mistakes in a longer one would take GB to list

T = TypeVar("T", bound=BaseModel)


def validated(model: type[T], data: Any, above: str = "") -> T:
    """The data as this model. Raises ValueError for the first mistake, with its key below `above`."""
    if isinstance(data, dict) and len(data) > MAX_KEYS:
        raise ValueError(f"{above or 'it'}: {len(data):,} keys, expected at most {MAX_KEYS}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(map(str, (above, *first["loc"]) if above else first["loc"]))
        what = first["msg"].removeprefix("Value error, ")
        if first["type"] == "value_error" and len(first["loc"]) == 1:  # of a function below, which names the key
            raise ValueError(f"{above}.{what}" if above else what) from None
        got = "" if first["type"] == "missing" else f", got {brief(first['input'])}"
        raise ValueError(f"{key or 'it'}: {what}{got}") from None


def of_kind(key: str, kinds: Mapping[str, Any], header: Any) -> Any:
    """The header, if it is of one of these kinds, with what the `from_header` of its class takes."""
    kind = header.get("kind") if isinstance(header, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise wrong(f"{key}.kind", kind, " or ".join(kinds))
    validated(arguments_of(kinds[kind]), without_kind(header), key)
    return header


@cache
def arguments_of(kind: Any) -> type[Section]:
    """The keys of the header of a class, where layers may be inside it."""
    return create_model(kind.__name__, __base__=Section, **keys_of(kind.from_header, {list[Entry]: Layers}))


def without_kind(header: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in header.items() if key != "kind"}


def check_layers(headers: list[Any]) -> list[Any]:
    return [of_kind(f"layers.{number}", LAYERS, header) for number, header in enumerate(headers)]


Layers = Annotated[list[Any], Field(min_length=1, max_length=MAX_LAYERS), AfterValidator(check_layers)]


def check_small(key: str, data: Any) -> Any:
    """At most MAX_VALUES values, at all depths."""
    waiting, found = [data], 0
    while waiting:
        value = waiting.pop()
        found += 1
        if found > MAX_VALUES:
            raise ValueError(f"{key}: more than {MAX_VALUES:,} values")
        if isinstance(value, (dict, list)):
            waiting += value.values() if isinstance(value, dict) else value
    return data


class Column(Section):
    """An input column: `gaps` says that its training rows had some; the other keys are a category's."""

    name: str
    kind: Literal["number", "boolean", "date", "category"]
    gaps: bool
    levels: list[str] = Field([])
    rare: bool = False


class Inputs(Section):
    columns: Annotated[list[Column], Field(min_length=1)]
    clip: Literal["smooth"] | None


def check_loss(loss: Any) -> Any:
    """The name of a loss, and its own keys, which are numbers."""
    name = loss.get("name") if isinstance(loss, dict) else None
    if not isinstance(name, str) or name not in LOSSES:
        raise wrong("loss.name", name, " or ".join(LOSSES))
    keys = create_model(name, __base__=Section, name=(str, ...), **keys_of(type(LOSSES[name]), {}))
    validated(keys, loss, "loss")
    return loss


class ModelHeader(Section):
    """The header of a model file beside its arrays."""

    layers: Layers
    loss: Annotated[Any, AfterValidator(check_loss)]
    inputs: Inputs
    target: Annotated[Any, AfterValidator(lambda target: of_kind("target", TARGETS, target))]
    epoch: Annotated[int, Field(ge=0, le=10**9)]
    config: Annotated[Config | None, BeforeValidator(lambda config: check_small("config", config))]


def check_model_header(header: Mapping[str, Any]) -> ModelHeader:
    """The header as that of a model. Raises ValueError, naming the key, when it is none."""
    checked = validated(ModelHeader, header)
    losses = losses_for(target=checked.target["kind"])
    if checked.loss["name"] not in losses:
        raise wrong("loss.name", checked.loss["name"], " or ".join(losses))
    return checked


def wrong(key: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"{key}: expected {expected}, got {brief(value)}")

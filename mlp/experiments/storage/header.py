"""Check the headers of files, which may be a stranger's, by strict pydantic models: the first mistake names its key."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from reprlib import repr as brief
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError, create_model

from mlp.experiments.config.schema import Config
from mlp.experiments.config.yaml_text import MAX_NODES
from mlp.experiments.signatures import Section, keys_of
from mlp.layers import LAYERS
from mlp.layers.table import Entry
from mlp.losses import losses_for
from mlp.tables.headers import check_names, wrong
from mlp.tables.targets import TARGETS

MAX_KEYS = 100  # of a mapping: each unknown one is a mistake, which takes a kB
MAX_LAYERS = 10_000
MAX_VALUES = 2 * MAX_NODES  # of a config with its defaults; the mistakes in a longer one would take GB to list

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


def check_layers(headers: list[Any]) -> list[Any]:
    """The headers of layers, each with the keys and values that the `from_header` of its class takes."""
    for number, header in enumerate(headers):
        kind = header.get("kind") if isinstance(header, dict) else None
        if not isinstance(kind, str) or kind not in LAYERS:
            raise wrong(f"layers.{number}.kind", kind, " or ".join(LAYERS))
        keys = {name: value for name, value in header.items() if name != "kind"}
        validated(arguments_of(LAYERS[kind]), keys, f"layers.{number}")
    return headers


Layers = Annotated[list[Any], Field(min_length=1, max_length=MAX_LAYERS), AfterValidator(check_layers)]


@cache
def arguments_of(layer: Any) -> type[Section]:
    """The keys of a layer's header, where layers may be inside it."""
    return create_model(layer.__name__, __base__=Section, **keys_of(layer.from_header, {list[Entry]: Layers}))


def check_target(target: Any) -> dict[str, Any]:
    kind = target.get("kind") if isinstance(target, dict) else None
    if not isinstance(kind, str) or kind not in TARGETS:
        raise wrong("target.kind", kind, " or ".join(TARGETS))
    TARGETS[kind].check_header(target)
    return target


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


def check_inputs(names: list[Any]) -> list[Any]:
    check_names("inputs", names)
    return names


class ModelHeader(Section):
    """What a model file says beside its arrays."""

    layers: Layers
    loss: str
    inputs: Annotated[list[Any], AfterValidator(check_inputs)]
    target: Annotated[Any, AfterValidator(check_target)]
    epoch: Annotated[int, Field(ge=0, le=10**9)]
    config: Annotated[Config | None, BeforeValidator(partial(check_small, "config"))]


def check_model_header(header: Mapping[str, Any]) -> None:
    """Raises ValueError, naming the key, unless the header is that of a model."""
    checked = validated(ModelHeader, header)
    losses = losses_for(target=checked.target["kind"])
    if checked.loss not in losses:
        raise wrong("loss", checked.loss, " or ".join(losses))

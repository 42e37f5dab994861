"""The header of a model file: made of a model, and checked key by key before a model is made of it."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from mlp.activations import ACTIVATIONS
from mlp.experiments.config.schema import Config
from mlp.experiments.config.yaml_text import MAX_NODES
from mlp.experiments.storage.archive import MAX_MEMBERS
from mlp.layers.dense import Layer
from mlp.losses import losses_for
from mlp.tables.headers import check_keys, check_names, wrong
from mlp.tables.targets import TARGETS

KEYS = {"layers", "loss", "inputs", "target", "epoch", "config"}
MAX_COUNT = 10**9  # units of a layer, epochs: as in a config
MAX_VALUES = 2 * MAX_NODES  # of a config with its defaults; the mistakes in a longer one would take GB to list


def layer_header(layer: Any) -> dict[str, Any]:
    """A layer without its arrays. Raises ValueError for one that is no `Layer`."""
    if not isinstance(layer, Layer):
        raise ValueError(f"its network has a {type(layer).__name__}, and only networks of Layer can be saved")
    return {"n_in": layer.n_in, "n_out": layer.n_out, "activation": layer.g.name}


def expected_shapes(header: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The arrays that a checked header needs."""
    inputs, target = (len(header["inputs"]),), header["target"]
    expected: dict[str, tuple[int, ...]] = {"input_mean": inputs, "input_std": inputs}
    for number, layer in enumerate(header["layers"], 1):
        expected |= {f"W{number}": (layer["n_out"], layer["n_in"]), f"b{number}": (layer["n_out"], 1)}
    return expected | TARGETS[target["kind"]].shapes(target)


def check_header(header: dict[str, Any]) -> None:
    """Raises ValueError, naming the key, what it is and what was expected, unless the header is that of a model.

    What it says of a network must also fit together: the layers each other, the columns of inputs and the target.
    """
    check_keys("", header, KEYS)
    check_layers(header["layers"])
    check_names("inputs", header["inputs"])
    outputs = check_target(header["target"])
    check_choice("loss", header["loss"], losses_for(target=header["target"]["kind"]))
    check_count("epoch", header["epoch"], least=0)
    check_config(header["config"])
    n_in, n_out, inputs = header["layers"][0]["n_in"], header["layers"][-1]["n_out"], len(header["inputs"])
    if n_in != inputs or n_out != outputs:
        raise ValueError(
            f"a network of {n_in} inputs and {n_out} outputs, but {inputs} input columns and {outputs} outputs for the "
            "target"
        )


def check_layers(value: Any) -> None:
    if not isinstance(value, list) or not 0 < len(value) < MAX_MEMBERS:
        raise wrong("layers", value, "a list of at least one layer")
    for number, layer in enumerate(value):
        check_keys(f"layers.{number}", layer, {"n_in", "n_out", "activation"})
        for key in ("n_in", "n_out"):
            check_count(f"layers.{number}.{key}", layer[key], least=1)
        check_choice(f"layers.{number}.activation", layer["activation"], ACTIVATIONS)
    for number, (below, layer) in enumerate(pairwise(value), 1):
        if layer["n_in"] != below["n_out"]:
            raise ValueError(
                f"layers.{number}.n_in: is {layer['n_in']}, but the layer below it has {below['n_out']} outputs"
            )


def check_target(value: Any) -> int:
    """How many outputs the target takes."""
    if not isinstance(value, dict) or "kind" not in value:
        raise wrong("target", value, "a mapping with a kind")
    check_choice("target.kind", value["kind"], TARGETS)
    return TARGETS[value["kind"]].check_header(value)


def check_config(value: Any) -> None:
    """Null, or what a config may be."""
    if value is None:
        return
    if not is_small(value):
        raise ValueError(f"config: more than {MAX_VALUES:,} values")
    try:
        Config.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, ('config', *first['loc'])))}: {first['msg']}") from None


def is_small(value: Any) -> bool:
    """Whether there are at most MAX_VALUES values in it, at all depths."""
    waiting, found = [value], 0
    while waiting and found <= MAX_VALUES:
        value = waiting.pop()
        found += 1
        if isinstance(value, (dict, list)):
            waiting += value.values() if isinstance(value, dict) else value
    return found <= MAX_VALUES


def check_choice(key: str, value: Any, choices: Collection[str]) -> None:
    if not isinstance(value, str) or value not in choices:
        raise wrong(key, value, " or ".join(choices))


def check_count(key: str, value: Any, least: int) -> None:
    if type(value) is not int or not least <= value <= MAX_COUNT:
        raise wrong(key, value, f"a whole number from {least} to {MAX_COUNT:,}")

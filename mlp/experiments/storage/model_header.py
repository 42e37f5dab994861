"""The header of a model file: made of a model, and checked key by key before a model is made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import pairwise
from reprlib import repr as brief
from typing import Any

from pydantic import ValidationError

from mlp.activations import ACTIVATIONS
from mlp.experiments.config.schema import Config
from mlp.experiments.config.yaml_text import MAX_NODES
from mlp.experiments.storage.archive import MAX_MEMBERS
from mlp.layers.dense import Layer
from mlp.tables.targets import Exclusive, Quantities, Target
from mlp.text import quoted

KEYS = {"layers", "loss", "inputs", "target", "epoch", "config"}
LOSS_OF = {
    "exclusive": "softmax_cross_entropy",
    "binary": "logistic_cross_entropy",
    "quantities": "squared_error",
}
MAX_COUNT = 10**9  # units of a layer, epochs: as in a config
MAX_LABELS = 2**24  # characters in a column's labels, each padded to the longest, as NumPy holds them: 64 MiB
MAX_VALUES = 2 * MAX_NODES  # of a config with its defaults; the mistakes in a longer one would take GB to list


def layer_header(layer: Any) -> dict[str, Any]:
    """A layer without its arrays. Raises ValueError for one that is no `Layer`."""
    if not isinstance(layer, Layer):
        raise ValueError(f"its network has a {type(layer).__name__}, and only networks of Layer can be saved")
    return {"n_in": layer.n_in, "n_out": layer.n_out, "activation": layer.g.name}


def target_header(target: Target) -> dict[str, Any]:
    """A target without its arrays."""
    if isinstance(target, Quantities):
        return {"kind": "quantities", "names": list(target.names)}
    kind, columns = ("exclusive", (target.classes,)) if isinstance(target, Exclusive) else ("binary", target.columns)
    return {"kind": kind, "columns": [{"name": each.name, "labels": list(each.labels)} for each in columns]}


def expected_shapes(header: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The arrays that a checked header needs."""
    inputs, target = (len(header["inputs"]),), header["target"]
    expected: dict[str, tuple[int, ...]] = {"input_mean": inputs, "input_std": inputs}
    for number, layer in enumerate(header["layers"], 1):
        expected |= {f"W{number}": (layer["n_out"], layer["n_in"]), f"b{number}": (layer["n_out"], 1)}
    if target["kind"] == "quantities":
        expected |= {name: (len(target["names"]),) for name in ("target_mean", "target_std")}
    return expected


def check_header(header: dict[str, Any]) -> None:
    """Raises ValueError, naming the key, what it is and what was expected, unless the header is that of a model.

    What it says of a network must also fit together: the layers each other, the columns of inputs and the target.
    """
    check_keys("", header, KEYS)
    check_layers(header["layers"])
    check_names("inputs", header["inputs"])
    outputs = check_target(header["target"])
    check_choice("loss", header["loss"], [LOSS_OF[header["target"]["kind"]]])
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
    kind = value["kind"]
    check_choice("target.kind", kind, LOSS_OF)
    if kind == "quantities":
        check_keys("target", value, {"kind", "names"})
        check_names("target.names", value["names"])
        return len(value["names"])
    check_keys("target", value, {"kind", "columns"})
    columns = value["columns"]
    if not isinstance(columns, list) or not columns or (kind == "exclusive" and len(columns) > 1):
        raise wrong("target.columns", columns, f"a list of {'one' if kind == 'exclusive' else 'at least one'} column")
    for number, column in enumerate(columns):
        check_keys(f"target.columns.{number}", column, {"name", "labels"})
        check_labels(f"target.columns.{number}.labels", column["labels"], most=2 if kind == "binary" else None)
    check_names("target.columns", [column["name"] for column in columns])
    return len(columns[0]["labels"]) if kind == "exclusive" else len(columns)


def check_labels(key: str, value: Any, most: int | None) -> None:
    check_names(key, value, least=2)
    if most is not None and len(value) > most:
        raise ValueError(f"{key}: {len(value)} labels, expected {most}")
    longest = max(map(len, value))
    if len(value) * longest > MAX_LABELS:
        raise ValueError(f"{key}: {len(value):,} labels of up to {longest:,} characters are too long")


def check_names(key: str, value: Any, least: int = 1) -> None:
    """A list of different texts, none of them empty, that can be written as UTF-8."""
    if not isinstance(value, list) or len(value) < least:
        raise wrong(key, value, f"a list of at least {least} text{'s' * (least > 1)}")
    for number, text in enumerate(value):
        if not isinstance(text, str) or not text or not is_unicode(text):
            raise wrong(f"{key}.{number}", text, "text that is not empty")
    name, count = Counter(value).most_common(1)[0]
    if count > 1:
        raise ValueError(f"{key}: {quoted(name)} is listed {count} times")


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


def check_keys(key: str, value: Any, keys: Collection[str]) -> None:
    """A mapping with exactly these keys."""
    if not isinstance(value, dict):
        raise wrong(key, value, f"a mapping with {', '.join(sorted(keys))}")
    absent, unknown = sorted(keys - value.keys()), sorted(value.keys() - keys)
    for what, found in (("is missing", absent), ("is unknown", unknown)):
        if found:
            raise ValueError(f"{key}{'.' if key else ''}{found[0]}: {what}")


def check_choice(key: str, value: Any, choices: Collection[str]) -> None:
    if not isinstance(value, str) or value not in choices:
        raise wrong(key, value, " or ".join(choices))


def check_count(key: str, value: Any, least: int) -> None:
    if type(value) is not int or not least <= value <= MAX_COUNT:
        raise wrong(key, value, f"a whole number from {least} to {MAX_COUNT:,}")


def is_unicode(text: str) -> bool:
    """Whether there are no halves of surrogate pairs, which nothing can be written with."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def wrong(key: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"{key}: expected {expected}, got {brief(value)}")

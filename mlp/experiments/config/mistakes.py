"""Say what is wrong with a config: pydantic's errors as `place: dotted.key: message`, with the value and a hint."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from mlp.experiments.config.schema import Config
from mlp.experiments.config.sections import Kind, Section
from mlp.experiments.config.yaml_text import KeyPath, Tree
from mlp.text import closest, listed, shown

EXPECTED = {
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "finite_number": "expected a finite number",
    "string_type": "expected text",
    "string_too_short": "expected text that is not empty",
    "list_type": "expected a list",
    "too_short": "expected at least one",
    "model_type": "expected a mapping",
    "model_attributes_type": "expected a mapping",
    "greater_than": "must be > {bound}",
    "greater_than_equal": "must be >= {bound}",
    "less_than": "must be < {bound}",
    "less_than_equal": "must be <= {bound}",
}  # by pydantic's types of errors
FORMS = {
    "data": "{path: table.csv, target: y}",
    "split": "{valid: 0.15, test: 0.15}",
    "network": "{layers: [{units: 64}]}",
    "layers": "{units: 64}",
    "output": "{initialization: zeros}",
    "optimizer": "{name: adam, learning_rate: 1e-3}",
    "training": "{epochs: 40}",
    "schedule": "{name: cosine}",
    "early_stopping": "{patience: 10}",
    "plateau": "{factor: 0.1, patience: 10}",
}  # of what has to be a mapping, by its key, or by that of the list that it stands in
YAML_1_1 = {"off": "false", "no": "false", "on": "true", "yes": "true"}


def mistakes(tree: Tree, error: ValidationError) -> list[str]:
    """A line for each of pydantic's errors; a required key that is misspelt is one mistake, not two."""
    found = error.errors(include_url=False)
    unknown = [details["loc"] for details in found if details["type"] == "extra_forbidden"]
    misspelt = [(*section, *closest(str(key), known_keys(section))) for *section, key in unknown]
    return [
        tree.located(*mistake(details))
        for details in found
        if details["type"] != "missing" or details["loc"] not in misspelt
    ]


def mistake(details: Any) -> tuple[KeyPath, str]:
    """The key that one of pydantic's errors is about, and what is wrong with it."""
    loc, kind, value, context = details["loc"], details["type"], details["input"], details.get("ctx", {})
    path = key_path(loc)
    got = f", got {shown(value)}"
    match kind:
        case "missing":
            return path, "required key is missing"
        case "extra_forbidden":
            return path, f"unknown key ({did_you_mean(str(path[-1]), known_keys(loc[:-1]), 'the keys here are')})"
        case "union_tag_not_found" if context["discriminator"] == "'name'":
            return (*path, "name"), "required key is missing"
        case "union_tag_not_found":
            rows = ", ".join(each.row for each in kinds_at(loc) if issubclass(each, Kind))
            return path, f"expected one of the keys {rows}, got {listed(list(value))}"
        case "union_tag_invalid":
            return (*path, "name"), unknown_name(value["name"], context["expected_tags"])
        case "literal_error" if context["expected"] == "True":
            return path, f"expected true, or no such layer{got}"
        case "literal_error":
            return path, unknown_name(value, context["expected"])
        case "value_error":  # of the object that the section describes: "nesterov=True needs a momentum above 0"
            message = str(context["error"])
            key = re.split(r"\W", message)[0]
            return ((*path, key), message.partition(" ")[2]) if key in known_keys(loc) else (path, message)
        case "initialization" if isinstance(value, dict):
            got = ", got {" + ", ".join(f"{name}: {shown(scale)}" for name, scale in list(value.items())[:3]) + "}"
        case "float_type" if isinstance(value, str) and re.fullmatch(r"[0-9.]+ *%", value):
            got += f" (a share is written as {float(value.rstrip('% ')) / 100:g})"
        case "float_type" if isinstance(value, str):
            got += " (numbers are written without quotes, as 0.001 or 1e-3)"
        case "float_type" if isinstance(value, int) and not isinstance(value, bool):
            return path, f"is too large{got}"
        case "model_type" | "model_attributes_type" if path and form_at(path):
            got = f" such as {form_at(path)}{got}"
    bound = next((bound_text(context[key]) for key in ("gt", "ge", "lt", "le") if key in context), "")
    return path, (EXPECTED[kind].format(bound=bound, **context) if kind in EXPECTED else details["msg"]) + got


def form_at(path: KeyPath) -> str:
    """The form of a mapping at a path, or nothing where it has no single one."""
    return FORMS.get(next((str(step) for step in reversed(path) if not isinstance(step, int)), ""), "")


def unknown_name(value: Any, choices: str) -> str:
    hint = did_you_mean(str(value), re.findall("'(.*?)'", choices), "choose from")
    if isinstance(value, str) and value in YAML_1_1:
        hint += f"; {value} is text here, though YAML 1.1 read it as {YAML_1_1[value]}"
    return f"unknown value {shown(value)} ({hint})"


def did_you_mean(word: str, choices: Sequence[str], otherwise: str) -> str:
    close = closest(word, choices)
    return f"did you mean {close[0]!r}?" if close else f"{otherwise} {', '.join(choices)}"


def bound_text(bound: float) -> str:
    """A bound as people write it: 1,000,000,000 and 2^128, not 1e+09 and 3.4e+38."""
    if bound == 2**128:
        return "2^128"
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


def key_path(loc: Sequence[str | int]) -> KeyPath:
    """pydantic's loc without the rows of kinds, which are no keys of the text (and may be keys of it elsewhere)."""
    return tuple(step for i, step in enumerate(loc) if isinstance(step, int) or len(kinds_at(loc[:i])) < 2)


def known_keys(loc: Sequence[str | int]) -> list[str]:
    """The keys that the section at pydantic's loc may have."""
    return [key for section in kinds_at(loc) for key in section.model_fields]


def kinds_at(loc: Sequence[str | int]) -> list[type[Section]]:
    """The kinds of section that pydantic's loc leads to: several where the next step is the row of one of them.

    An index of a list, and a key that is a name in a mapping, lead from a section to itself.
    """
    kinds: list[type[Section]] = [Config]
    named = False
    for step in loc:
        if isinstance(step, int) or named:
            named = False
        elif len(kinds) > 1:
            kinds = [kind for kind in kinds if issubclass(kind, Kind) and kind.row == step]
        else:
            annotations = [kind.model_fields[step].annotation for kind in kinds]
            named = any(get_origin(each) is dict for each in annotations)
            kinds = [found for each in annotations for found in sections_in(each)]
    return kinds


def sections_in(annotation: Any) -> list[type[Section]]:
    """The sections in an annotation such as `list[A | B] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [kind for argument in get_args(annotation) for kind in sections_in(argument)]

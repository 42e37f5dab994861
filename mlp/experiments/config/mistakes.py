"""What is wrong with a config, in words: pydantic's errors as `place: dotted.key: message` with the value and a
hint."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel

from mlp.experiments.config.schema import Config
from mlp.experiments.config.yaml_text import KeyPath, Tree
from mlp.text import shown


def mistake(tree: Tree, details: Any) -> str:
    """One of pydantic's errors as a line of ours."""
    path = key_path(details["loc"])
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    got = f", got {shown(value)}"
    if kind == "missing":
        return located(tree, path, "required key is missing")
    if kind == "extra_forbidden":
        known = known_keys(details["loc"][:-1])
        return located(tree, path, f"unknown key ({did_you_mean(str(path[-1]), known, 'the keys here are')})")
    if kind == "union_tag_not_found":
        return located(tree, (*path, "name"), "required key is missing")
    if kind in ("literal_error", "union_tag_invalid"):
        if kind == "union_tag_invalid":
            path, value = (*path, "name"), value["name"]
        choices = [
            word.strip("' ")
            for word in context.get("expected", context.get("expected_tags")).replace(" or ", ", ").split(",")
        ]
        hint = did_you_mean(str(value), choices, "choose from")
        if value in ("off", "no", "on", "yes"):
            hint += f"; {value} is text here, though YAML 1.1 read it as {str(value in ('on', 'yes')).lower()}"
        return located(tree, path, f"unknown value {shown(value)} ({hint})")
    if kind == "float_type" and isinstance(value, int) and not isinstance(value, bool):
        return located(tree, path, f"is too large{got}")
    if kind == "initialization" and isinstance(value, dict):
        got = ", got {" + ", ".join(f"{name}: {shown(scale)}" for name, scale in list(value.items())[:3]) + "}"
    if kind == "float_type" and isinstance(value, str):
        return located(tree, path, f"expected a number{got} (numbers are written without quotes, as 0.001 or 1e-3)")
    if kind == "bool_type":
        return located(tree, path, f"expected true or false{got}")
    bound = next((bound_text(context[key]) for key in ("gt", "ge", "lt", "le") if key in context), "")
    expected = {
        "int_type": "expected a whole number",
        "float_type": "expected a number",
        "finite_number": "expected a finite number",
        "string_type": "expected text",
        "list_type": "expected a list",
        "model_type": "expected a mapping",
        "model_attributes_type": "expected a mapping",
        "string_too_short": "expected text that is not empty",
        "string_too_long": f"expected {context.get('max_length')} character",
        "initialization": context.get("wanted"),
        "too_short": "expected at least one",
        "greater_than": f"must be > {bound}",
        "greater_than_equal": f"must be >= {bound}",
        "less_than": f"must be < {bound}",
        "less_than_equal": f"must be <= {bound}",
    }.get(kind, details["msg"])
    return located(tree, path, expected + got)


def bound_text(bound: float) -> str:
    """A bound as people write it: 1,000,000,000 and 2^128, not 1e+09 and 3.4e+38."""
    if bound == 2**128:
        return "2^128"
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


def located(tree: Tree, path: KeyPath, message: str) -> str:
    """`place: dotted.key: message`, with the place of the nearest key above that the text has."""
    for length in range(len(path), -1, -1):
        place = tree.keys.get(path[:length]) or tree.values.get(path[:length])
        if place:
            break
    return f"{place or tree.source}: {'.'.join(map(str, path))}: {message}"


def key_path(loc: Sequence[str | int]) -> KeyPath:
    """pydantic's loc without the tags of unions, which are no keys of the text (and may be keys of it elsewhere)."""
    return tuple(step for i, step in enumerate(loc) if len(sections_at(loc[:i])) < 2)


def known_keys(loc: Sequence[str | int]) -> list[str]:
    """The keys that the section at pydantic's loc may have."""
    return [key for model in sections_at(loc) for key in model.model_fields]


def sections_at(loc: Sequence[str | int]) -> list[type[BaseModel]]:
    """The kinds of section that pydantic's loc leads to: several where the next step is the tag that tells them
    apart."""
    models: list[type[BaseModel]] = [Config]
    for step in loc:
        if len(models) > 1:
            models = [model for model in models if step in get_args(model.model_fields["name"].annotation)]
        elif isinstance(step, str):
            models = [found for model in models for found in models_in(model.model_fields[step].annotation)]
    return models


def models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]


def suggested(details: Any) -> tuple[str | int, ...]:
    """The loc of the key that an unknown key is taken for: that one is then misspelt and not missing."""
    *section, key = details["loc"]
    return (*section, *closest(str(key), known_keys(section)))


def closest(word: str, choices: Sequence[str]) -> list[str]:
    return difflib.get_close_matches(word.lower(), choices, n=1, cutoff=0.6)


def did_you_mean(word: str, choices: Sequence[str], otherwise: str) -> str:
    close = closest(word, choices)
    return f"did you mean {close[0]!r}?" if close else f"{otherwise} {', '.join(choices)}"

"""Load a YAML config as a checked `Config`: all mistakes at once, each with its place, key, value and a hint."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlp.errors import ConfigError, DataError
from mlp.experiments.config.mistakes import located, mistakes
from mlp.experiments.config.schema import Config
from mlp.experiments.config.yaml_text import MAX_BYTES, MAX_DEPTH, KeyPath, Tree, dump_yaml, parse_yaml
from mlp.experiments.storage.files import irregular
from mlp.losses import LOSSES, losses_for
from mlp.tables import standard_input
from mlp.text import one_line, shown

MAX_ORIGIN = 100  # characters of an override in the place of each of its keys


@dataclass(frozen=True)
class LoadedConfig:
    """A valid config with every default filled in; its data paths are usable from the working directory.

    `notes` says what `--set` replaced, and `tree` knows where each key stands in the text.
    """

    config: Config
    name: str
    source: str
    notes: tuple[str, ...]
    tree: Tree

    def located(self, key: str, message: str) -> str:
        """A mistake that only the data could show, with the place of its key."""
        return located(self.tree, tuple(key.split(".")), message)


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> LoadedConfig:
    """Read, check and complete a config; "-" is standard input.

    `overrides` are "dotted.key=value" with the value in YAML, applied in order before anything is checked. Data paths
    are relative to the config's folder (for "-" to the working directory), `~` is the home folder, and $NAME is not
    expanded. Raises ConfigError with one line for each mistake.
    """
    source = "standard input" if str(path) == "-" else str(path)
    tree = parse_yaml(read_config_file(path), source)
    if tree.data is None:
        raise ConfigError(f"{source}: config is empty")
    if not isinstance(tree.data, dict):
        raise ConfigError(f"{tree.values[()]}: expected a mapping, got {shown(tree.data)}")
    notes = tuple(apply_override(tree, override) for override in overrides)
    config = complete(validate(tree))
    folder = Path() if str(path) == "-" else Path(path).parent
    data = config.data.model_copy(
        update={
            key: usable_path(tree, folder, key, value)
            for key in ("path", "valid_path", "test_path")
            if (value := getattr(config.data, key)) is not None
        }
    )
    for key in ("valid_path", "test_path"):
        if getattr(data, key) == data.path:
            raise ConfigError(located(tree, ("data", key), "is data.path: its rows would be trained on as well"))
    name = "stdin" if str(path) == "-" else Path(path).stem
    return LoadedConfig(config.model_copy(update={"data": data}), name, source, notes, tree)


def dump_config(loaded: LoadedConfig, folder: Path) -> str:
    """The config as YAML for a folder that it is to be put into: relative data paths stay relative, to that folder."""
    tree = loaded.config.model_dump()
    for key in ("path", "valid_path", "test_path"):
        if tree["data"][key] is not None:
            path, written = Path(tree["data"][key]).resolve(), Path(loaded.tree.data["data"][key]).expanduser()
            tree["data"][key] = str(path) if written.is_absolute() else os.path.relpath(path, folder.resolve())
    return dump_yaml(tree)


def read_config_file(path: Path | str) -> bytes:
    try:
        if str(path) == "-":
            return standard_input().read(MAX_BYTES + 1)
        if kind := irregular(path):
            raise ConfigError(f"{path}: {kind}, expected a YAML file; '-' is standard input")
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except (ConfigError, DataError) as error:
        raise ConfigError(str(error)) from None
    except ValueError as error:  # a NUL, or half of a character
        raise ConfigError(f"{path}: is not a path: {error}") from None


def usable_path(tree: Tree, folder: Path, key: str, path: str) -> str:
    """The path from the working directory where it lies below that, else the absolute path."""
    where: KeyPath = ("data", key)
    if path == "-":
        raise ConfigError(located(tree, where, "'-' (standard input) cannot be read again by a resume; name a file"))
    try:
        absolute = (folder / Path(path).expanduser()).resolve()
    except (RuntimeError, ValueError) as error:  # ~nobody, or a NUL
        reason = "it holds a NUL character" if "\0" in path else str(error)
        raise ConfigError(located(tree, where, f"{shown(path)} is not a path: {reason}")) from None
    relative = os.path.relpath(absolute)
    return str(absolute) if relative.startswith("..") else relative


def apply_override(tree: Tree, override: str) -> str:
    """Put the value of "a.b.c=value" into the tree, numbers index lists; returns what to tell the person."""
    try:
        override = override.encode(errors="surrogateescape").decode()  # whatever the locale made of the shell's bytes
    except UnicodeError:
        raise ConfigError(f"--set {override}: not UTF-8 text") from None
    origin = f"--set {override if len(override) <= MAX_ORIGIN else override[: MAX_ORIGIN - 3] + '...'}"
    dotted, equals, text = override.partition("=")
    keys = dotted.strip().split(".")
    if not equals or "" in keys:
        raise ConfigError(f"{origin}: expected key=value, such as training.epochs=5")
    if len(keys) > MAX_DEPTH:
        raise ConfigError(f"{origin}: too deeply nested: more than {MAX_DEPTH} levels")
    value = parse_yaml(text.encode(), origin).data
    node: Any = tree.data
    path: KeyPath = ()
    for depth, key in enumerate(keys):
        step: Any = key
        if isinstance(node, list):
            if not key.isdecimal() or len(key) > 9 or int(key) >= len(node):
                raise ConfigError(
                    f"{origin}: {'.'.join(keys[:depth])} is a list of {len(node)}, counted from 0; got {key!r}"
                )
            step = int(key)
        elif not isinstance(node, dict):
            raise ConfigError(f"{origin}: {'.'.join(keys[:depth])} is {shown(node)}, not a mapping")
        path = (*path, step)
        if depth == len(keys) - 1:
            before = node[step] if isinstance(node, list) else node.get(step)
            node[step] = value
            for places in (tree.keys, tree.values):  # what stood there stands there no more
                for old in [old for old in places if old[: len(path)] == path]:
                    del places[old]
                places[path] = origin
        elif isinstance(node, dict) and node.get(step) is None:
            node[step] = {}
        node = node[step]
    was = "not set" if before is None else shown(before)
    return one_line(f"{dotted.strip()} = {text.strip()} by --set (before: {was})")


def validate(tree: Tree) -> Config:
    """The tree as a Config, or a ConfigError with a line for every mistake."""
    try:
        config = Config.model_validate(tree.data)
        found = [located(tree, path, message) for path, message in contradictions(config)]
    except ValidationError as error:
        found = mistakes(tree, error)
    if tree.mistakes or found:
        raise ConfigError(*tree.mistakes, *found)
    return config


def contradictions(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Keys that are fine alone and wrong together."""
    data, task = config.data, config.task
    for key in ("valid", "test"):
        if getattr(data, f"{key}_path") is not None and getattr(data.split, key) > 0:
            yield ("data", f"{key}_path"), f"and data.split.{key} both ask for a {key} set; keep one"
    if data.split.valid + data.split.test >= 1:
        yield ("data", "split"), "valid and test together must leave rows for training (sum < 1)"
    for key, names in (("target", data.target), ("inputs", data.inputs or [])):
        if len(set(names)) < len(names):
            yield ("data", key), "a column is listed twice"
    shared = [name for name in data.target if name in (data.inputs or ())]
    if shared:
        yield ("data", "inputs"), f"{shown(shared[0])} is also the target: the answer would leak into the inputs"
    if task == "regression" and data.split.method == "stratified":
        yield ("data", "split", "method"), "stratified needs classes; a regression takes shuffled or file_order"
    fitting = losses_for(task=task)
    loss = config.loss or fitting[0]
    if loss not in fitting:
        yield ("loss",), f"{loss} does not fit task: {task}; choose {' or '.join(fitting)}"
    elif len(data.target) > 1 and LOSSES[loss].target == "multiclass":
        several = " or ".join(losses_for(task=task, target="multilabel"))
        yield ("data", "target"), f"{len(data.target)} target columns need loss: {several} (two classes each)"
    if config.training.early_stopping is not None and data.split.valid == 0 and data.valid_path is None:
        yield ("training", "early_stopping"), "needs a validation set (data.split.valid or data.valid_path)"


def complete(config: Config) -> Config:
    """Fill in the defaults that depend on other keys: the loss, the way to split, a random seed."""
    method = "stratified" if config.task == "classification" else "shuffled"
    split = config.data.split.model_copy(update={"method": config.data.split.method or method})
    seed = secrets.randbits(32) if config.training.seed is None else config.training.seed
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"split": split}),
            "loss": config.loss or losses_for(task=config.task)[0],
            "training": config.training.model_copy(update={"seed": seed}),
        }
    )

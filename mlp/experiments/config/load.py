"""Load a YAML config as a checked `Config`: all mistakes at once, each with its place, key, value and a hint."""

from __future__ import annotations

import copy
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlp.arguments import check_arguments
from mlp.errors import ConfigError, DataError
from mlp.experiments.config.mistakes import mistakes
from mlp.experiments.config.schema import NAMES, Config, Data, LossSection
from mlp.experiments.config.yaml_text import MAX_BYTES, MAX_DEPTH, KeyPath, Tree, dump_yaml, parse_yaml
from mlp.experiments.storage.files import irregular
from mlp.losses import LOSSES, losses_for
from mlp.tables import standard_input
from mlp.tables.reading import KEYS, Reading
from mlp.text import one_line, shown

MAX_ORIGIN = 100  # characters of an override in the place of each of its keys
SIGNS = ",|#&*!%@`>[]{}"  # of YAML; an override of such a sign alone means the sign, as in data.delimiter=|


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


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> LoadedConfig:
    """Read, check and complete a config; "-" is standard input.

    `overrides` are "dotted.key=value" with the value in YAML, applied in order before anything is checked. Data paths
    are relative to the config's folder (for "-" to the working directory), `~` is the home folder, and $NAME is not
    expanded. Raises ConfigError with one line for each mistake.
    """
    check_arguments(load_config, locals())
    source = "standard input" if str(path) == "-" else str(path)
    tree = parse_yaml(read_config_file(path), source)
    if tree.data is None:
        raise ConfigError(f"{source}: config is empty")
    if not isinstance(tree.data, dict):
        raise ConfigError(f"{tree.values[()]}: expected a mapping, got {shown(tree.data)}")
    notes = tuple(apply_override(tree, override) for override in overrides)
    config = complete(validate(tree))
    folder = Path() if str(path) == "-" else Path(path).parent
    paths = {key: usable_path(tree, folder, key, path) for key, path in config.data.paths().items()}
    for key, path_of_set in paths.items():
        if key != "path" and path_of_set == paths["path"]:
            raise ConfigError(tree.located(("data", key), "is data.path: its rows would be trained on as well"))
    data = config.data.model_copy(update=paths)
    name = "stdin" if str(path) == "-" else Path(path).stem
    return LoadedConfig(config.model_copy(update={"data": data}), name, source, notes, tree)


def dump_config(loaded: LoadedConfig, folder: Path) -> str:
    """The config as YAML for a folder that it is to be put into: relative data paths stay relative, to that folder."""
    tree = loaded.config.model_dump()
    for key, found in loaded.config.data.paths().items():
        path, written = Path(found).resolve(), Path(loaded.tree.data["data"][key]).expanduser()
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
        raise ConfigError(tree.located(where, "'-' (standard input) cannot be read again by a resume; name a file"))
    try:
        absolute = (folder / Path(path).expanduser()).resolve()
    except (RuntimeError, ValueError) as error:  # ~nobody, or a NUL
        reason = "it holds a NUL character" if "\0" in path else str(error)
        raise ConfigError(tree.located(where, f"{shown(path)} is not a path: {reason}")) from None
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
    value = f"'{text}'" if len(text) == 1 and text in SIGNS else text
    parsed = parse_yaml(value.encode(), origin)
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
            node[step] = parsed.data
            for places in (tree.keys, tree.values, tree.written):  # what stood there stands there no more
                for old in [old for old in places if old[: len(path)] == path]:
                    del places[old]
            tree.keys[path] = tree.values[path] = origin
            tree.written |= {(*path, *below): written for below, written in parsed.written.items()}
        elif isinstance(node, dict) and node.get(step) is None:
            node[step] = {}
        node = node[step]
    was = "not set" if before is None else shown(before)
    return one_line(f"{dotted.strip()} = {text.strip()} by --set (before: {was})")


def reading_with(config: Any, overrides: Sequence[str]) -> Reading:
    """The form of a new table: that of the training rows by `config`, which a model keeps, but for `overrides`."""
    check_reading_keys(overrides)
    if config is None:
        return Reading()
    tree = Tree("the config of the model", copy.deepcopy(config))
    for override in overrides:
        apply_override(tree, override)
    return validate(tree).reading()


def check_reading_keys(overrides: Sequence[str]) -> None:
    """Raises ConfigError for an override that says something else than how a table is written."""
    allowed = [f"data.{key}" for key in KEYS]
    for override in overrides:
        if override.partition("=")[0].strip() not in allowed:
            raise ConfigError(f"--set {override}: for a table these keys can be set: {', '.join(allowed)}")


def validate(tree: Tree) -> Config:
    """The tree as a Config, or a ConfigError with a line for every mistake."""
    take_names_as_written(tree)
    try:
        config = Config.model_validate(tree.data)
        found = [tree.located(path, message) for path, message in contradictions(config)]
    except ValidationError as error:
        found = mistakes(tree, error)
    if tree.mistakes or found:
        raise ConfigError(*tree.mistakes, *found)
    return config


def take_names_as_written(tree: Tree) -> None:
    """Put the text as it stands in the config in the place of scalars that name columns or cells: 01, no, 2022-04-12.

    A key without a value, or null, stays nothing.
    """
    for path, written in tree.written.items():
        if path in NAMES or path[:-1] in NAMES:
            node = tree.data
            for step in path[:-1]:
                node = node[step]
            if node[path[-1]] is not None or path not in NAMES:
                node[path[-1]] = written


def contradictions(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Keys that are fine alone and wrong together."""
    data, task = config.data, config.task
    yield from contradictions_of_columns(data)
    yield from contradictions_of_split(data, task)
    fitting = losses_for(task=task)
    loss = config.loss.name if config.loss else fitting[0]
    if loss not in fitting:
        yield ("loss",), f"{loss} does not fit task: {task}; choose {' or '.join(fitting)}"
    elif len(data.target) > 1 and LOSSES[loss].target == "multiclass":
        several = " or ".join(losses_for(task=task, target="multilabel"))
        yield ("data", "target"), f"{len(data.target)} target columns need loss: {several} (two classes each)"
    if config.loss and config.loss.class_weight is not None and (task == "regression" or len(data.target) > 1):
        yield ("loss", "class_weight"), "needs one target column of classes"
    if config.network.output.activation != "identity" and task == "classification":
        yield ("network", "output", "activation"), "is for regressions: the loss makes probabilities of linear outputs"
    if data.clip_answers and task == "classification":
        yield ("data", "clip_answers"), "is for the numbers of a regression"
    if config.loss and config.loss.label_smoothing and task == "regression":
        yield ("loss", "label_smoothing"), "is for classes"
    for key in ("early_stopping", "plateau"):
        if getattr(config.training, key) is not None and config.training.monitor == "epoch":
            yield ("training", key), "needs a loss or a metric as training.monitor, not epoch"
    split = data.split
    valid = split.valid > 0 or data.valid_path is not None or split.column is not None or split.folds is not None
    if config.training.early_stopping is not None and not valid:
        yield ("training", "early_stopping"), "needs a validation set (data.split.valid or data.valid_path)"


def contradictions_of_columns(data: Data) -> Iterator[tuple[KeyPath, str]]:
    roles = {"target": data.target, "inputs": data.inputs or [], "exclude": data.exclude}
    for key, names in roles.items():
        if len(set(names)) < len(names):
            yield ("data", key), "a column is listed twice"
    for name in roles["inputs"]:
        if name in data.target:
            yield ("data", "inputs"), f"{shown(name)} is also the target: the answer would leak into the inputs"
        if name in data.exclude or (name in data.columns and data.columns[name].kind == "ignore"):
            yield ("data", "inputs"), f"{shown(name)} is also left out (data.exclude or data.columns); keep one"
        if name == data.weight:
            yield ("data", "inputs"), f"{shown(name)} is also data.weight; keep one"
    for name in data.target:
        if name in data.exclude or name in data.columns:
            yield ("data", "target"), f"{shown(name)} is also in data.exclude or data.columns; task says how it is read"
    for name, column in data.columns.items():
        if column.kind == "number" and column.min_count > 1:
            yield ("data", "columns", name, "min_count"), "is for categories, but kind is number"
        if column.kind == "category" and column.missing in ("median", "mean"):
            yield ("data", "columns", name, "missing"), f"{column.missing} is for numbers; a category takes fill"


def contradictions_of_split(data: Data, task: str) -> Iterator[tuple[KeyPath, str]]:
    split = data.split
    for key in ("valid", "test"):
        if getattr(data, f"{key}_path") is not None and (getattr(split, key) > 0 or split.column is not None):
            yield ("data", f"{key}_path"), f"and data.split both ask for a {key} set; keep one"
        if getattr(split, f"{key}_part") is not None and split.column is None:
            yield ("data", "split", f"{key}_part"), "is a text of the cells of data.split.column, which is not set"
    if split.valid + split.test >= 1:
        yield ("data", "split"), "valid and test together must leave rows for training (sum < 1)"
    if task == "regression" and split.method == "stratified":
        yield ("data", "split", "method"), "stratified needs classes; a regression takes shuffled or file_order"
    if (split.folds is None) != (split.fold is None):
        given, other = ("folds", "fold") if split.fold is None else ("fold", "folds")
        yield ("data", "split", given), f"needs data.split.{other} too; mlp train --folds 5 trains all of five"
    elif split.folds is not None and split.fold is not None:
        if split.fold > split.folds:
            yield ("data", "split", "fold"), f"must be <= {split.folds} (data.split.folds), got {split.fold}"
        if split.valid > 0 or data.valid_path is not None:
            path: KeyPath = ("data", "valid_path") if data.valid_path is not None else ("data", "split", "valid")
            yield path, "and data.split.folds both say which rows are for validation; keep one"
        if split.order is not None or split.column is not None:
            yield ("data", "split", "folds"), "are drawn; split.order and split.column say which rows are for what"
    ways = [key for key in ("method", "by", "order", "column") if getattr(split, key) is not None]
    if len(ways) > 1:
        yield ("data", "split", ways[1]), f"and data.split.{ways[0]} are two ways to split; keep one"
    if split.column is not None and split.valid + split.test > 0:
        yield ("data", "split", "column"), "says which rows are for what; leave out the fractions valid and test"


def complete(config: Config) -> Config:
    """Fill in the defaults that depend on other keys: the loss, the way to split, a random seed."""
    split = config.data.split
    if not (split.method or split.by or split.order or split.column):
        split = split.model_copy(update={"method": "stratified" if config.task == "classification" else "shuffled"})
    seed = secrets.randbits(32) if config.training.seed is None else config.training.seed
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"split": split}),
            "loss": config.loss or LossSection(name=losses_for(task=config.task)[0]),
            "training": config.training.model_copy(update={"seed": seed}),
        }
    )

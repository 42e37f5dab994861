"""Turn the parameters of an estimator into a config, and the config of a model into parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlp.experiments.config.load import LoadedConfig, complete, validate
from mlp.experiments.config.yaml_text import Tree
from mlp.losses import losses_for
from mlp.tables.array_files import label_texts
from mlp.types import Array

PATH = "the X of fit"  # of the rows, in the place of a file
LAYERS = ({"units": 64},)
KEYS = {
    "layers": ("network", "layers"),
    "output": ("network", "output"),
    "loss": ("loss",),
    "optimizer": ("optimizer",),
    "epochs": ("training", "epochs"),
    "batch_size": ("training", "batch_size"),
    "l2": ("training", "l2"),
    "clip": ("training", "clip"),
    "schedule": ("training", "schedule"),
    "plateau": ("training", "plateau"),
    "early_stopping": ("training", "early_stopping"),
    "ema": ("training", "ema"),
    "monitor": ("training", "monitor"),
    "ties": ("training", "ties"),
    "train_loss": ("training", "train_loss"),
    "random_state": ("training", "seed"),
    "split": ("data", "split"),
    "columns": ("data", "columns"),
    "missing": ("data", "missing"),
    "missing_values": ("data", "missing_values"),
    "standardize": ("data", "standardize"),
    "standardize_target": ("data", "standardize_target"),
    "clip_inputs": ("data", "clip"),
    "clip_answers": ("data", "clip_answers"),
}
"""The parameters, and the keys of a config that they are."""


def config_of(
    parameters: Mapping[str, Any], source: str, *, task: str, targets: Sequence[str], weight: str | None
) -> LoadedConfig:
    """The checked config of these parameters, of which None are as a config has them by default.

    Raises ConfigError, with a line for each mistake.
    """
    tree: dict[str, Any] = {
        "data": {"path": PATH, "target": list(targets), "weight": weight},
        "task": task,
        "network": {"layers": plain(LAYERS)},
        "training": {},
    }
    if task == "classification" and len(targets) > 1:
        tree["loss"] = losses_for(task=task, target="multilabel")[0]
    for name, value in parameters.items():
        if value is not None:
            *above, key = KEYS[name]
            (tree[above[0]] if above else tree)[key] = plain(value)
    written = Tree(source, tree)
    return LoadedConfig(complete(validate(written)), source, source, (), written)


def parameters_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that say what a complete config says; the form of its files is left aside."""
    return {name: (config[above[0]] if above else config)[key] for name, (*above, key) in KEYS.items()}


def plain(value: Any) -> Any:
    """The value as YAML has it: NumPy's numbers as Python's, tuples as lists, keys as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value


def target_names(y: Any, K: int, inputs: Sequence[str]) -> list[str]:
    """The names of the K target columns: those that y has, or "y", or "y_0" and so on."""
    names = getattr(y, "columns", None)
    if names is None:
        names = [f"y_{k}" for k in range(K)] if K > 1 else [getattr(y, "name", None) or "y"]
    return [unused(str(name), inputs) for name in names]


def unused(name: str, others: Sequence[str]) -> str:
    """The name, with lines under it where another column has it."""
    while name in others:
        name += "_"
    return name


def texts_of(classes: Array) -> list[str]:
    """Distinct classes of any kind as the labels of a table."""
    return label_texts("y", classes.astype(str) if classes.dtype.kind == "O" else classes).tolist()


def classes_of(labels: Sequence[str]) -> Array:
    """Labels as sorted classes: whole numbers where all are written as such, or else text."""
    if all(label.removeprefix("-").isdecimal() and str(int(label)) == label for label in labels):
        return np.unique([int(label) for label in labels])
    return np.unique(labels)

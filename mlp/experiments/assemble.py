"""Assemble an experiment from a config: read tables, split rows, scale columns, make a network of the right size."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mlp.errors import ConfigError, DataError
from mlp.experiments.advice import opening_advice
from mlp.experiments.config import schema
from mlp.experiments.config.load import LoadedConfig
from mlp.experiments.experiment import Experiment
from mlp.experiments.model import Model
from mlp.experiments.storage.files import irregular
from mlp.layers.table import Maker
from mlp.losses import LOSSES, NamedLoss, losses_for
from mlp.network import Network
from mlp.tables import Table, read_table
from mlp.tables.columns import Scaler
from mlp.tables.splitting import split_rows
from mlp.tables.target import OtherKind
from mlp.tables.targets import TARGETS

SPLITS: tuple[str, ...] = ("train", "valid", "test")


def prepare(loaded: LoadedConfig, *, advise: bool = True) -> Experiment:
    """Read the data and build everything, from the config and its seed alone; nothing is written.

    `advise=False` leaves out the notes, for those who do not show them. Raises DataError for what the tables hold,
    ConfigError for what does not fit them.
    """
    config = loaded.config
    split_rng, weight_rng, shuffle_rng = generators(config)
    tables, sha256 = read_splits(loaded, split_rng)
    train = tables["train"]
    n_in, loss = len(train.inputs), chosen_loss(config)
    try:
        target = TARGETS[loss.target].fit(train.targets, train.Y, standardize=config.data.standardize)
        input_scaler = Scaler.fit(train.X, train.inputs) if config.data.standardize else Scaler.identity(n_in)
    except OtherKind as error:
        raise DataError(f"{train.source}: {error}, with loss: {' or '.join(losses_for(target=error.kind))}") from None
    except DataError as error:
        raise DataError(f"{train.source}: {error}") from None
    if config.network.inputs not in (None, n_in):
        message = f"is {config.network.inputs}, but {train.source} has {n_in} input columns"
        raise ConfigError(loaded.tree.located(("network", "inputs"), message))
    model = Model(
        network=make_network(config.network, n_in, target.size, weight_rng),
        loss=loss,
        inputs=train.inputs,
        input_scaler=input_scaler,
        target=target,
        config=portable(config),
    )
    splits = {name: model.encode(table, name) for name, table in tables.items()}
    experiment = Experiment(loaded, model, splits, config.optimizer.make(), shuffle_rng, sha256)
    return replace(experiment, notes=opening_advice(experiment, tables)) if advise else experiment


def generators(config: schema.Config) -> list[np.random.Generator]:
    """Three, for splitting, initial weights and shuffling, so that another network leaves the split as it was."""
    return [np.random.default_rng(seed) for seed in np.random.SeedSequence(config.training.seed).spawn(3)]


def make_network(section: schema.NetworkSection, n_in: int, n_out: int, rng: np.random.Generator) -> Network:
    """The hidden layers of the config and a linear output layer above them, in single precision."""
    entries = section.model_dump()["layers"]
    output = {"units": n_out, "activation": "identity", **section.output.model_dump()}
    return Network(list(Maker(rng, np.float32).layers([*entries, output], n_in)))


def portable(config: schema.Config) -> dict[str, Any]:
    """The config as a model keeps it: without what changes no bit of it, so that the same weights are the same file.

    These are the folders of the data; their files' names stay.
    """
    plain = config.model_dump()
    plain["data"] |= {key: Path(path).name for key, path in config.data.paths().items()}
    return plain


def chosen_loss(config: schema.Config) -> NamedLoss:
    assert config.loss is not None  # the default has been filled in
    return LOSSES[config.loss]


def read_splits(loaded: LoadedConfig, rng: np.random.Generator) -> tuple[dict[str, Table], dict[str, str]]:
    """The tables of the splits that there are, in the order train, valid, test, and the hash of each file."""
    data, labels = loaded.config.data, TARGETS[chosen_loss(loaded.config).target].takes_labels
    sha256: dict[str, str] = {}

    def read(key: str, inputs: list[str] | None) -> Table:
        path = getattr(data, key)
        try:
            before = file_state(path)
            sha256[path] = file_hash(path)
            table = read_table(
                path, targets=data.target, inputs=inputs, labels=labels, delimiter=data.delimiter, header=data.header
            )
            if file_state(path) != before:
                raise DataError(f"{path}: changed while it was read; try again when nothing writes to it")
            return table
        except DataError as error:
            if not isinstance(error.__cause__, OSError):
                raise
            message = f"{error}; a relative path starts from the config's folder"
            raise DataError(loaded.tree.located(("data", key), message)) from None

    whole = read("path", data.inputs)
    fractions = data.split
    assert fractions.method is not None
    try:
        rows = split_rows(len(whole), fractions.valid, fractions.test, method=fractions.method, rng=rng, labels=whole.Y)
    except DataError as error:
        raise DataError(f"{whole.source}: {error}") from None
    tables = {name: whole.rows(chosen) for name, chosen in zip(SPLITS, rows, strict=True) if len(chosen)}
    for name, path in (("valid", data.valid_path), ("test", data.test_path)):
        if path is not None:
            tables[name] = read(f"{name}_path", data.inputs if path.endswith(".npz") else list(whole.inputs))
            if tables[name].inputs != whole.inputs:
                raise DataError(
                    f"{path}: {len(tables[name].inputs)} input columns, but {data.path} has {len(whole.inputs)}"
                )
    return {name: tables[name] for name in SPLITS if name in tables}, sha256


def file_state(path: str) -> tuple[int, int, int]:
    """What changes when a file is replaced or written to.

    Raises DataError when it cannot be read, or is a pipe, which a resume could not read again.
    """
    try:
        if kind := irregular(path):
            raise DataError(f"{path}: {kind}; expected a table (.csv, .npy or .npz) that a resume can read again")
        found = os.stat(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    return found.st_ino, found.st_size, found.st_mtime_ns


def file_hash(path: str) -> str:
    """SHA-256 of a file. Raises DataError when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error

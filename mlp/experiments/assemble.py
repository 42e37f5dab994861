"""Assemble an experiment from a config: read tables, split rows, scale columns, make a network of the right size."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mlp.arguments import check_arguments
from mlp.errors import ConfigError, DataError
from mlp.experiments.advice import opening_advice
from mlp.experiments.config import schema
from mlp.experiments.config.load import LoadedConfig
from mlp.experiments.experiment import Experiment
from mlp.experiments.model import Model
from mlp.experiments.storage.files import irregular
from mlp.experiments.weights import row_weights, weighted
from mlp.layers.table import Columns, Maker
from mlp.losses import NamedLoss, losses_for
from mlp.network import Network
from mlp.optimizers import rates_of
from mlp.tables import Table, files_of, read_table
from mlp.tables.coding import Coding, ColumnOptions, gaps_by_column
from mlp.tables.splitting import split_by_parts, split_groups, split_ordered, split_rows
from mlp.tables.table import Texts
from mlp.tables.target import OtherKind
from mlp.tables.targets import TARGETS
from mlp.text import few, quoted
from mlp.types import Array

SPLITS: tuple[str, ...] = ("train", "valid", "test")


def prepare(loaded: LoadedConfig, *, table: Table | None = None, advise: bool = True) -> Experiment:
    """Read the data and build everything, from the config and its seed alone; nothing is written.

    `table` has the rows of data.path where they are in memory already; no file is read then. `advise=False` leaves out
    the notes, for those who do not show them. Raises DataError for what the tables hold, ConfigError for what does not
    fit them.
    """
    check_arguments(prepare, locals())
    config, data = loaded.config, loaded.config.data
    split_rng, weight_rng, shuffle_rng = generators(config)
    tables, sha256 = read_splits(loaded, split_rng, table)
    train, loss = tables["train"], chosen_loss(config)
    keys: dict[str, Any] = getattr(loss, "target_keys", dict)()
    try:
        target = TARGETS[loss.target].fit(train.targets, train.Y, standardize=data.standardize_target, **keys)
        if data.clip_answers:
            target = target.with_limits(train.Y)
        refuse_gaps(data, tables)
        coding = Coding.fit(
            train, standardize=data.standardize, clip=data.clip, missing=data.missing, options=column_options(data)
        )
        weights = row_weights(config, target, tables)
    except OtherKind as error:
        raise DataError(f"{train.source}: {error}, with loss: {' or '.join(losses_for(target=error.kind))}") from None
    except DataError as error:
        raise DataError(f"{train.source}: {error}") from None
    if config.network.inputs not in (None, coding.size):
        message = f"is {config.network.inputs}, but {train.source} has {coding.size} input columns"
        raise ConfigError(loaded.tree.located(("network", "inputs"), message))
    try:
        network = make_network(config.network, coding.size, target.size, weight_rng, columns_of(coding))
    except ValueError as error:
        raise ConfigError(loaded.tree.located(("network", "layers"), str(error))) from None
    model = Model(
        network=network,
        loss=loss,
        coding=coding,
        target=target,
        config=portable(config),
    )
    splits = {name: (*model.encode(table, name), *weights[name]) for name, table in tables.items()}
    experiment = Experiment(loaded, model, splits, config.optimizer.make(), shuffle_rng, sha256)
    try:
        experiment.monitor.check(target.metrics(), splits.get("valid"), config.training.train_loss)
    except ValueError as error:
        told = f"{error}; error stands for {target.error}"
        raise ConfigError(loaded.tree.located(("training", "monitor"), told)) from None
    try:
        rates_of(network, config.optimizer.rate_factors)
    except ValueError as error:
        raise ConfigError(loaded.tree.located(("optimizer", "rate_factors"), str(error))) from None
    return replace(experiment, notes=opening_advice(experiment, tables)) if advise else experiment


def refuse_gaps(data: schema.Data, tables: Mapping[str, Table]) -> None:
    """Raises DataError for missing cells in columns for which data.missing, or their own key, says so."""
    refused = {name: count for name, count in gaps_by_column(list(tables.values())).items() if refuses(data, name)}
    if refused:
        items = [f"{count} in {quoted(name)}" for name, count in refused.items()]
        raise DataError(
            f"missing values: {few(items)}; data.missing: fill takes numbers as the median of the training rows and "
            "says in a column of its own that they are missing"
        )


def refuses(data: schema.Data, name: str) -> bool:
    own = data.columns[name].missing if name in data.columns else None
    return (own or data.missing) == "refuse"


def column_options(data: schema.Data) -> dict[str, ColumnOptions]:
    return {name: ColumnOptions(column.missing, column.min_count) for name, column in data.columns.items()}


def generators(config: schema.Config) -> list[np.random.Generator]:
    """Three, for splitting, initial weights and shuffling, so that another network leaves the split as it was."""
    own, split = config.training.seed, config.data.split.seed
    seeds = [np.random.SeedSequence(seed).spawn(3) for seed in (own if split is None else split, own, own)]
    return [np.random.default_rng(each[k]) for k, each in enumerate(seeds)]


def make_network(
    section: schema.NetworkSection, n_in: int, n_out: int, rng: np.random.Generator, columns: Columns | None = None
) -> Network:
    """The hidden layers of the config and the output layer above them, in single precision.

    Raises ValueError where layers do not fit the columns, or each other.
    """
    entries = section.model_dump()["layers"]
    output = {"units": n_out, **section.output.model_dump()}
    return Network(list(Maker(rng, np.float32, columns).layers([*entries, output], n_in)))


def columns_of(coding: Coding) -> Columns:
    """The inputs of the network that are standardized numbers, and those of each category of more than two levels."""
    categories, start = [], len(coding.fill) + int(coding.gaps.sum())
    for category in coding.categories.values():
        if category.codes > 2:
            categories.append(tuple(range(start, start + category.size)))
        start += category.size
    return Columns(tuple(np.flatnonzero(coding.scaled).tolist()), tuple(categories))


def portable(config: schema.Config) -> dict[str, Any]:
    """The config as a model keeps it: without what changes no bit of it, so that the same weights are the same file.

    These are the folders of the data; their files' names stay.
    """
    plain = config.model_dump()
    plain["data"] |= {key: Path(path).name for key, path in config.data.paths().items()}
    return plain


def chosen_loss(config: schema.Config) -> NamedLoss:
    assert config.loss is not None  # the default has been filled in
    return config.loss.make()


def read_splits(
    loaded: LoadedConfig, rng: np.random.Generator, whole: Table | None = None
) -> tuple[dict[str, Table], dict[str, str]]:
    """The tables of the splits that there are, in the order train, valid, test, and the hash of each file."""
    data, sha256 = loaded.config.data, dict[str, str]()
    whole = read_part(loaded, "path", sha256) if whole is None else whole
    try:
        rows = split_table(data.split, whole, rng)
    except DataError as error:
        raise DataError(f"{whole.source}: {error}") from None
    tables = {name: whole.rows(chosen) for name, chosen in zip(SPLITS, rows, strict=True) if len(chosen)}
    for name, path in (("valid", data.valid_path), ("test", data.test_path)):
        if path is not None:
            tables[name] = read_part(loaded, f"{name}_path", sha256, kinds=whole.kinds)
            if tables[name].inputs != whole.inputs:
                raise DataError(
                    f"{path}: {len(tables[name].inputs)} input columns, but {data.path} has {len(whole.inputs)}"
                )
    return {name: tables[name] for name in SPLITS if name in tables}, sha256


def read_split(
    loaded: LoadedConfig, model: Model, split: str, sha256: dict[str, str]
) -> tuple[Table, tuple[Array, ...]]:
    """The table of one split, and the weights of its rows if there are any; a file of its own is all that is read."""
    config = loaded.config
    if getattr(config.data, f"{split}_path", None) and not weighted(config):
        return read_part(loaded, f"{split}_path", sha256, kinds=model.coding.kinds), ()
    tables, found = read_splits(loaded, generators(config)[0])
    sha256 |= found
    return tables[split], row_weights(config, model.target, tables)[split]


def read_part(loaded: LoadedConfig, key: str, sha256: dict[str, str], kinds: Mapping[str, str] | None = None) -> Table:
    """The table that data.<key> names; its hash is put into `sha256`.

    `kinds` has its input columns, if they are known; otherwise the config says which they are.
    """
    data, loss = loaded.config.data, chosen_loss(loaded.config)
    path = getattr(data, key)
    try:
        before = file_state(path)
        sha256[path] = file_hash(path)
        known = None if path.endswith(".npz") else kinds
        table = read_table(
            path,
            inputs=data.inputs if known is None else list(known),
            exclude=data.exclude if known is None else (),
            targets=data.target,
            labels=TARGETS[loss.target].takes_labels,
            kinds=kinds_of(data) if kinds is None else kinds,
            others=others_of(data, split=key == "path"),
            reading=loaded.config.reading(),
        )
        if file_state(path) != before:
            raise DataError(f"{path}: changed while it was read; try again when nothing writes to it")
        return table
    except DataError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        message = f"{error}; a relative path starts from the config's folder"
        raise DataError(loaded.tree.located(("data", key), message)) from None


def kinds_of(data: schema.Data) -> dict[str, str]:
    """The kinds of columns as the reader takes them: a number may be written as a date, or a truth value."""
    kinds = {name: column.kind for name, column in data.columns.items() if column.kind is not None}
    return {name: "quantity" if kind == "number" else kind for name, kind in kinds.items()}


def others_of(data: schema.Data, *, split: bool = True) -> dict[str, str | None]:
    """The columns that are wanted besides, and as what: that of the weights, and those that the rows are split by."""
    by = {data.split.by: "text", data.split.order: None, data.split.column: "text"} if split else {}
    return {name: kind for name, kind in (by | {data.weight: "number"}).items() if name is not None}


def split_table(split: schema.Split, table: Table, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """The rows of the training, validation and test set."""
    column = table.others.get(split.by or split.order or split.column or "")
    fold = None if split.folds is None or split.fold is None else (split.fold, split.folds)
    if split.column is not None and isinstance(column, Texts):
        return split_by_parts(column, split.column, split.valid_part, split.test_part)
    if split.by is not None and isinstance(column, Texts):
        groups = np.where(column.codes < 0, len(column.levels), column.codes)
        return split_groups(groups, split.valid, split.test, rng, column=quoted(split.by), fold=fold)
    if split.order is not None and column is not None:
        values = column.codes if isinstance(column, Texts) else column
        if missing := int(np.count_nonzero((values < 0) if isinstance(column, Texts) else np.isnan(values))):
            raise DataError(f"data.split.order: {missing} rows have no value in column {quoted(split.order)}")
        return split_ordered(values, split.valid, split.test, column=quoted(split.order))
    assert split.method is not None
    return split_rows(len(table), split.valid, split.test, method=split.method, rng=rng, labels=table.Y, fold=fold)


def file_state(path: str) -> list[tuple[int, int, int]]:
    """Facts that change when a file, or one of several that a pattern names, is replaced or written to, comes or goes.

    Raises DataError when one cannot be read, or is a pipe, which a resume could not read again.
    """
    found = []
    for each in files_of(path):
        try:
            if kind := irregular(each):
                raise DataError(f"{each}: {kind}; expected a table (.csv, .npy or .npz) that a resume can read again")
            state = os.stat(each)
        except OSError as error:
            raise DataError(f"{each}: {error.strerror or error}") from error
        found.append((state.st_ino, state.st_size, state.st_mtime_ns))
    return found


def file_hash(path: str) -> str:
    """SHA-256 of a file, or of those of several files one after the other. Raises DataError when one cannot be read."""
    hashes = []
    for each in files_of(path):
        try:
            with open(each, "rb") as file:
                hashes.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise DataError(f"{each}: {error.strerror or error}") from error
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()

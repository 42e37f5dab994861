"""Say what each row of a run weighs, from the keys data.weight and loss.class_weight."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mlp.experiments.config import schema
from mlp.tables import Table
from mlp.tables import weights as by_column_and_class
from mlp.tables.target import Target
from mlp.types import Array


def weighted(config: schema.Config) -> bool:
    """Tell whether a config asks for weights."""
    return config.data.weight is not None or (config.loss is not None and config.loss.class_weight is not None)


def row_weights(
    config: schema.Config, target: Target, tables: Mapping[str, Table]
) -> dict[str, tuple[()] | tuple[Array]]:
    """For each split the weights of its rows in a tuple of one, or an empty one where all weigh the same."""
    if not weighted(config):
        return dict.fromkeys(tables, ())
    column = config.data.weight
    found = by_column_and_class.row_weights(
        {split: target.encode(table.Y, split) for split, table in tables.items()},
        labels=target.labels,
        column=column,
        written=None if column is None else {split: np.asarray(each.others[column]) for split, each in tables.items()},
        class_weight=None if config.loss is None else config.loss.class_weight,
    )
    return {split: () if w is None else (w,) for split, w in found.items()}

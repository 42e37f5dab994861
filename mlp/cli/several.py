"""Score several runs of one table, and their average."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlp.cli.console import Failure, result

if TYPE_CHECKING:
    from mlp.experiments.average import Average
    from mlp.experiments.model import Model
    from mlp.tables import Table
    from mlp.types import Array


def is_run(path: str) -> bool:
    """Tell whether this is a run directory, or a model file."""
    from mlp.errors import FileError
    from mlp.experiments.average import load

    if not path.endswith(".npz"):
        return any(os.path.exists(os.path.join(path, name)) for name in ("model.npz", "run.json"))
    try:
        load(path)
    except FileError:
        return False
    return True


def members_of(folder: Path) -> list[Path]:
    """The runs in a directory that `mlp train --folds` or `--seeds` has made; none for one that is a run itself."""
    if not folder.is_dir() or (folder / "run.json").exists():
        return []
    return sorted((path.parent for path in folder.glob("*/run.json")), key=lambda path: (len(path.name), path.name))


def model_of(runs: Sequence[Path], epoch: str = "best") -> Model:
    """The model of a run, or the average of several."""
    from mlp.experiments.average import load

    return load(runs[0], epoch) if len(runs) == 1 else average_of(runs, epoch)


def average_of(runs: Sequence[Path], epoch: str = "best") -> Average:
    """The average of the models of these runs. Raises Failure where they do not go together."""
    from mlp.experiments.average import Average, load

    models = [load(run, epoch) for run in runs]
    try:
        return Average.of(models)
    except ValueError as error:
        raise Failure(f"{' '.join(map(str, runs))}: {error}", 3) from None


def show_several(runs: Sequence[Path], average: Average, table: Table | None, split: str | None = None) -> None:
    """Print the scores of runs, their mean and deviation, and the scores of their average."""
    from mlp.cli import report

    scores, source, rows = scores_of_several(runs, average, table, split)
    result(f"{len(runs)} runs, {rows} rows of {source}")
    result(report.describe_scores(scores))


def scores_of_several(
    runs: Sequence[Path], average: Average, table: Table | None, split: str | None
) -> tuple[dict[str, dict[str, float]], str, int]:
    """The scores by the names of the runs, and "mean", "deviation" and "average"; which rows they are of, and how many.

    Raises Failure where runs have no rows of their own that are the same for all of them.
    """
    from mlp.experiments.start import own_table

    models, source = average.members, "" if table is None else table.source
    weights: tuple[Array, ...] = ()
    if table is None:
        found = [own_table(run, model, split) for run, model in zip(runs, models, strict=True)]
        source, table, weights = found[0]
        if any(name != source or not same_rows(table, other) for name, other, _ in found):
            raise Failure(f"the runs have different {source} rows: name a table to evaluate their average on", 2)
    scores = {}
    for name, model in [*zip(map(str, runs), models, strict=True), ("average", average)]:
        scores[name] = model.score((*model.encode(table, source), *weights), source)[0]
    last = scores.pop("average")
    return scores | spread(list(scores.values())) | {"average": last}, source, len(table)


def same_rows(one: Table, other: Table) -> bool:
    """Tell whether two tables have the same rows in the same order."""
    if len(one) != len(other) or not np.array_equal(one.Y, other.Y):
        return False
    same = np.array_equal(one.X[:], other.X[:], equal_nan=True)
    return same and all(np.array_equal(one.texts[name].codes, other.texts[name].codes) for name in one.texts)


def spread(scores: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation of each score over the runs."""
    values = {name: np.array([each[name] for each in scores]) for name in scores[0]}
    deviation = {name: float(found.std(ddof=1)) if len(found) > 1 else 0.0 for name, found in values.items()}
    return {"mean": {name: float(found.mean()) for name, found in values.items()}, "deviation": deviation}

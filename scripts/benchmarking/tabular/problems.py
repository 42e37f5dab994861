"""Offer tables with a target: scikit-learn's own, those of `data/`, made ones of a known structure, and a folder's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

DATA = Path(__file__).parents[3] / "data"


@dataclass(frozen=True)
class Problem:
    """A table and what is to be predicted; every row has a target. `task` is classification or regression."""

    name: str
    frame: pd.DataFrame
    target: str
    task: str

    def rows(self, most: int, rng: np.random.Generator) -> pd.DataFrame:
        """At most so many rows, in an order drawn by `rng`."""
        order = rng.permutation(len(self.frame))[:most]
        return self.frame.iloc[order].reset_index(drop=True)


def from_sklearn() -> Iterator[Problem]:
    """The sets that come with scikit-learn (sources: its documentation, "Toy datasets"); none where it is absent."""
    try:
        from sklearn import datasets
    except ImportError:
        return

    for name in ("iris", "wine", "breast_cancer", "digits", "diabetes"):
        found = getattr(datasets, f"load_{name}")(as_frame=True)
        frame = found.frame.rename(columns=str)
        yield Problem(name, frame, "target", "regression" if name == "diabetes" else "classification")


def from_data() -> Iterator[Problem]:
    """Tables of this project (sources and licences: data/README.md)."""
    for name, target in (("titanic", "survived"), ("penguins", "species")):
        frame = pd.read_csv(DATA / f"{name}.csv").dropna(subset=[target]).drop(columns="name", errors="ignore")
        yield Problem(name, frame, target, "classification")


def made() -> Iterator[Problem]:
    """Made tables of 3,000 rows, each hard in one way."""
    rng = np.random.default_rng(0)
    N = 3000
    for name, make in MADE.items():
        X, y, task = make(rng, N)
        frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
        yield Problem(name, frame.assign(y=y), "y", task)


def steps(rng: np.random.Generator, N: int) -> tuple[Any, Any, str]:
    """A sum of steps at random places in 6 of 10 columns, as trees see the world."""
    X = rng.normal(size=(N, 10))
    places, heights = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
    y = sum((heights[j] * (X[:, [j]] > places[j])).sum(axis=1) for j in range(6))
    return X, y + 0.3 * rng.normal(size=N), "regression"


def interactions(rng: np.random.Generator, N: int) -> tuple[Any, Any, str]:
    """Products and ratios of columns with noise."""
    X = rng.uniform(size=(N, 10))
    y = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2 + 10 * X[:, 3] * X[:, 4]
    return X, y + rng.normal(size=N), "regression"


def irrelevant(rng: np.random.Generator, N: int) -> tuple[Any, Any, str]:
    """Three columns that matter among 60."""
    X = rng.normal(size=(N, 60))
    logit = 2 * X[:, 0] + 2 * np.sin(2 * X[:, 1]) * X[:, 2]
    return X, (rng.uniform(size=N) < 1 / (1 + np.exp(-logit))).astype(int), "classification"


def heavy_tails(rng: np.random.Generator, N: int) -> tuple[Any, Any, str]:
    """Columns with outliers on a linear and a periodic part, and noise that has outliers too."""
    X = rng.standard_t(1.5, size=(N, 8))
    y = np.arctan(X[:, 0]) + np.arctan(X[:, 1]) * np.sign(X[:, 2]) + np.sin(np.clip(X[:, 3], -5, 5))
    return X, y + 0.2 * rng.standard_t(3, size=N), "regression"


def rare_classes(rng: np.random.Generator, N: int) -> tuple[Any, Any, str]:
    """Five classes around their centres, of which the rarest has 2 % of the rows."""
    y = rng.choice(5, size=N, p=[0.5, 0.3, 0.13, 0.05, 0.02])
    centres = rng.normal(size=(5, 2, 8)) * 1.2
    return centres[y, rng.integers(2, size=N)] + rng.normal(size=(N, 8)), y, "classification"


MADE: dict[str, Callable[[np.random.Generator, int], tuple[Any, Any, str]]] = {
    "steps": steps,
    "interactions": interactions,
    "irrelevant": irrelevant,
    "heavy_tails": heavy_tails,
    "rare_classes": rare_classes,
}


def from_folder(folder: Path, targets: Path) -> Iterator[Problem]:
    """The tables of a folder that a YAML list names.

    An entry is `{file: a.csv, target: y, task: regression}`. With `header: false` the columns are called
    `column 0` and so on; `exclude: [...]` has columns to leave out.
    """
    for entry in yaml.safe_load(targets.read_text(encoding="utf-8")):
        header = 0 if entry.get("header", True) else None
        frame = pd.read_csv(folder / entry["file"], header=header, sep=entry.get("delimiter", ","))
        frame = frame.rename(columns=str if header == 0 else "column {}".format).drop(columns=entry.get("exclude", []))
        target = str(entry["target"])
        yield Problem(entry["file"].partition(".")[0], frame.dropna(subset=[target]), target, entry["task"])

"""Average the predictions of several models of one table, and keep them as one model file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from mlp.arguments import check_arguments
from mlp.evaluation import sweep
from mlp.experiments.checkpoint import NAME, with_last_theta
from mlp.experiments.model import Model, beyond, model_of, read_model
from mlp.minibatches import batches
from mlp.tables import Table
from mlp.tables.table import examples
from mlp.text import listed
from mlp.types import Array, Examples, OneOf

MOST_MEMBERS = 1000


@dataclass(frozen=True)
class Average(Model):
    """The mean of what its `members` predict: of probabilities, or of numbers in their own units.

    Each codes the inputs in its own way; the coded rows stand side by side. Target, loss and columns are those of the
    first. Models of different folds make different mistakes, which a mean cancels (Breiman 1996).
    """

    members: tuple[Model, ...] = ()

    @classmethod
    def of(cls, members: Sequence[Model]) -> Average:
        """The average of these models. Raises ValueError when they do not predict the same from the same columns."""
        first = members[0]
        for model in members[1:]:
            if model.loss.name != first.loss.name or model.target.names != first.target.names:
                raise ValueError(
                    f"an average needs models of one target and one loss: {listed(first.target.names)} by "
                    f"{first.loss.name}, and {listed(model.target.names)} by {model.loss.name}"
                )
            if model.target.header() != first.target.header():
                raise ValueError(
                    "an average needs models with the same labels, or levels; some training rows may lack a rare label"
                )
            if model.coding.kinds != first.coding.kinds:
                raise ValueError("an average needs models with the same input columns, in the same order")
        return cls(first.network, first.loss, first.coding, first.target, 0, first.config, tuple(members))

    def encode_inputs(self, table: Table) -> Examples:
        """The inputs as each member's network sees them, side by side."""
        parts = [model.encode_inputs(table) for model in self.members]
        size = sum(part.shape[1] for part in parts)
        return examples((len(table), size), np.float32, lambda rows: np.concatenate([X[rows] for X in parts], axis=1))

    def outputs(self, X: Examples, source: str) -> Iterator[tuple[slice, Array, Array]]:
        """The same as of one model: P is the mean, and F the outputs that say it."""
        ends = np.cumsum([model.coding.size for model in self.members])
        bad: list[int] = []
        for rows in batches(len(X)):
            parts = np.split(X[rows], ends[:-1], axis=1)
            P = np.mean([said(model, self, part) for model, part in zip(self.members, parts, strict=True)], axis=0)
            bad += (rows.start + np.flatnonzero(~np.isfinite(P).all(axis=0))).tolist()
            yield rows, self.loss.link(P), P
        beyond(bad, len(X), source)

    def contents(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """The headers of the members, and their arrays, of which W1 of the second is "2.W1"."""
        found = [model.contents() for model in self.members]
        arrays = {f"{k}.{name}": array for k, (_, own) in enumerate(found, 1) for name, array in own.items()}
        return {"members": [header for header, _ in found]}, arrays


def load(path: Path | str, epoch: Annotated[str, OneOf(("best", "last"))] = "best") -> Model:
    """Read a model, or an average of models, as `load_model` does: of its best epoch, or the "last" of a run directory.

    Raises FileError when there is no last.npz for the latter, or it is of another run.
    """
    check_arguments(load, locals())
    model = read_model(path, lambda header, arrays: (average_of if "members" in header else model_of)(header, arrays))
    return model if epoch == "best" else with_last_theta(model, Path(path) / NAME)


def said(model: Model, average: Model, X: Array) -> Array:
    """What one member says, in the terms of the average, in double precision."""
    ((_, F),) = sweep(model.network, X)
    with np.errstate(all="ignore"):
        P = model.target.clipped(model.loss.predict(F.astype(np.float64)))
        return model.target.in_terms_of(average.target, P)


def average_of(header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Average:
    """The average of a file's header and arrays. Raises ValueError where there is none."""
    headers = header["members"]
    if header.keys() != {"members"} or not isinstance(headers, list) or not 0 < len(headers) <= MOST_MEMBERS:
        raise ValueError(f"members: expected a list of 1 to {MOST_MEMBERS} models, and nothing else")
    own: list[dict[str, Array]] = [{} for _ in headers]
    for name, array in arrays.items():
        number, dot, rest = name.partition(".")
        if not dot or not number.isdecimal() or not 0 < int(number[:9]) <= len(own):
            raise ValueError(f"unknown array {name!r}")
        own[int(number) - 1][rest] = array
    return Average.of([model_of(each, parts) for each, parts in zip(headers, own, strict=True)])

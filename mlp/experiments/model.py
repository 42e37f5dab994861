"""Turn rows of a table into predictions by a trained model, and keep the model in a file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlp.arguments import check_arguments
from mlp.errors import DataError, FileError
from mlp.evaluation import scores_of, sweep, targets
from mlp.experiments.config.schema import Config
from mlp.experiments.header import check_model_header, without_kind
from mlp.experiments.storage.archive import archive_bytes, check_arrays, read_arrays
from mlp.experiments.storage.files import write_file
from mlp.layers.around import sizes
from mlp.layers.table import from_header, header_of
from mlp.losses import NamedLoss, make_loss
from mlp.minibatches import weights
from mlp.network import Network
from mlp.tables import Table, read_table
from mlp.tables.coding import Coding
from mlp.tables.frames import table_of
from mlp.tables.reading import Reading
from mlp.tables.target import Report, Target
from mlp.tables.targets import TARGETS
from mlp.text import listed
from mlp.types import Array, Data, Examples, unpack

KIND = "mlp model"
NUMBERED = re.compile(r"(.+?)([0-9]{1,9})")  # W of layer 11 is "W11"
MOST_CONFUSED = 1000  # of a confusion matrix: a million counts


@dataclass(frozen=True)
class Model:
    """The content of `model.npz`: `predict` takes inputs as they are in a table, and returns predictions in its terms.

    `coding` is that of the input columns. `epoch` is the one that the weights are from and `config` the complete config
    of the run, as plain data.
    """

    network: Network
    loss: NamedLoss
    coding: Coding
    target: Target
    epoch: int = 0
    config: Any = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the input columns."""
        return self.coding.inputs

    def predict(self, X: Any, *, source: str = "the inputs") -> dict[str, Array]:
        """Predictions for the rows of X, in the columns' own units, as columns of length N.

        X is a `Table`, a pandas, polars or Arrow table, whose columns are found by name, or an array of N rows with the
        input columns in the order of `inputs`. For classes: the label, then probabilities. For numbers: the numbers in
        their own units. A DataError names `source` and the columns.
        """
        if not isinstance(X, Table):
            X = table_of(X, self.coding.kinds, self.reading, source)
        P = [P for _, _, P in self.outputs(self.encode_inputs(X), source)]
        with np.errstate(over="ignore"):
            found = self.target.predictions(np.concatenate(P, axis=1))
        for name, column in found.items():
            if column.dtype.kind == "f" and not np.isfinite(column).all():
                raise DataError(f"{source}: answers too large for {column.dtype} in {listed([name])}")
        return found

    def outputs(self, X: Examples, source: str) -> Iterator[tuple[slice, Array, Array]]:
        """For all rows of encoded X (N x D), batch by batch: which rows, outputs F, and P, what they say (K x B)."""
        bad: list[int] = []
        for rows, F in sweep(self.network, X):
            with np.errstate(all="ignore"):
                P = self.loss.predict(F)
                if (clipped := self.target.clipped(P)) is not P:
                    F, P = self.loss.link(clipped), clipped
            bad += (rows.start + np.flatnonzero(~np.isfinite(P).all(axis=0))).tolist()
            yield rows, F, P
        beyond(bad, len(X), source)

    def score(self, data: Data, source: str) -> tuple[dict[str, float], dict[str, Array], dict[str, Report]]:
        """Loss and metrics for encoded (X, Y) or (X, Y, w); confusion counts and a report for each target column.

        Counts and reports are left out for more than MOST_CONFUSED classes: they grow with the square of that number.
        """
        X, Y, w = unpack(data)
        few = all(len(labels) <= MOST_CONFUSED for labels in self.target.labels.values())
        confusion: dict[str, Array] = {}
        evidence = list[list[Array]]()

        def outputs_and_targets() -> Iterator[tuple[Array, Array, Array | None]]:
            for rows, F, P in self.outputs(X, source):
                true = targets(Y, rows, F)
                yield F, true, weights(w, rows, F.dtype)
                if few:
                    evidence.append(self.target.evidence(P, true))
                    for column, counts in self.target.confusion(P, true).items():
                        confusion[column] = confusion.get(column, 0) + counts

        scores = scores_of(self.loss, outputs_and_targets(), self.target.metrics())
        whole = [np.concatenate(batches, axis=1) for batches in zip(*evidence, strict=True)]
        return scores, confusion, self.target.reports(whole) if few else {}

    def encode_inputs(self, table: Table) -> Examples:
        """A table's inputs as the network sees them."""
        try:
            return self.coding.encode(table)
        except DataError as error:
            raise DataError(f"{table.source}: {error}") from None

    def encode(self, table: Table, where: str) -> Data:
        """A table's inputs and targets as the network sees them."""
        try:
            Y = self.target.encode(table.Y, where)
        except DataError as error:
            raise DataError(f"{table.source}: {error}") from None
        return self.encode_inputs(table), Y

    @property
    def reading(self) -> Reading:
        """The form of the files of its training rows."""
        return Reading() if self.config is None else Config.model_validate(self.config).reading()

    def read(
        self, path: Path | str, *, with_targets: bool, keep: Sequence[str] = (), reading: Reading | None = None
    ) -> Table:
        """Read a table as the training data was read, or as `reading` says: the same columns, others are left aside.

        Columns are found by name. Without a header, a table that has as many columns as the model has inputs is taken
        in order; so is the input array of a `.npz` file. The texts of the columns to `keep` are in `others`.
        """
        inputs: Sequence[str] | None = self.inputs
        names: Sequence[str] = self.target.names
        if str(path).endswith(".npz"):  # names are of arrays there, not of columns
            inputs = None
            trained = None if self.config is None else Config.model_validate(self.config).data
            if trained is not None and trained.path.endswith(".npz"):
                inputs, names = trained.inputs, trained.target
        reading = reading or self.reading
        table = read_table(
            path,
            inputs=inputs,
            targets=names if with_targets else (),
            labels=self.target.takes_labels,
            kinds=self.coding.kinds,
            others=dict.fromkeys(keep, "text"),
            reading=reading if with_targets else replace(reading, unknown=self.target.names),
        )
        for what, found, wanted in (("input", table.inputs, self.inputs), ("target", table.targets, self.target.names)):
            if len(found) != len(wanted) and (with_targets or what == "input"):
                raise DataError(f"{path}: {len(found)} {what} columns, but the model has {len(wanted)}")
        return replace(table, kinds=dict(zip(self.inputs, table.kinds.values(), strict=True)))

    def news(self, table: Table) -> list[str]:
        """Sentences on what the rows hold that the training rows did not."""
        return [*table.notes, *self.coding.news(table), *self.coding.far_off(table.X)]

    def save(self, path: Path) -> None:
        """Write `to_bytes()` to a file, in one step."""
        write_file(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """All of it as one `.npz` file: the weights as W1, b1, ..., scalers beside them, the rest in a header.

        Raises FileError for a model that `load_model` would refuse: an activation of your own, for one.
        """
        try:
            header, arrays = self.contents()
        except ValueError as error:
            raise FileError(f"this model cannot be saved: {error}") from None
        return archive_bytes(KIND, header, arrays)

    def contents(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """The header and the arrays of its file. Raises ValueError when they would be refused."""
        arrays = dict(self.network.parameters())
        keys = getattr(self.loss, "header", dict)
        arrays |= self.coding.arrays() | self.target.arrays()
        header = {
            "layers": [header_of(layer) for layer in self.network.layers],
            "loss": {"name": self.loss.name, **keys()},
            "inputs": self.coding.header(),
            "target": self.target.header(),
            "epoch": self.epoch,
            "config": self.config,
        }
        model_of(header, arrays)
        return header, arrays


def beyond(bad: Sequence[int], N: int, source: str) -> None:
    """Raises DataError where there are rows, among N, without a finite answer."""
    if bad:
        raise DataError(
            f"{source}: no finite answer for {len(bad)} of {N} rows, the first is row {bad[0]} (from 0): "
            "its inputs are far outside what the model was trained on"
        )


def load_model(path: Path | str) -> Model:
    """Read a model from `model.npz`, or from the run directory that has one.

    The file may be a stranger's: whatever is not a whole model is a FileError.
    """
    return read_model(path, model_of)


def read_model(path: Path | str, make: Callable[[dict[str, Any], dict[str, Array]], Model]) -> Model:
    """The same, where `make` makes the model of header and arrays."""
    check_arguments(read_model, locals())
    path = Path(path)
    path = path / "model.npz" if os.path.isdir(path) else path
    header, arrays = read_arrays(path, KIND)
    try:
        return make(header, arrays)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: does not hold a model: {error}") from None


def model_of(header: dict[str, Any], arrays: dict[str, Array]) -> Model:
    """The model of a file's header and arrays. Raises ValueError, naming the key or the array, where there is none."""
    checked = check_model_header(header)
    network, target = network_of(header["layers"], arrays), target_of(header["target"], arrays)
    try:
        coding = Coding.from_header(arrays, **checked.inputs.model_dump())
    except KeyError as error:
        raise ValueError(f"missing array {error} of the inputs") from None
    shapes = {name: array.shape for part in (coding, target) for name, array in part.arrays().items()}
    check_arrays(arrays, shapes | {name: W.shape for name, W in network.parameters().items()})
    for name in shapes:
        if name.endswith("_std") and not (arrays[name] > 0).all():
            raise ValueError(f"array {name!r} holds values that are not above 0")
    n_in, n_out = sizes(network.layers)
    if n_in not in (None, coding.size) or n_out not in (None, target.size):
        raise ValueError(
            f"a network of {n_in} inputs and {n_out} outputs, but {coding.size} coded input columns and "
            f"{target.size} outputs for the target"
        )
    return Model(network, make_loss(**header["loss"]), coding, target, header["epoch"], header["config"])


def network_of(headers: list[dict[str, Any]], arrays: dict[str, Array]) -> Network:
    """The layers of these headers, with the arrays that have a layer's number behind the name of its parameter."""
    own: list[dict[str, Array]] = [{} for _ in headers]
    for name, array in arrays.items():
        match = NUMBERED.fullmatch(name)
        if match and 0 < int(match[2]) <= len(own):
            own[int(match[2]) - 1][match[1]] = array
    layers = []
    for number, (header, parameters) in enumerate(zip(headers, own, strict=True), 1):
        names = listed([f"{name}{number}" for name in parameters])
        try:
            layers.append(from_header(header, parameters))
        except KeyError as error:
            raise ValueError(f"missing array '{error.args[0]}{number}' of layer {number}") from None
        except ValueError as error:
            raise ValueError(f"layer {number}, of the arrays {names}: {error}") from None
    return Network(layers)


def target_of(header: dict[str, Any], arrays: dict[str, Array]) -> Target:
    try:
        return TARGETS[header["kind"]].from_header(arrays, **without_kind(header))
    except KeyError as error:
        raise ValueError(f"missing array {error} of the target") from None
    except ValueError as error:
        raise ValueError(f"target.{error}") from None

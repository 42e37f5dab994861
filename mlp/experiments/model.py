"""A trained model: the network with everything that turns rows of a table into answers, and its file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlp.errors import DataError, FileError
from mlp.evaluation import scores_of
from mlp.experiments.config.schema import Config
from mlp.experiments.storage.archive import archive_bytes, check_arrays, read_arrays
from mlp.experiments.storage.files import write_file
from mlp.experiments.storage.model_header import check_header, expected_shapes, layer_header, target_header
from mlp.layers.dense import Layer
from mlp.losses import LOSSES, Loss
from mlp.minibatches import batches, columns
from mlp.network import Network
from mlp.tables import Table, read_table
from mlp.tables.columns import Classes, Encoded, Scaler, in_memory_if_small
from mlp.tables.rows import Rows, slices
from mlp.tables.targets import Binary, Exclusive, Quantities, Target
from mlp.text import listed
from mlp.types import Array, Batch, Data, Examples

KIND = "mlp model"
MOST_CONFUSED = 1000  # of a confusion matrix: a million counts


@dataclass(frozen=True)
class Model:
    """What `model.npz` holds: `predict` takes inputs as they are in a table and gives answers in the table's terms.

    `inputs` are the names of the D input columns, in the network's order; `epoch` is the one that the weights are from
    and `config` the complete config of the run, as plain data.
    """

    network: Network
    loss: Loss
    inputs: tuple[str, ...]
    input_scaler: Scaler
    target: Target
    epoch: int = 0
    config: Any = None

    def predict(self, X: Examples, *, source: str = "the inputs") -> dict[str, Array]:
        """Answers for X (N x D, in the columns' own units), as columns of length N.

        For classes: the label, then a probability for each class. For quantities: the numbers in their own units.
        Raises ValueError for another shape, and DataError, naming `source` and the columns, for values that are not
        finite or too large for the model.
        """
        X = X if isinstance(X, Rows) else np.asarray(X)
        if X.ndim != 2 or X.shape[1] != len(self.inputs):
            raise ValueError(f"X has shape {X.shape}, expected (N, {len(self.inputs)}): one example a row")
        P = [P for _, P in self.outputs(self.standardize(source, X), source)]
        with np.errstate(over="ignore"):
            answers = self.target.answers(np.concatenate(P, axis=1))
        for name, column in answers.items():
            if column.dtype.kind == "f" and not np.isfinite(column).all():
                raise DataError(f"{source}: answers too large for {column.dtype} in {listed([name])}")
        return answers

    def outputs(self, X: Examples, source: str) -> Iterator[tuple[Array, Array]]:
        """The network's outputs F and their inverse link P (both K x B) for standardized X (N x D), batch by batch.

        Raises DataError, at the end, when some have no finite answer.
        """
        bad: list[int] = []
        dtype = self.network.theta.dtype
        for rows in batches(len(X)):
            with np.errstate(all="ignore"):
                F = self.network(columns(X, rows, dtype))
                P = self.loss.predict(F)
            bad += (rows.start + np.flatnonzero(~np.isfinite(P).all(axis=0))).tolist()
            yield F, P
        if bad:
            raise DataError(
                f"{source}: no finite answer for {len(bad)} of {len(X)} rows, the first is row {bad[0]} (from 0): "
                "its inputs are far outside what the model was trained on"
            )

    def score(self, data: Data, source: str) -> tuple[dict[str, float], dict[str, Array]]:
        """Loss and metrics, and the confusion counts of each column of classes, for encoded (X, Y).

        Counts are left out for more than MOST_CONFUSED classes: they grow with the square of that number. Raises
        DataError for data of another model.
        """
        found, wanted = (data[0].shape[1], data[1].shape[1]), (len(self.inputs), self.target.size)
        if found != wanted:
            raise DataError(
                f"{source}: {found[0]} input columns and {found[1]} outputs, but the model has {wanted[0]} and "
                f"{wanted[1]}; it is not of this run"
            )
        few = all(len(labels) <= MOST_CONFUSED for labels in self.target.labels.values())
        confusion: dict[str, Array] = {}

        def scored() -> Iterator[Batch]:
            for (F, P), rows in zip(self.outputs(data[0], source), batches(len(data[0])), strict=True):
                Y = columns(data[1], rows, self.network.theta.dtype)
                yield F, Y
                for column, counts in self.target.confusion(P, Y).items() if few else ():
                    confusion[column] = confusion.get(column, 0) + counts

        with np.errstate(all="ignore"):
            scores = scores_of(self.loss, scored(), self.target.metrics())
        return scores, confusion

    def standardize(self, source: str, X: Examples) -> Examples:
        """X (N x D) as the network sees it."""
        encoded = in_memory_if_small(Encoded(X, self.input_scaler.transform, len(self.inputs)))
        check_size(source, self.inputs, X, encoded)
        return encoded

    def encode(self, table: Table, where: str) -> Data:
        """A table's inputs and targets as the network sees them.

        Raises DataError for labels that it does not know and for values that are too large.
        """
        try:
            Y = self.target.encode(table.Y, where)
        except DataError as error:
            raise DataError(f"{table.source}: {error}") from None
        if isinstance(self.target, Quantities):
            check_size(table.source, table.targets, table.Y, Y)
        return self.standardize(table.source, table.X), Y

    def read(self, path: Path | str, *, answers: bool) -> Table:
        """Read a table as the training data was read: same columns (others are left aside), delimiter and header.

        The target columns are read only if `answers` is true. Without a header, a table that has as many columns as
        the model has inputs is taken in order; so is the input array of a `.npz` file. Raises DataError, naming
        the columns, when one is missing.
        """
        trained = None if self.config is None else Config.model_validate(self.config).data
        inputs: Sequence[str] | None = self.inputs
        targets: Sequence[str] = self.target.names
        if str(path).endswith(".npz"):  # names are of arrays there, not of columns
            inputs = None
            if trained is not None and trained.path.endswith(".npz"):
                inputs, targets = trained.inputs, trained.target
        table = read_table(
            path,
            inputs=inputs,
            targets=targets if answers else (),
            labels=not isinstance(self.target, Quantities),
            delimiter="," if trained is None else trained.delimiter,
            header=None if trained is None else trained.header,
        )
        for what, found, wanted in (("input", table.inputs, self.inputs), ("target", table.targets, self.target.names)):
            if len(found) != len(wanted) and (answers or what == "input"):
                raise DataError(f"{path}: {len(found)} {what} columns, but the model has {len(wanted)}")
        return table

    def save(self, path: Path) -> None:
        """Write `to_bytes()` to a file, in one step."""
        write_file(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """All of it as one `.npz` file: the weights as W1, b1, ..., scalers beside them, the rest in a header.

        Raises FileError for a model whose header `load_model` would refuse: an activation of your own, for one.
        """
        arrays = dict(self.network.parameters())
        arrays |= {"input_mean": self.input_scaler.mean, "input_std": self.input_scaler.std}
        if isinstance(self.target, Quantities):
            arrays |= {"target_mean": self.target.scaler.mean, "target_std": self.target.scaler.std}
        try:
            header = {
                "layers": [layer_header(layer) for layer in self.network.layers],
                "loss": self.loss.name,
                "inputs": list(self.inputs),
                "target": target_header(self.target),
                "epoch": self.epoch,
                "config": self.config,
            }
            check_header(header)
        except ValueError as error:
            raise FileError(f"this model cannot be saved: {error}") from None
        return archive_bytes(KIND, header, arrays)


def check_size(source: str, names: Sequence[str], X: Examples, Z: Examples) -> None:
    """Raises DataError where Z, which is X standardized, is too large for its precision."""
    bad, finite, largest = np.zeros(X.shape[1], bool), True, 0.0
    for rows in slices(X):
        wrong = ~np.isfinite(Z[rows]).all(axis=0)
        if wrong.any():
            bad |= wrong
            finite &= bool(np.isfinite(X[rows]).all())
            largest = max(largest, float(np.abs(np.asarray(X[rows][:, wrong], np.float64)).max()))
    these = listed([names[i] for i in np.flatnonzero(bad).tolist()])
    if not finite:
        raise DataError(f"{source}: values that are not finite in {these}")
    if bad.any():
        raise DataError(
            f"{source}: values too large for {Z.dtype} in {these} "
            f"(up to {largest:g}); rescale them, or set data.standardize: true if it is false"
        )


def load_model(path: Path | str) -> Model:
    """Read a model from `model.npz`, or from the run directory that has one.

    The file may be a stranger's. Raises FileError for one that is damaged, of another kind, of another format
    version, whose header does not describe a model, or whose arrays do not fit it (names, shapes, dtypes, values that
    are not finite, scales that are not above 0).
    """
    path = Path(path)
    path = path / "model.npz" if os.path.isdir(path) else path
    header, arrays = read_arrays(path, KIND)
    try:
        check_header(header)
    except ValueError as error:
        raise FileError(f"{path}: the header does not describe a model: {error}") from None
    check_arrays(path, arrays, expected_shapes(header))
    for name in arrays.keys() & {"input_std", "target_std"}:
        if not (arrays[name] > 0).all():
            raise FileError(f"{path}: array {name!r} holds values that are not above 0")
    layers = [
        Layer(arrays[f"W{number}"], arrays[f"b{number}"], layer["activation"])
        for number, layer in enumerate(header["layers"], 1)
    ]
    return Model(
        network=Network(layers),
        loss=LOSSES[header["loss"]],
        inputs=tuple(header["inputs"]),
        input_scaler=Scaler(arrays["input_mean"], arrays["input_std"]),
        target=load_target(header["target"], arrays),
        epoch=header["epoch"],
        config=header["config"],
    )


def load_target(target: dict[str, Any], arrays: dict[str, Array]) -> Target:
    if target["kind"] == "quantities":
        return Quantities(tuple(target["names"]), Scaler(arrays["target_mean"], arrays["target_std"]))
    columns = tuple(Classes(column["name"], tuple(column["labels"])) for column in target["columns"])
    return Exclusive(columns[0]) if target["kind"] == "exclusive" else Binary(columns)

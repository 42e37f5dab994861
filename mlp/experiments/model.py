"""A trained model: the network with everything that turns rows of a table into answers, and its file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlp.activations import Array
from mlp.datasets import Classes, Scaler
from mlp.evaluation import Data, outputs, scores_of
from mlp.experiments.archives import ModelFileError, archive_bytes, check_arrays, read_arrays
from mlp.experiments.files import write_file
from mlp.experiments.model_header import check_header, expected_shapes, layer_header, target_header
from mlp.experiments.schema import Config
from mlp.layers import Layer
from mlp.losses import LOSSES, Loss
from mlp.network import Network
from mlp.tables import DataError, Table, listed, read_table
from mlp.targets import Binary, Exclusive, Quantities, Target

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

    def predict(self, X: Array, *, source: str = "the inputs") -> dict[str, Array]:
        """Answers for X (N x D, in the columns' own units), as columns of length N.

        For classes: the label, then a probability for each class. For quantities: the numbers in their own units.
        Raises ValueError for another shape, and DataError, naming `source` and the columns, for values that are not
        finite or too large for the model.
        """
        X = np.asarray(X)
        if X.ndim != 2 or X.shape[1] != len(self.inputs):
            raise ValueError(f"X has shape {X.shape}, expected (N, {len(self.inputs)}): one example a row")
        _, P = self.outputs(self.standardize(source, X), source)
        with np.errstate(over="ignore"):
            answers = self.target.answers(P)
        for name, column in answers.items():
            if column.dtype.kind == "f" and not np.isfinite(column).all():
                raise DataError(f"{source}: answers too large for {column.dtype} in {listed([name])}")
        return answers

    def outputs(self, X: Array, source: str) -> tuple[Array, Array]:
        """The network's outputs F and their inverse link P (both K x N) for standardized X (N x D)."""
        with np.errstate(all="ignore"):
            F = outputs(self.network, X)
            P = self.loss.predict(F)
        bad = np.flatnonzero(~np.isfinite(P).all(axis=0)).tolist()
        if bad:
            raise DataError(
                f"{source}: no finite answer for {len(bad)} of {len(X)} rows, the first is row {bad[0]} (from 0): "
                "its inputs are far outside what the model was trained on"
            )
        return F, P

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
        F, P = self.outputs(data[0], source)
        with np.errstate(all="ignore"):
            scores = scores_of(self.loss, F, data[1], self.target.metrics())
        few = all(len(labels) <= MOST_CONFUSED for labels in self.target.labels.values())
        return scores, self.target.confusion(P, data[1].T) if few else {}

    def standardize(self, source: str, X: Array) -> Array:
        """X (N x D) as the network sees it."""
        return check_size(source, self.inputs, X, self.input_scaler.transform(X))

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

        Raises ModelFileError for a model whose header `load_model` would refuse: an activation of your own, for one.
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
            raise ModelFileError(f"this model cannot be saved: {error}") from None
        return archive_bytes(KIND, header, arrays)


def check_size(source: str, names: Sequence[str], X: Array, Z: Array) -> Array:
    """Z, which is X standardized, unless some of it is too large for its precision."""
    bad = np.flatnonzero(~np.isfinite(Z).all(axis=0)).tolist()
    if not np.isfinite(X).all():
        raise DataError(f"{source}: values that are not finite in {listed([names[i] for i in bad])}")
    if bad:
        raise DataError(
            f"{source}: values too large for {Z.dtype} in {listed([names[i] for i in bad])} "
            f"(up to {np.abs(X[:, bad]).max():g}); rescale them, or set data.standardize: true if it is false"
        )
    return Z


def load_model(path: Path | str) -> Model:
    """Read a model from `model.npz`, or from the run directory that has one.

    The file may be a stranger's. Raises ModelFileError for one that is damaged, of another kind, of another format
    version, whose header does not describe a model, or whose arrays do not fit it (names, shapes, dtypes, values that
    are not finite, scales that are not above 0).
    """
    path = Path(path)
    path = path / "model.npz" if os.path.isdir(path) else path
    header, arrays = read_arrays(path, KIND)
    try:
        check_header(header)
    except ValueError as error:
        raise ModelFileError(f"{path}: the header does not describe a model: {error}") from None
    check_arrays(path, arrays, expected_shapes(header))
    for name in arrays.keys() & {"input_std", "target_std"}:
        if not (arrays[name] > 0).all():
            raise ModelFileError(f"{path}: array {name!r} holds values that are not above 0")
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

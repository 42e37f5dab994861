"""A trained model: the network with everything that turns rows of a table into answers, and its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlp.activations import Array
from mlp.datasets import Classes, Scaler
from mlp.experiments.archives import ModelFileError, check_arrays, read_arrays, write_arrays
from mlp.layers import Layer
from mlp.losses import LOSSES, Loss
from mlp.network import Network
from mlp.tables import DataError, Table, listed, read_table
from mlp.targets import Binary, Exclusive, Quantities, Target
from mlp.training import Data, evaluate, outputs

KIND = "mlp model"


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
        return self.target.answers(self.outputs(self.standardize(source, X), source))

    def outputs(self, X: Array, source: str) -> Array:
        """P (K x N), the inverse link of the network's outputs, for standardized X (N x D)."""
        with np.errstate(all="ignore"):
            P = self.loss.predict(outputs(self.network, X))
        bad = np.flatnonzero(~np.isfinite(P).all(axis=0)).tolist()
        if bad:
            raise DataError(
                f"{source}: no finite answer for {len(bad)} of {len(X)} rows, the first is row {bad[0]} (from 0): "
                "its inputs are far outside what the model was trained on"
            )
        return P

    def score(self, data: Data, source: str) -> tuple[dict[str, float], dict[str, Array]]:
        """Loss and metrics, and the confusion counts of each column of classes, for encoded (X, Y)."""
        P = self.outputs(data[0], source)
        scores = evaluate(self.network, self.loss, data, self.target.metrics())
        return scores, self.target.confusion(P, data[1].T)

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
        source = self.config["data"] if self.config else {}
        inputs: Sequence[str] | None = self.inputs
        targets: Sequence[str] = self.target.names if answers else ()
        if str(path).endswith(".npz"):  # names are of arrays there, not of columns
            trained_on_arrays = str(source.get("path")).endswith(".npz")
            inputs = source["inputs"] if trained_on_arrays else None
            targets = source["target"] if trained_on_arrays and answers else targets
        table = read_table(
            path,
            inputs=inputs,
            targets=targets,
            labels=not isinstance(self.target, Quantities),
            delimiter=source.get("delimiter", ","),
            header=source.get("header"),
        )
        if len(table.inputs) != len(self.inputs):
            raise DataError(f"{path}: {len(table.inputs)} input columns, but the model has {len(self.inputs)}")
        return table

    def save(self, path: Path) -> None:
        """Write all of it to one `.npz` file: the weights as W1, b1, ..., scalers beside them, the rest in a header."""
        target: dict[str, Any]
        arrays = dict(self.network.parameters())
        arrays |= {"input_mean": self.input_scaler.mean, "input_std": self.input_scaler.std}
        if isinstance(self.target, Quantities):
            target = {"kind": "quantities", "names": self.target.names}
            arrays |= {"target_mean": self.target.scaler.mean, "target_std": self.target.scaler.std}
        else:
            columns = [self.target.classes] if isinstance(self.target, Exclusive) else self.target.columns
            target = {
                "kind": "exclusive" if isinstance(self.target, Exclusive) else "binary",
                "columns": [{"name": classes.name, "labels": classes.labels} for classes in columns],
            }
        header = {
            "layers": [layer_header(layer) for layer in self.network.layers],
            "loss": self.loss.name,
            "inputs": self.inputs,
            "target": target,
            "epoch": self.epoch,
            "config": self.config,
        }
        write_arrays(path, KIND, header, arrays)


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


def layer_header(layer: Any) -> dict[str, Any]:
    if not isinstance(layer, Layer):
        raise ModelFileError(f"only networks of Layer can be saved as a model, not {type(layer).__name__}")
    return {"n_in": layer.n_in, "n_out": layer.n_out, "activation": layer.g.name}


def load_model(path: Path | str) -> Model:
    """Read a model from `model.npz`, or from the run directory that has one.

    Raises ModelFileError for a file that is damaged, of another kind, of a newer format, or whose arrays do not fit its
    header (names, shapes, dtypes, values that are not finite).
    """
    path = Path(path)
    path = path / "model.npz" if path.is_dir() else path
    header, arrays = read_arrays(path, KIND)
    try:
        sizes = [(layer["n_in"], layer["n_out"]) for layer in header["layers"]]
        inputs = tuple(header["inputs"])
        target = header["target"]
        expected: dict[str, tuple[int, ...]] = {"input_mean": (len(inputs),), "input_std": (len(inputs),)}
        for number, (n_in, n_out) in enumerate(sizes, 1):
            expected |= {f"W{number}": (n_out, n_in), f"b{number}": (n_out, 1)}
        if target["kind"] == "quantities":
            expected |= {"target_mean": (len(target["names"]),), "target_std": (len(target["names"]),)}
        check_arrays(path, arrays, expected)
        network = Network(
            [
                Layer(arrays[f"W{number}"], arrays[f"b{number}"], layer["activation"])
                for number, layer in enumerate(header["layers"], 1)
            ]
        )
        model = Model(
            network=network,
            loss=LOSSES[header["loss"]],
            inputs=inputs,
            input_scaler=Scaler(arrays["input_mean"], arrays["input_std"]),
            target=load_target(target, arrays),
            epoch=header["epoch"],
            config=header["config"],
        )
    except (KeyError, TypeError, IndexError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path}: the header does not describe a model ({error})") from None
    if sizes[0][0] != len(inputs) or sizes[-1][1] != model.target.size:
        raise ModelFileError(
            f"{path}: a network of {sizes[0][0]} inputs and {sizes[-1][1]} outputs, but {len(inputs)} input columns "
            f"and {model.target.size} outputs for {listed(model.target.names)}"
        )
    return model


def load_target(target: Any, arrays: dict[str, Array]) -> Target:
    if target["kind"] == "quantities":
        return Quantities(tuple(target["names"]), Scaler(arrays["target_mean"], arrays["target_std"]))
    columns = tuple(Classes(column["name"], tuple(column["labels"])) for column in target["columns"])
    if target["kind"] == "exclusive":
        return Exclusive(columns[0])
    if target["kind"] == "binary":
        return Binary(columns)
    raise ValueError(f"unknown kind of target {target['kind']!r}")

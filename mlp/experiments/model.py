"""Turn rows of a table into predictions by a trained model, and keep the model in a file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlp.errors import DataError, FileError
from mlp.evaluation import scores_of, sweep, targets
from mlp.experiments.config.schema import Config
from mlp.experiments.header import check_model_header, without_kind
from mlp.experiments.storage.archive import archive_bytes, check_arrays, read_arrays
from mlp.experiments.storage.files import write_file
from mlp.layers.around import sizes
from mlp.layers.table import from_header, header_of
from mlp.losses import LOSSES, NamedLoss
from mlp.minibatches import weights
from mlp.network import Network
from mlp.tables import Table, read_table
from mlp.tables.columns import Scaler
from mlp.tables.table import Rows
from mlp.tables.target import Target
from mlp.tables.targets import TARGETS
from mlp.text import listed
from mlp.types import Array, Batch, Data, Examples, unpack

KIND = "mlp model"
NUMBERED = re.compile(r"(.+?)([0-9]{1,9})")  # W of layer 11 is "W11"
MOST_CONFUSED = 1000  # of a confusion matrix: a million counts


@dataclass(frozen=True)
class Model:
    """What `model.npz` holds: `predict` takes inputs as they are in a table, and returns predictions in its terms.

    `inputs` are the names of the D input columns, in the network's order; `epoch` is the one that the weights are from
    and `config` the complete config of the run, as plain data.
    """

    network: Network
    loss: NamedLoss
    inputs: tuple[str, ...]
    input_scaler: Scaler
    target: Target
    epoch: int = 0
    config: Any = None

    def predict(self, X: Examples, *, source: str = "the inputs") -> dict[str, Array]:
        """Predictions for X (N x D, in the columns' own units), as columns of length N.

        For classes: the label, then probabilities. For numbers: the numbers in their own units. A DataError names
        `source` and the columns.
        """
        X = X if isinstance(X, Rows) else np.asarray(X)
        if X.ndim != 2 or X.shape[1] != len(self.inputs):
            raise ValueError(f"X has shape {X.shape}, expected (N, {len(self.inputs)}): one example a row")
        P = [P for _, _, P in self.outputs(self.encode_inputs(X, source), source)]
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
            bad += (rows.start + np.flatnonzero(~np.isfinite(P).all(axis=0))).tolist()
            yield rows, F, P
        if bad:
            raise DataError(
                f"{source}: no finite answer for {len(bad)} of {len(X)} rows, the first is row {bad[0]} (from 0): "
                "its inputs are far outside what the model was trained on"
            )

    def score(self, data: Data, source: str) -> tuple[dict[str, float], dict[str, Array]]:
        """Loss and metrics, and the confusion counts of each column of classes, for encoded (X, Y) or (X, Y, w).

        Counts are left out for more than MOST_CONFUSED classes: they grow with the square of that number.
        """
        X, Y, w = unpack(data)
        found, wanted = (X.shape[1], Y.shape[1]), (len(self.inputs), self.target.size)
        if found != wanted:
            raise DataError(
                f"{source}: {found[0]} input columns and {found[1]} outputs, but the model has {wanted[0]} and "
                f"{wanted[1]}; it is not of this run"
            )
        few = all(len(labels) <= MOST_CONFUSED for labels in self.target.labels.values())
        confusion: dict[str, Array] = {}

        def outputs_and_targets() -> Iterator[Batch]:
            for rows, F, P in self.outputs(X, source):
                true = targets(Y, rows, F)
                yield F, true, weights(w, rows, F.dtype)
                for column, counts in self.target.confusion(P, true).items() if few else ():
                    confusion[column] = confusion.get(column, 0) + counts

        return scores_of(self.loss, outputs_and_targets(), self.target.metrics()), confusion

    def encode_inputs(self, X: Examples, source: str) -> Examples:
        """X (N x D) as the network sees it."""
        try:
            return self.input_scaler.encode(X, self.inputs)
        except DataError as error:
            raise DataError(f"{source}: {error}") from None

    def encode(self, table: Table, where: str) -> Data:
        """A table's inputs and targets as the network sees them."""
        try:
            Y = self.target.encode(table.Y, where)
        except DataError as error:
            raise DataError(f"{table.source}: {error}") from None
        return self.encode_inputs(table.X, table.source), Y

    def read(self, path: Path | str, *, with_targets: bool) -> Table:
        """Read a table as the training data was read: same columns (others are left aside), delimiter and header.

        Without a header, a table that has as many columns as the model has inputs is taken in order; so is the input
        array of a `.npz` file.
        """
        trained = None if self.config is None else Config.model_validate(self.config).data
        inputs: Sequence[str] | None = self.inputs
        names: Sequence[str] = self.target.names
        if str(path).endswith(".npz"):  # names are of arrays there, not of columns
            inputs = None
            if trained is not None and trained.path.endswith(".npz"):
                inputs, names = trained.inputs, trained.target
        table = read_table(
            path,
            inputs=inputs,
            targets=names if with_targets else (),
            labels=self.target.takes_labels,
            delimiter="," if trained is None else trained.delimiter,
            header=None if trained is None else trained.header,
        )
        for what, found, wanted in (("input", table.inputs, self.inputs), ("target", table.targets, self.target.names)):
            if len(found) != len(wanted) and (with_targets or what == "input"):
                raise DataError(f"{path}: {len(found)} {what} columns, but the model has {len(wanted)}")
        return table

    def save(self, path: Path) -> None:
        """Write `to_bytes()` to a file, in one step."""
        write_file(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """All of it as one `.npz` file: the weights as W1, b1, ..., scalers beside them, the rest in a header.

        Raises FileError for a model that `load_model` would refuse: an activation of your own, for one.
        """
        arrays = dict(self.network.parameters())
        arrays |= {"input_mean": self.input_scaler.mean, "input_std": self.input_scaler.std}
        arrays |= self.target.arrays()
        try:
            header = {
                "layers": [header_of(layer) for layer in self.network.layers],
                "loss": self.loss.name,
                "inputs": list(self.inputs),
                "target": self.target.header(),
                "epoch": self.epoch,
                "config": self.config,
            }
            model_of(header, arrays)
        except ValueError as error:
            raise FileError(f"this model cannot be saved: {error}") from None
        return archive_bytes(KIND, header, arrays)


def load_model(path: Path | str) -> Model:
    """Read a model from `model.npz`, or from the run directory that has one.

    The file may be a stranger's: whatever is not a whole model is a FileError.
    """
    path = Path(path)
    path = path / "model.npz" if os.path.isdir(path) else path
    header, arrays = read_arrays(path, KIND)
    try:
        return model_of(header, arrays)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: does not hold a model: {error}") from None


def model_of(header: dict[str, Any], arrays: dict[str, Array]) -> Model:
    """The model of a file's header and arrays. Raises ValueError, naming the key or the array, where there is none."""
    check_model_header(header)
    network, target = network_of(header["layers"], arrays), target_of(header["target"], arrays)
    inputs = header["inputs"]
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("input_mean", "input_std"), (len(inputs),))
    shapes |= {name: array.shape for name, array in target.arrays().items()}
    check_arrays(arrays, shapes | {name: W.shape for name, W in network.parameters().items()})
    for name in shapes:
        if name.endswith("_std") and not (arrays[name] > 0).all():
            raise ValueError(f"array {name!r} holds values that are not above 0")
    n_in, n_out = sizes(network.layers)
    if n_in not in (None, len(inputs)) or n_out not in (None, target.size):
        raise ValueError(
            f"a network of {n_in} inputs and {n_out} outputs, but {len(inputs)} input columns and "
            f"{target.size} outputs for the target"
        )
    scaler = Scaler(arrays["input_mean"], arrays["input_std"])
    return Model(network, LOSSES[header["loss"]], tuple(inputs), scaler, target, header["epoch"], header["config"])


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

"""Models and their files, good ones and what a stranger could make of them."""

import copy
import io
import json
import os
import tracemalloc
import zipfile
from itertools import pairwise

import numpy as np
import pytest

from mlp import Layer, Network
from mlp.errors import FileError
from mlp.experiments.model import Model, load_model
from mlp.losses import LOSSES
from mlp.tables.coding import Coding
from mlp.tables.columns import Scaler
from mlp.tables.numbers import RegressionTarget
from mlp.tables.table import Table
from mlp.tables.targets import MulticlassTarget, MultilabelTarget

CONFIG = """
data: {path: d.csv, target: y}
task: classification
network: {layers: [{units: 3, activation: tanh}]}
optimizer: {name: sgd, momentum: 0.9}
training: {epochs: 2, batch_size: 4, seed: 0}
"""
TABLE = "a,b,y\n" + "".join(f"{i},{i * i % 7},{'pq'[i % 2]}\n" for i in range(12))
MODEL = ("model.npz", ["predict", "run", "d.csv"])
MODEL_BY_NAME = ("model.npz", ["evaluate", "run/model.npz", "d.csv"])
CHECKPOINT = ("last.npz", ["resume", "run", "--set", "training.epochs=4", "--no-plot"])
BOTH = pytest.mark.parametrize(("name", "command"), [MODEL, MODEL_BY_NAME, CHECKPOINT], ids=lambda value: value[0])
CONFIG_DATA = {"path": "d.csv", "target": ["y"]}
PLAIN_CONFIG = {"data": CONFIG_DATA, "task": "classification", "network": {"layers": []}, "training": {"epochs": 1}}
NUMBERS = np.random.default_rng(0).normal(size=(50, 4)) * [1, 1e3, 1e-3, 1e12]
TARGETS = {
    "classes": ("softmax_cross_entropy", MulticlassTarget({"y": ("01", "1.0", 'a, "b"', "c\nd", "é", " ")})),
    "binary": ("logistic_cross_entropy", MultilabelTarget({"u": ("0", "1"), "名前": ("nein", "ja")})),
    "quantities": ("squared_error", RegressionTarget(("p", "q"), Scaler(np.array([1e6, 0.1]), np.array([3.0, 1e-9])))),
}
NAMES = ("a", "größe", "c d", 'e"f,g')


def make_model(loss, target, activation="tanh", dtype=np.float32):
    rng = np.random.default_rng(1)
    sizes = [4, 5, 3, target.size]
    layers = [Layer.initialize(*pair, activation, rng=rng, dtype=dtype) for pair in pairwise(sizes)]
    for layer in layers:
        layer.b += rng.normal(size=layer.b.shape).astype(dtype)
    rows = Table("a table", dict.fromkeys(NAMES, "number"), NUMBERS, {}, (), np.empty((len(NUMBERS), 0)))
    return Model(Network(layers), LOSSES[loss], Coding.fit(rows), target, 7, copy.deepcopy(PLAIN_CONFIG))


def contents(path):
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return json.loads(arrays.pop("header").tobytes()), arrays


def rewrite(path, header, arrays):
    text = json.dumps(header).encode()
    np.savez(path, header=np.frombuffer(text, dtype=np.uint8), **arrays)


class Planted:
    """Unpickling it would make a folder."""

    def __reduce__(self):
        return os.mkdir, ("planted",)


def zip_bytes(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def npz_bytes(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy_bytes(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header_bytes(text):
    return np.frombuffer(text, dtype=np.uint8)


def refusal(path="model.npz", most=1_000_000):
    """The line that a model file is refused with, after no more than `most` bytes of memory."""
    tracemalloc.start()
    try:
        with pytest.raises(FileError) as caught:
            load_model(path)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert line.isprintable()
    assert len(line) <= 450
    return line

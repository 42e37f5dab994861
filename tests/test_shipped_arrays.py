"""The shipped tables as arrays."""

import numpy as np
import pytest

from mlp.datasets import TARGETS, load, path

SHAPES = {
    "digits": (1797, 64, 10),
    "iris": (150, 4, 3),
    "diabetes": (442, 10, 1),
    "xor": (400, 2, 2),
    "spirals": (400, 2, 2),
    "sine": (400, 1, 1),
}


@pytest.mark.parametrize("name", TARGETS)
def test_tables_are_arrays(name):
    X, Y, inputs, labels = load(name)
    assert (*X.shape, Y.shape[1]) == SHAPES[name]
    assert (len(inputs), len(labels)) == (X.shape[1], Y.shape[1])
    assert np.isfinite(X).all()
    assert TARGETS[name] not in inputs
    if Y.shape[1] > 1:
        assert (Y.sum(axis=1) == 1).all()


def test_a_row_is_that_of_the_file():
    found = load("iris")
    heading, *rows = path("iris").read_text().splitlines()
    row = rows[77].split(",")
    assert [*found.inputs, "species"] == heading.split(",")
    assert found.X[77].tolist() == [float(cell) for cell in row[:-1]]
    assert found.labels[int(found.Y[77].argmax())] == row[-1]


def test_what_cannot_be_loaded():
    with pytest.raises(ValueError, match="titanic has texts and gaps: train on it by a config"):
        load("titanic")
    for name in ("mnist", "", 3, "../data/iris"):
        with pytest.raises(ValueError, match="name must be one of diabetes, digits, iris"):
            load(name)

"""model.predict takes pandas, polars and Arrow tables by name, and arrays by position."""

import csv
import datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mlp.cli.commands import cli
from mlp.errors import DataError
from mlp.experiments.model import load_model
from mlp.tables import Reading, read_table
from mlp.tables.frames import columns_of, training_table

ROWS = [
    {"zone": "a", "size": "1.5", "open": "TRUE", "day": "2024-01-31"},
    {"zone": "b", "size": "", "open": "FALSE", "day": "2024-03-01"},
    {"zone": "", "size": "-2", "open": "", "day": ""},
    {"zone": "1", "size": "4", "open": "TRUE", "day": "2023-12-24"},
]
VALUES = {
    "zone": ["a", "b", None, "1"],
    "size": [1.5, None, -2.0, 4.0],
    "open": [True, False, None, True],
    "day": [datetime.date(2024, 1, 31), datetime.date(2024, 3, 1), None, datetime.date(2023, 12, 24)],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    with open(folder / "t.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, [*ROWS[0], "y"])
        writer.writeheader()
        writer.writerows(row | {"y": "pq"[k % 2]} for k, row in enumerate(ROWS * 5))
    (folder / "c.yaml").write_text(
        f"data: {{path: {folder / 't.csv'}, target: y, missing: fill}}\ntask: classification\n"
        "network: {layers: [{units: 4}]}\ntraining: {epochs: 2, seed: 0}\n"
    )
    done = CliRunner().invoke(cli, ["train", str(folder / "c.yaml"), "--no-plot", "--out", str(folder / "run")])
    assert done.exit_code == 0, done.output
    return load_model(folder / "run")


@pytest.fixture(scope="module")
def wanted(model):
    with open("new.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ROWS[0])
        writer.writeheader()
        writer.writerows(ROWS)
    try:
        return model.predict(model.read("new.csv", with_targets=False))
    finally:
        Path("new.csv").unlink()


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("here"))
        yield


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, column in wanted.items():
        assert found[name].tolist() == column.tolist()


def reversed_columns():
    return dict(reversed(VALUES.items())) | {"more": [0] * 4}


def test_pandas(model, wanted):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(reversed_columns())
    assert_same(model.predict(frame), wanted)
    assert_same(model.predict(frame.astype({"zone": "category", "size": "Float64", "open": "boolean"})), wanted)
    assert_same(model.predict(frame.assign(day=pandas.to_datetime(frame["day"]))), wanted)
    as_text = frame["day"].map(lambda day: None if day is None else str(day))  # as pandas reads a CSV file
    assert_same(model.predict(frame.assign(day=as_text)), wanted)


def test_polars(model, wanted):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(reversed_columns())
    assert_same(model.predict(frame), wanted)
    assert_same(model.predict(frame.with_columns(polars.col("zone").cast(polars.Categorical))), wanted)


def test_arrow(model, wanted):
    pyarrow = pytest.importorskip("pyarrow")
    assert_same(model.predict(pyarrow.table(reversed_columns())), wanted)


def test_an_array_of_objects_is_taken_by_position(model, wanted):
    array = np.array(list(zip(*VALUES.values(), strict=True)), dtype=object)
    assert_same(model.predict(array), wanted)
    with pytest.raises(ValueError, match=r"expected \(N, 4\)"):
        model.predict(array[:, :3])


def test_a_column_that_is_missing_or_of_another_kind_is_named(model):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(VALUES)
    with pytest.raises(DataError, match="no column 'size'; the columns are 'zone', 'open', 'day'"):
        model.predict(frame.drop(columns="size"))
    with pytest.raises(DataError, match="column 'size': expected a number, got 'large'"):
        model.predict(frame.assign(size=["large"] * 4))
    with pytest.raises(DataError, match="column 'size': a number is infinite"):
        model.predict(frame.assign(size=[np.inf] * 4))


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_a_frame_to_train_on_is_the_table_of_its_file(package):
    package = pytest.importorskip(package)
    with open("new.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, [*ROWS[0], "code", "w"])
        writer.writeheader()
        writer.writerows(row | {"code": k % 2, "w": k / 2} for k, row in enumerate(ROWS))
    frame = package.DataFrame(VALUES | {"code": [0, 1, 0, 1], "w": [0.0, 0.5, 1.0, 1.5]})
    kinds, others = {"code": "category"}, {"w": "number"}
    columns, Y = columns_of(frame, "X"), np.zeros((4, 1))
    found = training_table(columns, ["y"], Y, kinds=kinds, others=others, reading=Reading(), source="X")
    wanted = read_table("new.csv", kinds=kinds, others=others)
    assert (
        found.kinds == wanted.kinds == dict(zone="category", size="number", open="boolean", day="date", code="category")
    )
    np.testing.assert_array_equal(found.X, wanted.X)
    for name, column in wanted.texts.items():
        assert found.texts[name].levels == column.levels
        assert found.texts[name].codes.tolist() == column.codes.tolist()
    assert found.others["w"].tolist() == wanted.others["w"].tolist()
    assert (found.targets, found.Y.shape) == (("y",), (4, 1))


def test_a_column_of_objects_is_what_its_texts_are(model):
    """As the rows that a model was trained on: TRUE is a truth value, and a number may be a text."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(VALUES)
    texts = frame.assign(size=["1.5", "", "-2", "4"], open=["TRUE", "FALSE", None, "true"])
    assert_same(model.predict(texts), model.predict(frame))
    columns, reading = {"size": np.array([1.5, None], dtype=object)}, Reading(decimal=",")  # of the files alone
    found = training_table(columns, [], np.empty((2, 0)), kinds={}, others={}, reading=reading, source="X")
    np.testing.assert_array_equal(found.X, [[1.5], [np.nan]])

"""Large tables: the same bits wherever rows are and however they are stored, work in pieces, memory.

`large` makes every `.npy` file so large that it is mapped, and every table too large to be encoded at once.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mlp import EpochRecord, Layer, LogisticCrossEntropy, Network, Progress, SoftmaxCrossEntropy, evaluate
from mlp.checking import FAIL
from mlp.cli.commands import cli
from mlp.divergence import largest
from mlp.errors import DataError
from mlp.experiments.advice import closing_advice
from mlp.experiments.assemble import prepare
from mlp.experiments.check import check_data, training_table
from mlp.experiments.config.load import load_config
from mlp.metrics import accuracy, binary_accuracy, confusion_matrix, rmse
from mlp.tables import array_files, read_table
from mlp.tables import table as table_module
from mlp.tables.columns import Scaler
from mlp.tables.table import PIECE, Rows, choose_columns, choose_rows, slices

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
N, D = 700, 5


def make_large(monkeypatch):
    monkeypatch.setattr(array_files, "LARGE", -1)
    monkeypatch.setattr(table_module, "SMALL", 0)


@pytest.fixture
def large(monkeypatch):
    make_large(monkeypatch)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def numbers(dtype="f8"):
    """N x (D + 1), the last column with one of three classes; all are whole and fit into a byte."""
    matrix = np.random.default_rng(0).integers(0, 100, size=(N, D + 1))
    matrix[:, -1] = (matrix[:, 0] + matrix[:, 1]) // 67
    return matrix.astype(dtype)


def write_config(path, target=D, task="classification", extra="", training="", epochs=2, split="valid: 0.2, test: 0.1"):
    Path("c.yaml").write_text(
        f"data: {{path: {path}, target: '{target}', split: {{{split}}}{extra}}}\n"
        f"task: {task}\nnetwork: {{layers: [{{units: 4}}]}}\n"
        f"training: {{epochs: {epochs}, batch_size: 32, seed: 1{training}}}\n"
    )


def epochs(experiment):
    records = experiment.epochs(Progress())
    return [replace(record, seconds=0) for record in records if isinstance(record, EpochRecord)]


def trained(path="d.npy", **config):
    """The bits of everything that is trained on, and of what comes out."""
    write_config(path, **config)
    experiment = prepare(load_config("c.yaml", ()))
    bits = [part[:].tobytes() for data in experiment.splits.values() for part in data]
    records = epochs(experiment)
    weights = [W.tobytes() for W in experiment.model.network.parameters().values()]
    return bits, weights, records, experiment.notes


# Rows


def is_mapped(X):
    """Whether the numbers are in a file."""
    while X is not None and not isinstance(X, np.memmap):
        X = X.base
    return X is not None


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "<i4", ">i4", "f2", "f4", ">f4", "f8", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_numbers_of_a_mapped_file_are_those_of_the_matrix(here, large, dtype, order):
    matrix = np.random.default_rng(0).integers(0, 2 if dtype == "?" else 100, size=(40, 3)).astype(dtype)
    np.save("m.npy", np.asarray(matrix, order=order))
    X = read_table("m.npy", targets=["0"]).X
    assert is_mapped(X)
    assert (X.shape, X.ndim, X.dtype, len(X)) == ((40, 2), 2, matrix.dtype, 40)
    for rows in (slice(0, 7), slice(35, 100), np.array([39, 0, 5, 6, 7, 7, 8]), np.arange(40, dtype=np.uint32)):
        assert np.array_equal(X[rows], matrix[rows, 1:])


def test_a_file_is_mapped_from_a_fixed_size_on(here, monkeypatch):
    np.save("m.npy", numbers())
    size = Path("m.npy").stat().st_size
    for largest_loaded, mapped in ((size, False), (size - 1, True)):
        monkeypatch.setattr(array_files, "LARGE", largest_loaded)
        assert is_mapped(read_table("m.npy").X) == mapped


@pytest.mark.parametrize("columns", [[0, 1, 2, 3], [1, 2], [3, 0], [2]])
@pytest.mark.parametrize("small", [0, 10**9])
def test_rows_and_columns_by_number(columns, small, monkeypatch):
    monkeypatch.setattr(table_module, "SMALL", small)
    matrix = np.random.default_rng(0).normal(size=(PIECE // 4 + 9, 4))  # more than one piece
    rows = np.random.default_rng(1).permutation(len(matrix))[: PIECE // 4 + 3].astype(np.uint32)
    part = choose_rows(choose_columns(matrix, columns), rows)
    assert isinstance(part, np.ndarray) == (small > 0)
    wanted = matrix[rows][:, columns]
    assert (part.shape, part.ndim, part.dtype, len(part)) == (wanted.shape, 2, wanted.dtype, len(wanted))
    assert np.array_equal(part[:], wanted)
    assert np.array_equal(part[5:900], wanted[5:900])
    assert np.array_equal(part[np.array([9, 2, 2])], wanted[[9, 2, 2]])
    assert np.array_equal(np.concatenate([part[piece] for piece in slices(part)]), wanted)


# The same bits


@pytest.mark.parametrize("dtype", ["u1", "<i4", ">f4", "f2", "f4", "f8"])
def test_training_from_the_file_is_training_in_memory_to_the_last_bit(here, dtype, monkeypatch):
    matrix = numbers(dtype)
    np.save("d.npy", matrix)
    np.savez("d.npz", X=matrix[:, :D], y=matrix[:, D])
    Path("d.csv").write_text("\n".join(",".join(repr(float(v)) for v in row) for row in matrix.tolist()))
    wanted = trained()
    assert trained("d.npz", target="y") == wanted
    found = trained("d.csv", extra=", header: false")
    assert found[:3] == wanted[:3]
    np.save("f.npy", np.asfortranarray(matrix))
    assert trained("f.npy") == wanted
    make_large(monkeypatch)
    assert isinstance(prepare(load_config("c.yaml", ())).splits["train"][0], Rows)
    for path, target in (("d.npy", D), ("f.npy", D), ("d.npz", "y")):
        assert trained(path, target=target) == wanted


@pytest.mark.parametrize(
    "config",
    [
        {"target": 2, "extra": ", inputs: ['4', '0', '3']"},
        {"extra": ", standardize: false"},
        {"task": "regression", "target": 1},
        {"split": "valid: 0.3, method: file_order", "training": ", train_loss: epoch_end"},
        {"training": ", early_stopping: {patience: 1}"},
    ],
    ids=lambda config: next(iter(config)),
)
def test_nor_does_it_differ_for_chosen_columns_targets_and_splits(here, config, large, monkeypatch):
    matrix = numbers("f4") + np.float32(0.1) * (np.arange(D + 1) < D)
    matrix[:, 2] = matrix[:, -1]
    np.save("d.npy", matrix)
    found = trained(**config)
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert trained(**config) == found


def test_the_commands_say_the_same_of_data_in_a_file(here, monkeypatch):
    np.save("d.npy", numbers("f4"))
    write_config("d.npy")

    def all_commands(out):
        runner = CliRunner()
        said = []
        for arguments in (
            ["train", "c.yaml", "--out", out, "--no-plot"],
            ["resume", out, "--set", "training.epochs=4", "--no-plot", "-q"],
            ["train", "--replay", out],
            ["evaluate", out, "--split", "train"],
            ["evaluate", out, "d.npy", "--json"],
            ["predict", out, "d.npy"],
            ["summary", out],
            ["check", "c.yaml"],
        ):
            done = runner.invoke(cli, arguments, prog_name="mlp", catch_exceptions=False)
            assert done.exit_code == 0, done.output
            said.append(done.stdout)
        return said, [(Path(out) / name).read_bytes() for name in ("model.npz", "metrics.csv", "last.npz")]

    wanted = all_commands("run")
    os.rename("run", "in-memory")
    make_large(monkeypatch)
    assert all_commands("run") == wanted


@pytest.mark.parametrize("offset", [0.0, 3.0, 1e6])
def test_the_same_numbers_have_one_standardization_whatever_their_type(offset):
    X = (offset + 10 * np.random.default_rng(0).normal(size=(3000, 3))).astype(np.float32)
    scalers = [Scaler.fit(same, "abc") for same in (X, X.astype(np.float64), np.asfortranarray(X), X.astype(">f8"))]
    for scaler in scalers:
        assert np.array_equal((scaler.mean, scaler.std), (scalers[0].mean, scalers[0].std))
    wanted = ((X.astype(np.float64) - scalers[0].mean) / scalers[0].std).astype(np.float32)
    for same in (X, X.astype(np.float64), np.asfortranarray(X), X[::-1][::-1], X.astype(">f4")):
        Z = scalers[0].transform(same)
        assert Z.flags.c_contiguous
        assert np.array_equal(Z, scalers[0].transform(X))
        assert np.abs(Z - wanted).max() <= (2e-6 if offset < 1e6 else 0)


def test_statistics_in_pieces_are_those_of_the_whole():
    X = np.random.default_rng(0).normal(3, 2, size=(PIECE // 2 + 1000, 4))
    scaler = Scaler.fit(X, "abcd")
    np.testing.assert_allclose(scaler.mean, X.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scaler.std, X.std(axis=0), rtol=1e-12)


def test_an_evaluation_needs_as_many_targets_as_inputs():
    network = Network([Layer.initialize(3, 4, "identity", rng=np.random.default_rng(0))])
    for N, M in ((5, 9), (9, 5), (0, 0)):
        with pytest.raises(ValueError, match=rf"X has shape \({N}, 3\) and Y has shape \({M}, 4\)"):
            evaluate(network, SoftmaxCrossEntropy(), (np.zeros((N, 3)), np.zeros((M, 4))))


# Scores in pieces


def test_metrics_in_pieces_are_those_of_all_rows():
    rng = np.random.default_rng(0)
    X, codes = rng.normal(size=(2500, 3)), rng.integers(0, 4, 2500)
    Y = np.eye(4)[codes]
    network = Network([Layer.initialize(3, 4, "identity", rng=rng, dtype=np.float64)])
    F = network(X.T)
    metrics = {"accuracy": accuracy, "yes": binary_accuracy, "rmse": rmse}
    for loss in (SoftmaxCrossEntropy(), LogisticCrossEntropy()):
        P = loss.predict(F)
        found = evaluate(network, loss, (X, Y), metrics)
        assert list(found) == ["loss", *metrics]
        np.testing.assert_allclose(found["loss"], loss.cost(F, Y.T), rtol=1e-12)
        assert found["accuracy"] == accuracy(P, Y.T) == confusion_matrix(P, Y.T).trace() / 2500
        assert found["yes"] == binary_accuracy(P, Y.T)
        np.testing.assert_allclose(found["rmse"], rmse(P, Y.T), rtol=1e-12)


def test_a_model_is_scored_in_pieces(here):
    np.save("d.npy", np.concatenate([numbers()] * 4))
    write_config("d.npy")
    experiment = prepare(load_config("c.yaml", ()))
    model, (X, Y) = experiment.model, experiment.splits["train"]
    scores, confusion, _ = model.score((X, Y), "train")
    P = model.loss.predict(model.network(X.T))
    assert len(X) > 1024
    assert np.array_equal(confusion["5"], confusion_matrix(P, Y.T))
    assert scores["accuracy"] == accuracy(P, Y.T)
    X[1500] = np.inf
    with pytest.raises(DataError, match="no finite answer for 1 of 1960 rows, the first is row 1500"):
        model.score((X, Y), "train")


def test_the_largest_number_is_looked_for_in_all_rows():
    X = np.zeros((3000, 2))
    X[2000, 1], X[2500, 0] = -7, np.nan
    assert largest(X) == 7


# Notes and checks in pieces


def test_what_is_said_of_a_table_in_pieces_is_what_is_said_of_the_whole(here, monkeypatch):
    matrix = np.concatenate([numbers(), numbers()[:300], numbers()[100:400]])
    twin = matrix[:, 1].copy()
    twin[0] += 1  # from the second piece on, the same
    late = np.arange(len(matrix)) > len(matrix) - 50  # of one value up to the last pieces
    columns = [matrix[:, :2], twin, matrix[:, 1], matrix[:, -1] * 10 - 5, np.full(len(matrix), 3), late, matrix[:, -1]]
    np.save("d.npy", np.column_stack(columns))
    write_config("d.npy", target=7)

    def all_said():
        experiment = one_answer(prepare(load_config("c.yaml", ())))
        notes = [*experiment.notes, *closing_advice(experiment, experiment.model)]
        return notes, experiment.class_counts(), [(r.what, r.verdict, r.reason) for r in checked(experiment)]

    wanted = all_said()
    told = " ".join(wanted[0])
    for words in (
        "'4' has one value for each class of '7'",
        "1 input column is",
        "also",
        "beat",
    ):
        assert words in told, words
    monkeypatch.setattr(table_module, "PIECE", 64)
    assert all_said() == wanted


def checked(experiment):
    """What `mlp check` says of the data."""
    return list(check_data(training_table(experiment), *experiment.splits["train"], experiment))


def one_answer(experiment):
    """The model gives the first class whatever the inputs are."""
    last = experiment.model.network.layers[-1]
    last.W[...], last.b[...] = 0, [[9], [0], [0]]
    return experiment


def test_a_model_that_gives_one_answer_is_measured_on_all_rows(here):
    np.save("d.npy", np.concatenate([numbers()] * 4))
    write_config("d.npy")
    experiment = one_answer(prepare(load_config("c.yaml", ())))
    counts = experiment.class_counts()["5"]
    for split in ("test", "train"):
        experiment.splits = {name: data for name, data in experiment.splits.items() if name in (split, "train")}
        note, N = closing_advice(experiment, experiment.model)[-1], len(experiment.splits[split][0])
        assert f"accuracy {counts[split][0] / N:.4g} against {max(counts[split]) / N:.4g}" in note
    assert "fewer units" not in note  # it does no better on the 1960 training rows either


@pytest.mark.parametrize("part", [0, 1], ids=["inputs", "labels"])
def test_a_wrong_code_is_found_far_inside(here, monkeypatch, part):
    np.save("d.npy", numbers())
    write_config("d.npy")
    experiment = prepare(load_config("c.yaml", ()))
    monkeypatch.setattr(table_module, "PIECE", 64)
    examples = experiment.splits["train"][part]
    examples[303] = np.roll(examples[303], 1)
    failed = [result for result in checked(experiment) if result.verdict == FAIL]
    assert len(failed) == 1
    start = 303 - 303 % (64 // 3)
    assert failed[0].reason.startswith("row 303, " if part == 0 else f"from row {start}: row {303 - start}: ")


# Files


def test_a_file_that_is_deleted_meanwhile_stays_readable(here, large):
    np.save("d.npy", numbers("f4"))
    wanted = trained()
    write_config("d.npy")
    experiment = prepare(load_config("c.yaml", ()))
    os.remove("d.npy")
    assert epochs(experiment) == wanted[2]


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00v\x00{", b"PK\x05\x06"])
def test_damaged_large_files_are_refused_as_small_ones_are(here, content, large, monkeypatch):
    Path("d.npy").write_bytes(content)
    with pytest.raises(DataError) as large:
        read_table("d.npy")
    monkeypatch.undo()
    monkeypatch.chdir(here)
    with pytest.raises(DataError) as small:
        read_table("d.npy")
    assert str(large.value) == str(small.value)


def test_a_large_file_that_is_cut_short_is_refused(here, large):
    np.save("d.npy", numbers())
    os.truncate("d.npy", 3000)
    with pytest.raises(DataError, match=r"d\.npy: not a readable \.npy file"):
        read_table("d.npy")


def test_a_number_that_is_not_finite_is_found_far_inside_a_large_file(here, large):
    matrix = np.zeros((PIECE, 2), np.float32)
    matrix[PIECE - 5, 1], matrix[PIECE - 2, 0] = np.inf, -np.inf
    np.save("d.npy", matrix)
    with pytest.raises(DataError, match=f"2 values are not finite, the first is inf in row {PIECE - 5} .* column '1'"):
        read_table("d.npy")


# Memory


TRAIN = """
import resource
if {limit}:
    resource.setrlimit(resource.RLIMIT_DATA, ({limit}, {limit}))
from mlp.cli.commands import cli
try:
    cli(prog_name="mlp")
finally:
    with open("/proc/self/status") as status:
        print("peak", next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def peak_of_training(config, out, limit=0):
    """The most memory, in MB, that the real command had in RAM, under a limit on private memory; and its weights."""
    done = subprocess.run(
        [sys.executable, "-c", TRAIN.format(limit=limit), "train", config, "--out", out],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # whose buffers count, one a thread
    )
    assert done.returncode == 0, done.stderr
    weights = np.load(f"{out}/model.npz")
    return int(done.stdout.split("peak ")[1]) / 1024, {name: weights[name].tobytes() for name in weights.files}


def write_large(name, rows, columns, dtype):
    matrix = np.lib.format.open_memmap(name, "w+", dtype=dtype, shape=(rows, columns))
    for start in range(0, rows, 1000):
        piece = np.random.default_rng(start).integers(0, 200, size=(min(1000, rows - start), columns))
        piece[:, -1] = piece[:, 0] // 50
        matrix[start : start + len(piece)] = piece
    matrix.flush()


@LINUX
@pytest.mark.long
def test_a_file_several_times_the_private_memory_trains_and_gives_the_same_weights(here):
    private = 160 * 2**20  # what is mapped is not private: the system can take it back
    write_large("d.npy", 160_000, 785, "f4")
    assert Path("d.npy").stat().st_size > 2.9 * private
    write_config("d.npy", target=784, epochs=1)
    _, mapped = peak_of_training("c.yaml", "mapped", private)
    matrix = np.load("d.npy", mmap_mode="r")
    np.savez("d.npz", X=matrix[:, :784], y=matrix[:, 784])
    write_config("d.npz", target="y", epochs=1)
    _, in_memory = peak_of_training("c.yaml", "in-memory")
    for name in mapped.keys() - {"header"}:  # which names the data
        assert mapped[name] == in_memory[name], name


@LINUX
@pytest.mark.long
@pytest.mark.parametrize(("dtype", "rows"), [("u1", 70_000), ("u1", 210_000), ("f4", 60_000), ("f8", 30_000)])
@pytest.mark.parametrize("ending", ["npz", "npy"])
def test_training_takes_little_more_than_the_data(here, dtype, rows, ending):
    write_large("d.npy", rows, 785, dtype)
    size = Path("d.npy").stat().st_size / 2**20
    write_config("d.npy", target=784, epochs=1)
    if ending == "npz":
        matrix = np.load("d.npy", mmap_mode="r")
        np.savez("d.npz", X=matrix[:, :784], y=matrix[:, 784])
        write_config("d.npz", target="y", epochs=1)
    peak, _ = peak_of_training("c.yaml", "run")
    assert peak < 1.3 * size + 100

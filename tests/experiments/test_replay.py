"""`mlp train --replay RUN`: a finished run trained again, and every way in which it can turn out not to be the same."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import processes
import pytest
from click.testing import CliRunner
from small_runs import ADAM, ALL_AT_ONCE, SGD, write_problem

from mlp.cli.commands import cli
from mlp.experiments.machine import differences, environment
from mlp.experiments.storage import archive as archives
from mlp.experiments.storage.run_folder import as_json
from mlp.text import visible


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run():
    write_problem(epochs=3)
    assert mlp("train", "small.yaml", "--no-plot", "--quiet", "--out", "run").exit_code == 0
    return Path("run")


def mlp(*arguments):
    result = CliRunner().invoke(cli, arguments)
    assert "Traceback" not in result.output
    return result


def files():
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in Path().rglob("[!.]*") if path.is_file()}


def differs(*words):
    """Replay run, which must write nothing, say one line, and end with 5."""
    before = files()
    result = mlp("train", "--replay", "run", "--quiet")
    assert files() == before
    assert result.exit_code == 5, result.output
    (line,) = result.stdout.splitlines()
    for word in words:
        assert word in line, line
    (message,) = result.stderr.splitlines()
    assert message.startswith("not identical")
    return message


@pytest.mark.parametrize(("optimizer", "extra"), [(SGD, ""), (ADAM, ALL_AT_ONCE)], ids=["sgd", "adam, all at once"])
def test_a_replay_is_identical_and_writes_nothing(optimizer, extra):
    write_problem(optimizer, extra, epochs=8)
    assert mlp("train", "small.yaml", "--out", "run").exit_code == 0
    before = files()
    result = mlp("train", "--replay", "run")
    assert result.exit_code == 0
    done = json.loads(Path("run/run.json").read_text())["epochs_done"]
    assert result.stdout == f"run: identical: all {done} epochs, the model and the last state, to the last bit\n"
    assert f"epoch {done}/8" in result.stderr
    assert mlp("train", "--replay", "run", "--quiet").stderr == ""
    assert files() == before


def test_a_run_that_was_interrupted_and_extended_is_replayed_from_anywhere(run, folder, monkeypatch):
    assert mlp("resume", "run", "--no-plot", "--set", "training.epochs=5").exit_code == 0
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert "identical: all 5 epochs" in mlp("train", "--replay", "../run", "--quiet").stdout


def test_the_first_epoch_that_differs_is_told_with_both_numbers(run):
    rows = (run / "metrics.csv").read_text().splitlines()
    cells = rows[2].split(",")
    was, cells[1] = cells[1], "0.5"
    (run / "metrics.csv").write_text("\n".join([*rows[:2], ",".join(cells), rows[3]]) + "\n")
    differs("run: differs first in epoch 2: train_loss ", f"{was} (was 0.5)")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[:-1], ["has no row for epoch 3"]),
        (lambda rows: [*rows, rows[-1].replace("3", "4", 1)], ["has 4 epochs, the replay 3"]),
        (lambda rows: [rows[0].replace("train_loss", "loss"), *rows[1:]], ["columns"]),
        (lambda rows: [*rows[:3], rows[3] + ",7"], ["epoch 3", "another length"]),
    ],
)
def test_rows_that_are_missing_or_too_many(run, change, words):
    rows = (run / "metrics.csv").read_text().splitlines()
    (run / "metrics.csv").write_text("\n".join(change(rows)) + "\n")
    differs(*words)


@pytest.mark.parametrize(
    ("name", "kind", "array"),
    [("model.npz", "mlp model", "W2"), ("last.npz", "mlp checkpoint", "optimizer.velocity")],
)
def test_an_array_that_differs_in_one_bit_is_named(run, name, kind, array):
    header, arrays = archives.read_arrays(run / name, kind)
    arrays[array].flat[0] = np.nextafter(arrays[array].flat[0], np.float32(9))
    (run / name).write_bytes(archives.archive_bytes(kind, header, arrays))
    message = differs("all epochs are the same", name, array)
    assert message == (
        "not identical, though versions, BLAS kernel and threads are those of the run: were its files changed?"
    )


def test_a_header_that_differs_is_told(run):
    header, arrays = archives.read_arrays(run / "last.npz", "mlp checkpoint")
    header["best_value"] += 1e-9
    (run / "last.npz").write_bytes(archives.archive_bytes("mlp checkpoint", header, arrays))
    differs("all epochs are the same, but last.npz is not: its header")


def test_another_kernel_is_named_as_what_has_changed(run):
    facts = json.loads((run / "run.json").read_text())
    facts["blas"]["kernel"] = "Katmai"
    facts["versions"]["numpy"] = "1.0.0"
    (run / "run.json").write_bytes(as_json(facts))
    assert mlp("train", "--replay", "run", "--quiet").exit_code == 0  # the same bits all the same
    rows = (run / "metrics.csv").read_text().replace("1,0", "1,1", 1)
    (run / "metrics.csv").write_text(rows)
    message = differs("epoch 1")
    assert f"numpy {np.__version__} (was 1.0.0)" in message
    assert "(was Katmai)" in message


def test_a_real_change_of_the_kernel_is_noticed(run):
    """OPENBLAS_CORETYPE picks other matrix kernels, where NumPy has an OpenBLAS that knows them."""
    kernel = environment()["blas"]["kernel"]
    env = {"OPENBLAS_CORETYPE": "Nehalem", "OPENBLAS_NUM_THREADS": "1"}
    code, _, stderr = processes.run("resume", "run", "--no-plot", "--set", "training.epochs=4", env=env)
    assert code == 0
    found = json.loads((run / "run.json").read_text())
    (resumed,) = found["resumed"]
    if kernel in (None, "Nehalem") or not resumed["changed"]:
        pytest.skip("this NumPy has no other kernel to choose")
    assert any("BLAS kernel" in change for change in resumed["changed"])
    (note,) = [line for line in stderr.splitlines() if "last bits" in line]
    assert f"BLAS kernel Nehalem (was {kernel})" in note
    assert found["blas"]["kernel"] == kernel  # of the start


def test_a_part_that_was_computed_elsewhere_is_remembered(run):
    """By a resume in between: now everything is as it was when the run started."""
    facts = json.loads((run / "run.json").read_text())
    facts["resumed"] = [{"changed": ["BLAS kernel Katmai (was Zen)"]}]
    (run / "run.json").write_bytes(as_json(facts))
    stderr = mlp("resume", "run", "--no-plot", "--set", "training.epochs=4").stderr
    assert "BLAS kernel Katmai (was Zen) for a part of it since it started" in stderr
    rows = (run / "metrics.csv").read_text().replace("1,0", "1,1", 1)
    (run / "metrics.csv").write_text(rows)
    assert differs("epoch 1") == "not identical; since the run: BLAS kernel Katmai (was Zen) for a part of it"


def test_another_container_of_the_same_arrays_is_identical(run):
    """As other versions of Python write it; the dates of the members here."""
    content = (run / "model.npz").read_bytes()
    other = content.replace(b"\0\0\x21\0", b"\0\0\x22\0")  # 1980-01-01 and -02
    assert other != content
    (run / "model.npz").write_bytes(other)
    assert "identical" in mlp("train", "--replay", "run", "--quiet").stdout


def test_differences_are_told_in_words_and_equal_environments_are_silent():
    now = environment()
    assert differences(now, now) == []
    assert differences(json.loads(as_json(now)), now) == []  # as it comes back from run.json
    assert differences({**now, "platform": "another kernel of the system"}, now) == []
    assert differences({**now, "simd": "X86_V2"}, now) == [f"simd {now['simd']} (was X86_V2)"]
    python = now["versions"]["python"]
    then = {**now, "versions": {**now["versions"], "python": "3.10.1"}}
    assert differences(then, now) == [f"python {python} (was 3.10.1)"]
    assert len(differences({}, now)) >= 8
    assert all("(was not recorded)" in each for each in differences({}, now))


def test_a_difference_in_threads_is_told_by_the_resume(run):
    facts = json.loads((run / "run.json").read_text())
    threads = facts["blas"]["threads"]
    facts["blas"]["threads"] = 64
    (run / "run.json").write_bytes(as_json(facts))
    stderr = mlp("resume", "run", "--no-plot", "--set", "training.epochs=4").stderr
    assert f"BLAS threads {threads} (was 64) since it started" in stderr
    assert "otherwise than in an uninterrupted run" in stderr
    assert "last bits" not in mlp("train", "small.yaml", "--no-plot").stderr


@pytest.mark.parametrize("end", ["\n", "\r", "\x0c", "\u2028"], ids=repr)
def test_a_target_whose_name_has_a_line_end_in_it(end):
    """As spreadsheets have in their headers; its metrics are columns of metrics.csv."""
    rows = [f"{i},{i % 7},{i % 5}" for i in range(40)]
    Path("table.csv").write_text(f'a,"price{end}(USD)",y\n' + "\n".join(rows) + "\n", newline="")
    Path("two.yaml").write_text(
        f"data: {{path: table.csv, target: [{json.dumps(f'price{end}(USD)')}, y], split: {{valid: 0.2}}}}\n"
        "task: regression\nnetwork: {layers: [{units: 3}]}\ntraining: {epochs: 3, seed: 0}\n"
    )
    done = mlp("train", "two.yaml", "--no-plot", "--out", "run")
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 4  # the best epoch, a header and two splits
    assert done.stderr.splitlines()[0].endswith(f"target price{visible(end)}(USD), y")
    assert mlp("resume", "run", "--no-plot", "--set", "training.epochs=5").exit_code == 0
    assert "identical: all 5 epochs" in mlp("train", "--replay", "run", "--quiet").stdout


# What cannot be replayed


def refused(*arguments, code):
    before = files()
    result = mlp("train", *arguments)
    assert result.exit_code == code, result.output
    assert files() == before
    return result.stderr


def test_only_a_finished_run_is_replayed(run):
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_bytes(as_json(facts | {"status": "interrupted", "epochs_done": 2}))
    assert "is interrupted after 2 epochs; only a finished run" in refused("--replay", "run", code=2)


def test_a_replay_refuses_what_is_not_the_run_any_more(run):
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("batch_size: 8", "batch_size: 9").replace("seed: 3", "seed: 4"))
    stderr = refused("--replay", "run", code=2)
    assert stderr.splitlines() == [
        "run/config.yaml: has changed since the run was trained: training.batch_size: 9, was 8",
        "run/config.yaml: has changed since the run was trained: training.seed: 4, was 3",
    ]
    (run / "config.yaml").write_text(config)
    table = Path("table.csv").read_text()
    Path("table.csv").write_text(table.replace("yes", "no", 1))
    assert "table.csv: has changed since the run started" in refused("--replay", "run", code=3)
    Path("table.csv").write_text(table)
    for name in ("model.npz", "last.npz"):
        shutil.move(f"run/{name}", name)
        result = mlp("train", "--replay", "run", "--quiet")
        assert result.exit_code == 3
        assert f"{name}: No such file" in result.stderr
        shutil.move(name, "run")
    assert "nowhere: not a run directory" in refused("--replay", "nowhere", code=3)


@pytest.mark.parametrize("extra", [["small.yaml"], ["--set", "training.epochs=4"], ["--out", "new"]], ids=" ".join)
def test_a_replay_takes_everything_from_its_run(run, extra):
    assert "leave out CONFIG, --set and --out" in refused("--replay", "run", *extra, code=2)
    assert not os.path.exists("new")


# A config.yaml that was changed by hand would make other rows the test rows, or another run of the resume


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("seed: 3", "seed: 4", "training.seed: 4, was 3"),
        ("test: 0.2", "test: 0.3", "data.split.test: 0.3, was 0.2"),
        ("units: 7", "units: 8", "network.layers.0.units: 8, was 7"),
        ("momentum: 0.9", "momentum: 0.8", "optimizer.momentum: 0.8, was 0.9"),
        ("name: softmax", "name: logistic", "loss.name: 'logistic_cross_entropy', was 'softmax_cross_entropy'"),
    ],
)
@pytest.mark.parametrize("command", [["evaluate"], ["resume", "--set", "training.epochs=5"]], ids=" ".join)
def test_a_config_that_was_changed_by_hand_is_refused_key_by_key(run, command, old, new, key):  # 60
    config = (run / "config.yaml").read_text()
    assert old in config
    (run / "config.yaml").write_text(config.replace(old, new))
    before = files()
    result = mlp(command[0], "run", *command[1:])
    assert result.exit_code == 2
    assert result.stderr == f"run/config.yaml: has changed since the run was trained: {key}\n"
    assert files() == before


def test_what_changes_no_bit_may_be_changed_by_hand(run):
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("epochs: 3", "epochs: 5"))
    assert mlp("resume", "run", "--no-plot").exit_code == 0
    assert "identical: all 5 epochs" in mlp("train", "--replay", "run", "--quiet").stdout


def test_rows_of_metrics_that_are_gone_are_told(run):
    lines = (run / "metrics.csv").read_text().splitlines(keepends=True)
    (run / "metrics.csv").write_text("".join([lines[0], *lines[2:]]))
    stderr = mlp("resume", "run", "--no-plot", "--set", "training.epochs=4").stderr
    assert "metrics.csv has the rows of 2 of the 3 epochs that are done; the others are lost" in stderr

"""Runs with weights of rows: data.weight and loss.class_weight."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mlp.cli.commands import cli


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [
        f"{a:.4f},{b:.4f},{w:.2f},{'01' if a + b > 1 else 'no'}"
        for a, b, w in zip(*rng.normal(size=(2, 60)), rng.uniform(0.1, 3, 60), strict=True)
    ]
    Path("t.csv").write_text("a,b,w,y\n" + "\n".join(rows) + "\n")
    return tmp_path


def run(out, data="", loss="{name: softmax_cross_entropy}", *more, code=0, training=""):
    Path("c.yaml").write_text(
        f"data: {{path: t.csv, target: y, exclude: [w], split: {{valid: 0.2, test: 0.2}}{data}}}\n"
        "task: classification\nnetwork: {layers: [{units: 4}]}\n"
        f"loss: {loss}\ntraining: {{epochs: 3, batch_size: 8, seed: 0{training}}}\n"
    )
    result = CliRunner().invoke(cli, ["train", "c.yaml", "--out", out, "--no-plot", *more])
    assert result.exit_code == code, result.output
    return result.output


def metrics(out):
    return Path(out, "metrics.csv").read_bytes()


@pytest.mark.usefixtures("folder")
def test_a_column_of_ones_gives_the_same_bits_as_none():
    run("none")
    text = Path("t.csv").read_text().splitlines()
    Path("t.csv").write_text(
        "\n".join(["a,b,w,y", *(",".join([*line.split(",")[:2], "1", line.split(",")[3]]) for line in text[1:])])
    )
    run("ones", ", weight: w")
    assert metrics("none").split(b"\n")[1].split(b",")[:-1] == metrics("ones").split(b"\n")[1].split(b",")[:-1]
    with np.load("none/model.npz") as none, np.load("ones/model.npz") as ones:
        assert all(none[name].tobytes() == ones[name].tobytes() for name in none.files if name != "header")


@pytest.mark.usefixtures("folder")
def test_only_the_ratio_of_class_weights_counts():
    run("one", "", "{name: softmax_cross_entropy, class_weight: {no: 1, 01: 10}}")
    run("other", "", "{name: softmax_cross_entropy, class_weight: {no: 100, 01: 1000}}")
    with np.load("one/last.npz") as one, np.load("other/last.npz") as other:
        np.testing.assert_allclose(one["theta"], other["theta"], rtol=1e-6)
    run("plain")
    with np.load("one/last.npz") as one, np.load("plain/last.npz") as plain:
        assert not np.allclose(one["theta"], plain["theta"], rtol=1e-3)


@pytest.mark.usefixtures("folder")
def test_a_weighted_run_that_is_resumed_ends_with_the_same_bytes():
    run("whole", ", weight: w", training="", code=0)
    run("parts", ", weight: w", "{name: softmax_cross_entropy}", "--set", "training.epochs=1")
    result = CliRunner().invoke(cli, ["resume", "parts", "--set", "training.epochs=3", "--no-plot"])
    assert result.exit_code == 0, result.output
    assert metrics("whole").count(b"\n") == metrics("parts").count(b"\n")
    with np.load("whole/last.npz") as whole, np.load("parts/last.npz") as parts:
        assert whole["theta"].tobytes() == parts["theta"].tobytes()


@pytest.mark.usefixtures("folder")
def test_the_test_loss_of_a_run_is_weighted_and_evaluate_says_the_same():
    output = run("run", ", weight: w")
    scores = json.loads(Path("run/run.json").read_text())["scores"]["test"]
    result = CliRunner().invoke(cli, ["evaluate", "run", "--json"])
    assert json.loads(result.stdout)["loss"] == pytest.approx(scores["loss"], rel=1e-12)
    assert "3 input" not in output


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("loss", "code", "words"),
    [
        ("{name: softmax_cross_entropy, class_weight: {yes: 2}}", 3, "no label 'yes'"),
        ("{name: softmax_cross_entropy, class_weight: often}", 2, "expected balanced, or {label: weight, ...}"),
        ("{name: softmax_cross_entropy, class_weight: {no: -1}}", 2, "expected balanced, or {label: weight, ...}"),
        ("{name: softmax_cross_entropi}", 2, "loss.name: unknown value"),
    ],
)
def test_weights_of_classes_that_cannot_be_are_told(loss, code, words):
    assert words in run("run", "", loss, code=code)

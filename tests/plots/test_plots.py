"""Pictures of losses: one run, several of unequal lengths, without validation, interrupted, and a log axis."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure
from small_runs import write_problem

from mlp.cli.commands import cli
from mlp.plots import losses as plots


def make_run(folder, epochs, *, valid=True, status="finished", best_epoch=1):
    folder = Path(folder)
    folder.mkdir()
    facts = {"status": status, "epochs_done": 3, "best_epoch": best_epoch, "sha256": {}, "seconds": 0.1}
    (folder / "run.json").write_text(json.dumps({"loss": "softmax_cross_entropy", **facts}))
    with open(folder / "metrics.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "train_loss", "valid_loss"])
        for epoch in range(1, epochs + 1):
            writer.writerow([epoch, 1 / epoch, 1 / epoch + 0.01 * epoch if valid else ""])
    return folder


def curves(folders, tmp_path, monkeypatch, **options):
    """Draw, and hand back the axes as they were when the picture was saved."""
    kept = {}
    save = Figure.savefig

    def spy(figure, path, **keywords):
        kept["axes"] = figure.axes[0]
        save(figure, path, **keywords)

    monkeypatch.setattr(Figure, "savefig", spy)
    plots.plot_runs(folders, tmp_path / "picture.png", **options)
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    return kept["axes"]


def labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_one_run_shows_both_losses_and_the_best_epoch(tmp_path, monkeypatch):
    axes = curves([make_run(tmp_path / "a", 20, best_epoch=10)], tmp_path, monkeypatch)
    assert labels(axes) == ["training", "validation", "best epoch 10 (0.2)"]
    train, valid, best = axes.get_lines()
    assert list(train.get_ydata()) == [1 / epoch for epoch in range(1, 21)]
    assert len(valid.get_xdata()) == 20
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (10, 0.2)
    assert (train.get_linestyle(), valid.get_linestyle()) == ("--", "-")  # told apart in print
    assert "epoch" in axes.get_xlabel()
    assert "nats" in axes.get_ylabel()


def test_without_validation_the_training_loss_is_the_curve(tmp_path, monkeypatch):
    axes = curves([make_run(tmp_path / "a", 5, valid=False, best_epoch=5)], tmp_path, monkeypatch)
    assert labels(axes) == ["training", "best epoch 5 (0.2)"]


def test_many_runs_of_unequal_lengths_are_compared(tmp_path, monkeypatch):
    folders = [
        make_run(tmp_path / "long", 30),
        make_run(tmp_path / "short", 4, status="interrupted"),
        make_run(tmp_path / "bare", 12, valid=False),
    ]
    axes = curves(folders, tmp_path, monkeypatch, log=True)
    assert labels(axes) == ["long: validation", "short: validation (interrupted)", "bare: training", "training"]
    assert axes.get_yscale() == "log"
    shown = [line for line in axes.get_lines() if line.get_marker() not in ("*", "None")]
    assert len({line.get_color() for line in shown}) == len({line.get_marker() for line in shown}) == 3


def test_many_runs_are_told_apart_and_the_legend_is_beside_the_curves(tmp_path, monkeypatch):
    axes = curves([make_run(tmp_path / f"run-{i}", 5) for i in range(9)], tmp_path, monkeypatch)
    looks = [
        (line.get_color(), line.get_marker()) for line in axes.get_lines() if line.get_marker() not in ("*", "None")
    ]
    assert len(set(looks)) == len(looks) == 9
    assert axes.get_legend().get_window_extent().x0 >= axes.get_window_extent().x1


def test_a_single_epoch_can_be_seen(tmp_path, monkeypatch):
    axes = curves([make_run(tmp_path / "a", 1)], tmp_path, monkeypatch)
    assert all(line.get_marker() != "None" for line in axes.get_lines())


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_the_command_writes_the_picture_that_is_asked_for(tmp_path, monkeypatch, ending):
    monkeypatch.chdir(tmp_path)
    make_run("a", 3)
    make_run("b", 5)
    done = CliRunner().invoke(cli, ["plot", "a", "b", "--out", f"both.{ending}"])
    assert done.exit_code == 0, done.output
    assert Path(f"both.{ending}").stat().st_size > 1000
    assert done.stdout.strip() == f"both.{ending}"


def test_where_pictures_go_by_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_run("a", 3)
    make_run("b", 5)
    assert CliRunner().invoke(cli, ["plot", "a"]).exit_code == 0
    assert Path("a/loss.png").exists()
    assert CliRunner().invoke(cli, ["plot", "a", "b"]).exit_code == 0
    assert Path("comparison.png").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plot", "nowhere"], "not a run directory"),
        (["plot", "empty"], "no epoch yet"),
        (["plot", "a", "--out", "picture.xyz"], "xyz"),
        (["plot", "a", "--out", "nowhere/picture.png"], "nowhere"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    make_run("a", 3)
    make_run("empty", 0)
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code in (2, 3)
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["a$x^2$b", "$\\frac{$", "bell\x07", "line\nend"])
def test_names_of_folders_are_drawn_as_they_are(tmp_path, monkeypatch, name):
    """Neither as a formula nor not at all."""
    monkeypatch.chdir(tmp_path)
    for folder in (name, "other"):
        make_run(folder, 3)
    for arguments in ([name], [name, "other"]):
        done = CliRunner().invoke(cli, ["plot", *arguments, "--out", "picture.png"])
        assert done.exit_code == 0, done.output


def train_two(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_problem(epochs=4)
    for name, loss in (("a", "softmax_cross_entropy"), ("b", "logistic_cross_entropy")):
        done = CliRunner().invoke(cli, ["train", path, "--out", name, "-q", "--no-plot", "--set", f"loss={loss}"])
        assert done.exit_code == 0, done.output


def test_any_measure_is_drawn_one_below_the_other(tmp_path, monkeypatch):
    train_two(tmp_path, monkeypatch)
    done = CliRunner().invoke(cli, ["plot", "a", "--y", "accuracy", "--y", "gradient_norm"])
    assert done.stdout == "a/accuracy-gradient_norm.png\n", done.output
    top = curves([Path("a")], tmp_path, monkeypatch, measures=["accuracy", "gradient_norm"])
    panels = top.figure.axes
    assert [axes.get_ylabel() for axes in panels] == ["accuracy", "gradient norm"]
    assert labels(top)[0] == "validation"
    rows = list(csv.DictReader(Path("a/metrics.csv").read_text().splitlines()))
    assert list(panels[1].get_lines()[0].get_ydata()) == [float(row["gradient_norm"]) for row in rows]
    failed = CliRunner().invoke(cli, ["plot", "a", "--y", "accuray"])
    assert failed.exit_code == 3
    assert "a: metrics.csv has no 'accuray', only loss, accuracy, learning_rate, gradient_norm" in failed.stderr


def test_runs_of_different_losses_say_so(tmp_path, monkeypatch):
    train_two(tmp_path, monkeypatch)
    axes = curves([Path("a"), Path("b")], tmp_path, monkeypatch)
    assert axes.get_ylabel() == "losses that do not compare"
    assert labels(axes)[:2] == ["a (softmax_cross_entropy): validation", "b (logistic_cross_entropy): validation"]
    assert curves([Path("a"), Path("b")], tmp_path, monkeypatch, measures=["accuracy"]).get_ylabel() == "accuracy"


def test_metrics_without_their_header_and_a_last_line_that_is_cut(tmp_path, monkeypatch):
    train_two(tmp_path, monkeypatch)
    text = Path("a/metrics.csv").read_text()
    Path("a/metrics.csv").write_text(text[:-7])  # as a run that is writing it
    assert len(curves([Path("a")], tmp_path, monkeypatch).get_lines()[0].get_xdata()) == 3
    Path("a/metrics.csv").write_text(text.partition("\n")[2])
    failed = CliRunner().invoke(cli, ["plot", "a"])
    assert failed.exit_code == 3
    assert "does not begin with the names of columns" in failed.stderr

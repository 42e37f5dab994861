"""An experiment whose rows have weights: trained, resumed, scored, advised on and checked like any other."""

from pathlib import Path

import numpy as np
import pytest
from checks import passed
from small_runs import assert_same, write_problem

from mlp.experiments.advice import closing_advice
from mlp.experiments.assemble import prepare
from mlp.experiments.check import check_experiment
from mlp.experiments.config.load import load_config
from mlp.experiments.start import continue_run, open_run, start_run
from mlp.records import EpochRecord, Progress


def weigh(experiment):
    """The experiment with a weight for each row, made of its inputs."""
    for name, (X, Y) in experiment.splits.items():
        experiment.splits[name] = X, Y, 1 + np.abs(np.asarray(X, np.float64)).sum(axis=1)
    return experiment


def prepared(loaded, **options):
    return weigh(prepare(loaded, **options))


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return prepared(load_config(Path(write_problem(extra="early_stopping: {patience: 6}"))))


def test_losses_are_weighted_and_rows_are_counted(experiment):
    assert experiment.rows() == {"train": 36, "valid": 12, "test": 12}
    assert {split: sum(each) for split, each in experiment.class_counts()["answer"].items()} == experiment.rows()
    progress = Progress()
    for record in experiment.epochs(progress):
        assert isinstance(record, EpochRecord)
    model, scores = experiment.best_model(progress), experiment.scores(progress)
    for split, (X, Y, w) in experiment.splits.items():
        F = model.network(X.T)
        costs = [model.loss.cost(F[:, [n]], Y.T[:, [n]]) for n in range(len(X))]
        assert scores[split]["loss"] == pytest.approx(np.mean(w * costs), rel=1e-5)
        own, confusion, _ = model.score(experiment.splits[split], split)
        assert own == scores[split]
        assert confusion["answer"].sum() == len(X)
        assert scores[split]["accuracy"] == model.score((X, Y), split)[0]["accuracy"]
    assert scores["valid"]["loss"] == progress.best_value
    assert not [note for note in closing_advice(experiment, model) if "no more advice" in note]


def test_mlp_check_takes_weighted_rows(experiment):
    results = passed(check_experiment(experiment, 9))
    assert "loop: all together" in {result.what for result in results if result.check == "weights"}


def test_a_run_that_is_stopped_in_an_epoch_goes_on_to_the_same_end(experiment):
    def train(run, minibatches=None):
        with run:
            seen = 0
            step = run.experiment.minibatches

            def counted(progress):
                nonlocal seen
                for record in step(progress):
                    seen += 1
                    if seen == minibatches:
                        run.stop()
                    yield record

            run.experiment.minibatches = counted
            list(run.epochs())

    train(start_run(experiment, out=Path("whole"), argv=[]))
    assert Path("whole/run.json").read_text().count('"finished"') == 1
    train(start_run(prepared(load_config(Path("small.yaml"))), out=Path("parts"), argv=[]), minibatches=9)
    assert '"interrupted"' in Path("parts/run.json").read_text()
    run = open_run(Path("parts"), prepare=prepared)
    assert run.progress.unfinished is not None
    continue_run(run, argv=[])
    train(run)
    assert_same("parts", "whole")

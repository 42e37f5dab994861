"""scripts/tabular.py: every entrant answers all test rows, on the same rows; nothing here depends on a time."""

import csv

import numpy as np
import pytest

pytest.importorskip("pandas", reason="scripts/tabular.py needs pandas")


def short(tree):
    tree["training"] |= {"epochs": 2}


@pytest.mark.parametrize("name", ["steps", "rare_classes", "titanic"])
def test_networks_answer_all_rows(load, name):
    entrants, problems = load("benchmarking.tabular.entrants"), load("benchmarking.tabular.problems")
    (problem,) = [each for each in (*problems.from_data(), *problems.made()) if each.name == name]
    frame = problem.rows(200, np.random.default_rng(0))
    test, valid, train = frame[:40], frame[40:80], frame[80:]
    for run in (entrants.with_mlp(short), entrants.with_folds(short)):
        found = run(problem, train, valid, test, 0)
        if problem.task == "regression":
            assert found.shape == (40,)
        else:
            assert found.shape == (40, len(entrants.labels_of(problem)))
            np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
        scores = load("tabular").scores(problem, found, test[problem.target])
        assert 0 < scores["error"] < 10


def test_every_change_of_the_recipe_can_be_trained(load):
    """What an ablation takes out is there, and the rest still fits together."""
    entrants, problems = load("benchmarking.tabular.entrants"), load("benchmarking.tabular.problems")
    steps = next(problems.made())
    frame = steps.rows(100, np.random.default_rng(0)).assign(part=["train", "train", "valid", "valid"] * 25)
    seen = {}
    for name, change in {"recipe": entrants.recipe, "plain": entrants.plain, **entrants.ABLATION}.items():

        def both(tree, change=change):
            change(tree)
            short(tree)

        seen[name] = str(entrants.fitted(steps, frame, both, 0).config)
    assert len(set(seen.values())) == len(seen)


def test_summaries_are_geometric_means_over_tables(load):
    rows = [
        {"table": table, "split": split, "entrant": entrant, "error": error, "task": "regression", "seconds": 1}
        for table, split, entrant, error in [
            ("a", 0, "recipe", 1.0), ("a", 1, "recipe", 2.0), ("a", 0, "boosting", 2.0), ("a", 1, "boosting", 4.0),
            ("b", 0, "recipe", 8.0), ("b", 1, "recipe", 9.0), ("b", 0, "boosting", 4.0), ("b", 1, "boosting", 4.5),
        ]
    ]  # fmt: skip
    module = load("tabular")
    assert module.summary(rows, "boosting")["recipe"] == (pytest.approx(1.0), 1, 1)
    assert module.summary(rows[:4], "boosting")["recipe"] == (pytest.approx(0.5), 1, 0)


def test_a_folder_of_tables(load, tmp_path):
    (tmp_path / "one.csv").write_text("1,2,x\n3,,y\n5,6,\n")
    (tmp_path / "two.csv").write_text("a;b;c\n1;2;3\n")
    (tmp_path / "t.yaml").write_text(
        "- {file: one.csv, target: column 2, task: classification, header: false}\n"
        "- {file: two.csv, target: c, task: regression, delimiter: ';', exclude: [a]}\n"
    )
    one, two = load("benchmarking.tabular.problems").from_folder(tmp_path, tmp_path / "t.yaml")
    assert (one.name, len(one.frame), list(one.frame)) == ("one", 2, ["column 0", "column 1", "column 2"])
    assert (two.target, list(two.frame)) == ("c", ["b", "c"])


def test_the_picture_and_the_table(load, tmp_path):
    pytest.importorskip("sklearn", reason="boosted trees are those of scikit-learn")
    from click.testing import CliRunner

    arguments = ["--table", "iris", "--entrant", "linear", "--entrant", "boosting", "--splits", "2", "--processes", "1"]
    done = CliRunner().invoke(load("tabular").main, [*arguments, "--out", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "errors / boosting" in done.output
    assert (tmp_path / "tabular.png").read_bytes().startswith(b"\x89PNG")
    with open(tmp_path / "tabular.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["entrant"], row["split"]) for row in rows] == [
        ("linear", "0"),
        ("boosting", "0"),
        ("linear", "1"),
        ("boosting", "1"),
    ]

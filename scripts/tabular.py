"""Compare `mlp` with boosted trees, another MLP and linear models on tables, on rows that nobody was trained on.

    plain     one hidden layer and Adam        recipe    the config that `mlp init` writes
    folds     the mean of five of these        boosting  scikit-learn's HistGradientBoosting at its defaults
    sklearn_mlp, linear   scikit-learn's MLP, and logistic or ridge regression, standardized
    sklearn_equal         scikit-learn's MLP of the width, minibatches and epochs of the recipe, for its time

Of each table a fifth of the rows is for testing, the same for all, drawn anew for each split. `mlp` keeps a fifth of
what is left to choose an epoch by; the others are trained on all of it. The error is the share of wrong labels, or the
root mean squared error. Ratios are taken split by split.

    python scripts/tabular.py --out scripts/pictures     (`pip install -e '.[benchmark]'` first)
    python scripts/tabular.py --ablation
    python scripts/tabular.py --entrant recipe --entrant boosting --splits 2
    python scripts/tabular.py --tables FOLDER --targets targets.yaml
"""

from __future__ import annotations

import csv
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarking.machine import describe_machine
from benchmarking.tabular.entrants import ABLATION, ENTRANTS, labels_of, with_mlp
from benchmarking.tabular.picture import draw
from benchmarking.tabular.problems import Problem, from_data, from_folder, from_sklearn, made

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
COLUMNS = ["table", "task", "rows", "split", "entrant", "error", "log_loss", "seconds"]
ALL = {**ENTRANTS, **{name: with_mlp(change) for name, change in ABLATION.items()}}


def run_one(job: tuple[Problem, int, str, int]) -> dict[str, Any]:
    """One entrant on one split of a table: a row of the results."""
    problem, split, entrant, most = job
    warnings.simplefilter("ignore")
    frame = problem.rows(most, np.random.default_rng([split, 1]))
    N = len(frame)
    test, valid, train = frame[: N // 5], frame[N // 5 : N // 5 + N * 4 // 25], frame[N // 5 + N * 4 // 25 :]
    started = time.perf_counter()
    found = ALL[entrant](problem, train, valid, test, split)
    seconds = time.perf_counter() - started
    row = {"table": problem.name, "task": problem.task, "rows": N, "split": split, "entrant": entrant}
    return row | scores(problem, found, test[problem.target]) | {"seconds": round(seconds, 2)}


def scores(problem: Problem, found: Any, true: Any) -> dict[str, float | None]:
    if problem.task == "regression":
        return {"error": float(np.sqrt(np.mean((found - true.to_numpy(float)) ** 2))), "log_loss": None}
    labels = labels_of(problem)
    y = np.array([labels.index(label) for label in true.astype(str)])
    wrong = np.count_nonzero(found.argmax(axis=1) != y)
    chance = found[np.arange(len(y)), y]
    # half a row more, so that a ratio of two perfect answers is 1
    return {"error": (wrong + 0.5) / len(y), "log_loss": float(-np.log(np.maximum(chance, 1e-12)).mean())}


def summary(rows: Sequence[dict[str, Any]], base: str, key: str = "error") -> dict[str, tuple[float, int, int]]:
    """For each entrant: the geometric mean of its ratios to `base`, and the tables won and lost beyond one error."""
    found = {}
    table = {(row["table"], row["split"], row["entrant"]): row[key] for row in rows if row[key] is not None}
    for entrant in dict.fromkeys(row["entrant"] for row in rows):
        means, wins, losses = [], 0, 0
        for name in dict.fromkeys(row["table"] for row in rows):
            logs = [
                np.log(table[name, split, entrant] / table[name, split, base])
                for split in {row["split"] for row in rows}
                if {(name, split, entrant), (name, split, base)} <= table.keys()
            ]
            if logs:
                error = np.std(logs, ddof=1) / np.sqrt(len(logs)) if len(logs) > 1 else 0.0
                means.append(np.mean(logs))
                wins, losses = wins + (np.mean(logs) < -error), losses + (np.mean(logs) > error)
        if means:
            found[entrant] = (float(np.exp(np.mean(means))), int(wins), int(losses))
    return found


def report(rows: list[dict[str, Any]]) -> str:
    """A line for each table with the mean error of each entrant, then the ratios."""
    names = list(dict.fromkeys(row["entrant"] for row in rows))
    lines = [f"{'table':<18}{'rows':>7}  " + "".join(f"{name[:13]:>14}" for name in names)]
    for table in dict.fromkeys(row["table"] for row in rows):
        own = [row for row in rows if row["table"] == table]
        means = [np.mean([row["error"] for row in own if row["entrant"] == name] or [np.nan]) for name in names]
        lines.append(f"{table:<18}{own[0]['rows']:>7}  " + "".join(f"{mean:>14.4g}" for mean in means))
    for base in ("plain", "boosting", "recipe"):
        if base in names:
            for key, words in (("error", "errors"), ("log_loss", "log loss")):
                found = summary(rows, base, key)
                lines.append(f"{words} / {base}, wins-losses")
                lines.append(
                    " " * 27
                    + "".join(
                        "{:>14}".format(f"{found[n][0]:.3f} {found[n][1]}-{found[n][2]}") if n in found else " " * 14
                        for n in names
                    )
                )
    seconds = [sum(row["seconds"] for row in rows if row["entrant"] == name) for name in names]
    lines.append(f"{'seconds in all':<27}" + "".join(f"{each:>14.0f}" for each in seconds))
    return "\n".join(lines)


@click.command()
@click.option("--entrant", "entrants", multiple=True, type=click.Choice(list(ALL)), help="[default: all but ablations]")
@click.option("--ablation", is_flag=True, help="The recipe, and the recipe with each part taken out.")
@click.option("--table", "names", multiple=True, help="Tables to take.  [default: all]")
@click.option("--tables", type=click.Path(path_type=Path), help="A folder of tables, instead of our own.")
@click.option("--targets", type=click.Path(path_type=Path), help="A YAML list of its tables and their targets.")
@click.option("--splits", default=5, show_default=True)
@click.option("--rows", default=10_000, show_default=True, help="The most rows that are taken of a table.")
@click.option("--processes", default=os.cpu_count() or 1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="A folder for tabular.csv and tabular.png.")
def main(
    entrants: tuple[str, ...],
    ablation: bool,
    names: tuple[str, ...],
    tables: Path | None,
    targets: Path | None,
    splits: int,
    rows: int,
    processes: int,
    out: Path | None,
) -> None:
    """Train every entrant on every split of every table, and compare."""
    if tables is not None:
        problems = list(from_folder(tables, targets or tables / "targets.yaml"))
    else:
        problems = list(chain(from_sklearn(), from_data(), made()))
    problems = [problem for problem in problems if not names or problem.name in names]
    chosen = list(entrants) or (
        ["recipe", *(name for name in ALL if name not in ENTRANTS)] if ablation else list(ENTRANTS)
    )
    jobs = [(problem, split, name, rows) for problem in problems for split in range(splits) for name in chosen]
    found = []
    os.environ |= ONE_THREAD  # for the processes that are started now
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for row in pool.imap(run_one, jobs):
            found.append(row)
            print(*(row[column] for column in COLUMNS), file=sys.stderr, flush=True)
    print("\n".join(describe_machine(processes, {})))
    print(report(found))
    if out is not None:
        draw(found, out / "tabular.png")
        with open(out / "tabular.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(found)


if __name__ == "__main__":
    main()

"""Train a model on rows of a table, and predict others: `mlp` with several configs, and models of scikit-learn."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarking.tabular.problems import Problem
from mlp.experiments.assemble import prepare
from mlp.experiments.config.load import load_config
from mlp.experiments.config.yaml_text import parse_yaml
from mlp.experiments.init import BATCHES, config_for
from mlp.records import Progress

FOLDS = 5
Tree = dict[str, Any]
Answers = Any
"""N x K probabilities, in the order of the sorted labels, or N numbers."""


def labels_of(problem: Problem) -> list[str]:
    return sorted(problem.frame[problem.target].astype(str).unique())


def plain(tree: Tree) -> None:
    """One hidden layer and Adam, as a person would begin (and as scikit-learn's MLP is): no part of the recipe."""
    tree["network"] = {"layers": [{"units": 100}]}
    tree["optimizer"] = {"name": "adam"}
    tree["training"] = {"epochs": 200, "batch_size": 200, "l2": 1e-4, "seed": 0, "early_stopping": {"patience": 20}}
    tree["data"].pop("clip", None)
    tree.pop("loss", None)


def recipe(tree: Tree) -> None:
    """The config that `mlp init` writes."""


def fitted(problem: Problem, frame: pd.DataFrame, change: Callable[[Tree], None], seed: int) -> Any:
    """A model of `mlp`, trained on the rows whose `part` is train; those of valid say which epoch is the best."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        frame.drop(columns="part").to_csv(path, index=False)
        text, _ = config_for(str(path), [problem.target], problem.task, ())
        frame.to_csv(path, index=False)
        tree = parse_yaml(text.encode(), "mlp init").data
        tree["data"] |= {"path": "table.csv", "split": {"column": "part"}}
        change(tree)
        fitting(tree)
        tree["training"]["seed"] = seed
        (Path(folder) / "config.yaml").write_text(json.dumps(tree), encoding="utf-8")
        experiment = prepare(load_config(Path(folder) / "config.yaml"), advise=False)
        progress = Progress()
        for _ in experiment.epochs(progress):
            pass
        return experiment.best_model(progress)


def answers(problem: Problem, model: Any, frame: pd.DataFrame) -> Answers:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test.csv"
        frame.drop(columns=problem.target).to_csv(path, index=False)
        found = model.predict(model.read(path, with_targets=False))
    if problem.task == "regression":
        return found[problem.target]
    labels = labels_of(problem)
    columns = [name for name in found if name.startswith("probability_")]
    own = [name.removeprefix("probability_") for name in columns]
    P = np.zeros((len(frame), len(labels)))
    for name, label in zip(columns, own, strict=True):
        P[:, labels.index(label)] = found[name]
    return P


def with_mlp(change: Callable[[Tree], None]) -> Callable[..., Answers]:
    def run(problem: Problem, train: pd.DataFrame, valid: pd.DataFrame, test: pd.DataFrame, seed: int) -> Answers:
        frame = pd.concat([train.assign(part="train"), valid.assign(part="valid")], ignore_index=True)
        return answers(problem, fitted(problem, frame, change, seed), test)

    return run


def with_folds(change: Callable[[Tree], None]) -> Callable[..., Answers]:
    """The mean of FOLDS models: each has another fifth of the rows for validation."""

    def run(problem: Problem, train: pd.DataFrame, valid: pd.DataFrame, test: pd.DataFrame, seed: int) -> Answers:
        whole = pd.concat([train, valid], ignore_index=True)
        fold = np.random.default_rng(seed).permutation(len(whole)) % FOLDS
        if problem.task == "classification":  # the same shares of each class in all folds
            order = np.lexsort([np.random.default_rng(seed).random(len(whole)), whole[problem.target].astype(str)])
            fold[order] = np.arange(len(whole)) % FOLDS
        found: list[Answers] = []
        for k in range(FOLDS):
            frame = whole.assign(part=np.where(fold == k, "valid", "train"))
            found.append(answers(problem, fitted(problem, frame, change, seed + k), test))
        return np.mean(found, axis=0)

    return run


def prepared(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """Inputs for scikit-learn: numbers, dates in days, and categories."""
    found = frame.drop(columns=target)
    for name in found:
        column = found[name]
        if not pd.api.types.is_numeric_dtype(column):
            numbers = pd.to_numeric(column, errors="coerce")
            if numbers.notna().mean() > 0.9:
                found[name] = numbers
                continue
            dates = pd.to_datetime(column, errors="coerce", format="ISO8601")
            if dates.notna().mean() > 0.9:
                found[name] = (dates - pd.Timestamp(0)) / pd.Timedelta(days=1)
            else:
                found[name] = column.astype("category")
    return found


def with_sklearn(kind: str) -> Callable[..., Answers]:
    def run(problem: Problem, train: pd.DataFrame, valid: pd.DataFrame, test: pd.DataFrame, seed: int) -> Answers:
        whole = pd.concat([train, valid, test], ignore_index=True)
        n = len(train) + len(valid)
        X, y = prepared(whole, problem.target), whole[problem.target]
        y = y.astype(str) if problem.task == "classification" else y.astype(float)
        model = make_sklearn(kind, problem.task, X, seed)
        model.fit(X[:n], y[:n])
        if problem.task == "regression":
            return model.predict(X[n:])
        labels, P = labels_of(problem), np.zeros((len(test), len(labels_of(problem))))
        P[:, [labels.index(label) for label in model.classes_]] = model.predict_proba(X[n:])
        return P

    return run


def make_sklearn(kind: str, task: str, X: pd.DataFrame, seed: int) -> Any:
    """A model with the defaults of scikit-learn; the numbers of linear models and networks are standardized."""
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    regression = task == "regression"
    if kind == "boosting":
        for name in X.select_dtypes("category"):
            if X[name].nunique() > 255:
                X[name] = X[name].cat.codes
        boosting = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
        return boosting(categorical_features="from_dtype", random_state=seed)
    texts = list(X.select_dtypes("category"))
    numbers = [name for name in X if name not in texts]
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), numbers),
            ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
        ]
    )
    if kind == "linear":
        model: Any = RidgeCV(np.logspace(-3, 3, 13)) if regression else LogisticRegression(max_iter=2000)
    elif kind == "equal":
        network = MLPRegressor if regression else MLPClassifier
        size = next((size for limit, size in BATCHES.items() if len(X) < limit), 512)
        same = {"hidden_layer_sizes": (256, 256), "batch_size": size, "max_iter": 64, "n_iter_no_change": 64}
        model = network(**same, random_state=seed)
    else:
        model = (MLPRegressor if regression else MLPClassifier)(random_state=seed)
    model = make_pipeline(columns, model)
    return TransformedTargetRegressor(model, transformer=StandardScaler()) if regression else model


def without(*kinds: str) -> Callable[[Tree], None]:
    """The recipe without the layers of these kinds."""

    def change(tree: Tree) -> None:
        layers = tree["network"]["layers"]
        tree["network"]["layers"] = [layer for layer in layers if not any(kind in layer for kind in kinds)]

    return change


NAMES = {"gain": "s", "mix": "a", "periodic": "wVc", "units": "Wb"}


def fitting(tree: Tree) -> None:
    """Leave out factors of the rate for parameters that no layer has."""
    factors = tree["optimizer"].get("rate_factors", {})
    there = {name for layer in tree["network"]["layers"] for kind in layer for name in NAMES.get(kind, "")}
    tree["optimizer"]["rate_factors"] = {name: factor for name, factor in factors.items() if name in there}


def setting(**changes: Any) -> Callable[[Tree], None]:
    """The recipe with other values at dotted keys, where two underscores are a dot."""

    def change(tree: Tree) -> None:
        for dotted, value in changes.items():
            node = tree
            *above, last = dotted.split("__")
            for key in above:
                node = node.setdefault(key, {})
            node[last] = copy.deepcopy(value)

    return change


def relu(tree: Tree) -> None:
    """The recipe with relu, and the initialization that suits it."""
    for layer in tree["network"]["layers"]:
        if "units" in layer:
            layer |= {"activation": "relu", "initialization": "he_normal"}


def without_clip(tree: Tree) -> None:
    """The recipe without the clip of the inputs."""
    tree["data"].pop("clip")


def with_mix(tree: Tree) -> None:
    """The recipe with parametric activations, which it does not have."""
    layers = []
    for layer in tree["network"]["layers"]:
        layers += [layer | {"activation": "identity"}, {"mix": layer["activation"]}] if "units" in layer else [layer]
    tree["network"]["layers"] = layers


ABLATION: dict[str, Callable[[Tree], None]] = {
    "without periodic": without("periodic"),
    "without gain": without("gain"),
    "gains as slow": setting(optimizer__rate_factors={}),
    "without clip": without_clip,
    "relu": relu,
    "output not 0": setting(network__output={}),
    "beta2 0.999": setting(optimizer__beta2=0.999),
    "cosine": setting(training__schedule={"name": "cosine"}),
    "constant rate": setting(training__schedule={"name": "constant"}),
    "best loss": setting(training__monitor="loss", training__ties="first"),
    "with mix": with_mix,
    "with decay": setting(optimizer__weight_decay=0.1),
}
"""The recipe with one part taken out, or in."""

ENTRANTS: dict[str, Callable[..., Answers]] = {
    "plain": with_mlp(plain),
    "recipe": with_mlp(recipe),
    "folds": with_folds(recipe),
    "boosting": with_sklearn("boosting"),
    "sklearn_mlp": with_sklearn("mlp"),
    "linear": with_sklearn("linear"),
    "sklearn_equal": with_sklearn("equal"),
}

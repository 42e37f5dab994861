"""The estimators keep scikit-learn's contract, and train what the command trains from the same rows and settings."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

pytest.importorskip("sklearn.base")  # where it is absent, the folder of this file is called sklearn too
import joblib
import pandas
import polars
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from mlp.cli.commands import cli
from mlp.errors import ConfigError, DataError, FileError
from mlp.experiments.config.schema import Config
from mlp.experiments.model import load_model
from mlp.sklearn import MLPClassifier, MLPRegressor
from mlp.sklearn.config import KEYS

SINGLE = "answers are in single precision, and a product's last bit depends on where in the minibatch a row is"
EXCEPTIONS = {
    "check_sample_weight_equivalence_on_dense_data": "a row of weight 2 is in one minibatch, a row given twice in two",
    "check_methods_sample_order_invariance": SINGLE,
    "check_methods_subset_invariance": SINGLE,
}


@parametrize_with_checks(
    [MLPClassifier(epochs=20), MLPRegressor(epochs=20)], expected_failed_checks=lambda estimator: EXCEPTIONS
)
def test_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def rows(N=120):
    """Numbers with gaps, texts with gaps, truth values, dates, weights, and targets of three kinds."""
    rng = np.random.default_rng(0)
    size, width = rng.normal(10, 3, size=(2, N))
    size[::9] = np.nan
    zone = rng.choice(["north", "south", "west"], N).astype(object)
    zone[::11] = None
    return pandas.DataFrame(
        {
            "size": size,
            "zone": zone,
            "open": rng.integers(2, size=N).astype(bool),
            "day": [f"2024-01-{day:02d}" for day in rng.integers(1, 29, N)],
            "width": width,
            "count": rng.integers(5, size=N),
            "weight": rng.uniform(0.5, 2, N),
            "kind": np.where(width + rng.normal(size=N) > 10, "wide", "narrow"),
            "much": np.where(width > 11, "yes", "no"),
            "price": width * 3 + rng.normal(size=N),
        }
    )


INPUTS = ["size", "zone", "open", "day", "width", "count"]
SPLIT = {"valid": 0.2, "test": 0.1}
COLUMNS = {"count": "category"}
SETTINGS = {
    "layers": [{"units": 6, "activation": "tanh"}, {"dropout": 0.1}],
    "optimizer": {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9},
    "epochs": 4,
    "batch_size": 16,
    "l2": 1e-3,
    "schedule": {"name": "cosine"},
    "random_state": 3,
    "split": SPLIT,
    "columns": COLUMNS,
    "missing": "fill",
}
KINDS = {
    "classes": (MLPClassifier, "kind", None),
    "weights": (MLPClassifier, "kind", "weight"),
    "columns of classes": (MLPClassifier, ["kind", "much"], None),
    "numbers": (MLPRegressor, "price", "weight"),
    "columns of numbers": (MLPRegressor, ["price", "weight"], None),
}


def run_mlp(*arguments):
    done = CliRunner().invoke(cli, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The runs of the command on the rows as CSV, by the kind of their target."""
    folder = tmp_path_factory.mktemp("runs")
    rows().to_csv(folder / "rows.csv", index=False)
    for name, (estimator, target, weight) in KINDS.items():
        data = {"path": "rows.csv", "target": target, "inputs": INPUTS, "columns": COLUMNS, "missing": "fill"}
        training = {key: SETTINGS[key] for key in ("epochs", "batch_size", "l2", "schedule")} | {"seed": 3}
        config = {
            "data": data | {"split": SPLIT} | ({"weight": weight} if weight else {}),
            "task": estimator.task,
            "network": {"layers": SETTINGS["layers"]},
            "optimizer": SETTINGS["optimizer"],
            "training": training,
        } | ({"loss": "logistic_cross_entropy"} if name == "columns of classes" else {})
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
        run_mlp("train", folder / f"{name}.yaml", "--no-plot", "--quiet", "--out", folder / name)
    return folder


def fitted(name="classes", frame=None, **changes):
    estimator, target, weight = KINDS[name]
    frame = rows() if frame is None else frame
    y = frame[target]
    return estimator(**SETTINGS | changes).fit(frame[INPUTS], y, sample_weight=frame[weight] if weight else None)


def theta(estimator):
    return estimator.model_.network.theta


@pytest.mark.parametrize("frame", [rows(), polars.from_pandas(rows())], ids=["pandas", "polars"])
@pytest.mark.parametrize("name", KINDS)
def test_the_weights_are_those_of_the_command(runs, name, frame):
    made, model = fitted(name, frame), load_model(runs / name)
    assert np.array_equal(theta(made), model.network.theta)
    assert made.model_.target.header() == model.target.header()
    assert made.model_.coding.header() == model.coding.header()
    wanted = model.predict(frame[INPUTS])
    found = made.predict(frame[INPUTS]).reshape(len(frame), -1)
    for name, column in zip(model.target.names, found.T, strict=True):
        if made.task == "classification":
            assert column.tolist() == wanted[name].tolist()
        else:
            np.testing.assert_allclose(column, wanted[name], rtol=1e-6)


def test_an_array_is_a_table_whose_columns_have_numbers():
    frame = rows()
    columns = {str(INPUTS.index(name)): kind for name, kind in COLUMNS.items()}
    made = fitted()
    by_position = MLPClassifier(**SETTINGS | {"columns": columns}).fit(frame[INPUTS].to_numpy(), frame["kind"])
    assert np.array_equal(theta(by_position), theta(made))
    assert by_position.model_.inputs == ("0", "1", "2", "3", "4", "5")
    assert not hasattr(by_position, "feature_names_in_")
    answers = made.predict(frame[INPUTS]).tolist()
    assert by_position.predict(frame[INPUTS].to_numpy()).tolist() == answers
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        assert made.predict(frame[INPUTS].to_numpy()).tolist() == answers
    with pytest.warns(UserWarning, match="X has feature names"):
        assert by_position.predict(frame[INPUTS]).tolist() == answers


def test_what_is_known_after_fit():
    made = fitted(early_stopping={"patience": 1}, epochs=50, schedule=None)
    assert made.classes_.tolist() == ["narrow", "wide"]
    assert made.n_features_in_ == 6
    assert made.feature_names_in_.tolist() == INPUTS
    assert 1 < made.n_iter_ < 50
    assert len(made.loss_curve_) == len(made.validation_loss_curve_) == made.n_iter_
    assert made.loss_curve_[0] > made.loss_curve_[-1]
    best = int(np.argmin(made.validation_loss_curve_)) + 1
    assert best < made.n_iter_
    for epochs in (best, best + 1):  # the best epoch answers, which is not the last
        assert np.array_equal(theta(made), theta(fitted(epochs=epochs, schedule=None)))
    assert fitted(split=None).validation_loss_curve_ is None
    with pytest.raises(NotFittedError):
        MLPClassifier().to_run("nowhere")


def test_labels_come_back_as_they_were():
    X = np.arange(24.0)[:, None]
    objects = np.repeat(["c", "a", "b"], 8).astype(object)
    for y in (np.arange(24) // 8 * 5 - 5, np.repeat(["9", "10", "11"], 8), objects):
        made = MLPClassifier(epochs=60, random_state=0).fit(X, y)
        assert made.classes_.tolist() == sorted(set(y.tolist()))
        assert made.predict(X).dtype == made.classes_.dtype
        assert made.score(X, y) > 0.8
        P = made.predict_proba(X)
        assert made.classes_[P.argmax(axis=1)].tolist() == made.predict(X).tolist()
    bits = np.repeat([False, True], 12)
    assert MLPClassifier(epochs=5, random_state=0).fit(X, bits).predict(X).dtype == bool


def test_columns_of_text_labels():
    made, frame = fitted("columns of classes"), rows()
    assert [classes.tolist() for classes in made.classes_] == [["narrow", "wide"], ["no", "yes"]]
    kind, much = made.predict_proba(frame[INPUTS])
    assert kind.shape == much.shape == (120, 2)
    wanted = np.where(np.stack([kind[:, 1], much[:, 1]], axis=1) >= 0.5, ["wide", "yes"], ["narrow", "no"])
    assert made.predict(frame[INPUTS]).tolist() == wanted.tolist()


def test_a_loss_of_several_answers_predicts_the_middle_one():
    frame = rows()
    made = fitted("numbers", loss={"name": "quantile", "levels": [0.1, 0.5, 0.9]})
    answers = made.model_.predict(frame[INPUTS])
    np.testing.assert_allclose(made.predict(frame[INPUTS]), answers["price_0.5"], rtol=1e-6)
    assert (answers["price_0.1"] <= answers["price_0.9"]).all()


def test_searches_pipelines_and_clones():
    frame = rows().dropna()
    X, y = frame[["size", "width"]], frame["kind"]
    plain = MLPClassifier(epochs=10, random_state=0)
    assert clone(plain).get_params() == plain.get_params()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), plain),
        {"mlpclassifier__layers": [[], ({"units": np.int64(8)},)], "mlpclassifier__l2": np.array([0.0, 1e-3])},
        cv=2,
        error_score="raise",
    ).fit(X, y)
    assert search.best_score_ > 0.7
    assert cross_val_score(fitted(), frame[INPUTS], frame["kind"], cv=2, error_score="raise").mean() > 0.6


def test_fitted_again_is_fitted_fresh():
    frame, made = rows(), fitted("weights")
    made.set_params(columns=None).fit(frame[["width"]].to_numpy()[:50], np.arange(50) % 3)
    assert not hasattr(made, "feature_names_in_")
    made.set_params(columns=COLUMNS).fit(frame[INPUTS], frame["kind"], sample_weight=frame["weight"])
    fresh = fitted("weights")
    assert np.array_equal(theta(made), theta(fresh))
    assert vars(made).keys() == vars(fresh).keys()
    assert made.loss_curve_ == fresh.loss_curve_


def test_the_seed_is_random_state():
    frame = rows()
    X, y = frame[["width"]], frame["price"]

    def trained(seed):
        return theta(MLPRegressor(epochs=1, random_state=seed).fit(X, y)).tolist()

    assert trained(np.int64(5)) == trained(5) != trained(6)
    assert trained(np.random.RandomState(0)) == trained(np.random.RandomState(0))
    assert trained(None) != trained(None)
    one = np.random.RandomState(0)
    assert trained(one) != trained(one)


def test_copies_answer_the_same(tmp_path):
    made, X = fitted(), rows()[INPUTS]
    joblib.dump(made, tmp_path / "made.joblib")
    for other in (pickle.loads(pickle.dumps(made)), joblib.load(tmp_path / "made.joblib"), copy.deepcopy(made)):
        assert np.array_equal(other.predict_proba(X), made.predict_proba(X))
        assert other.loss_curve_ == made.loss_curve_
        network = other.model_.network
        assert np.shares_memory(network.layers[0].W, network.theta)
    assert pickle.loads(pickle.dumps(MLPClassifier(epochs=3))).epochs == 3


@pytest.mark.parametrize("name", KINDS)
def test_a_run_of_the_command_is_an_estimator(runs, name):
    made, frame = KINDS[name][0].from_run(runs / name), rows()
    fresh = fitted(name)
    assert np.array_equal(made.predict(frame[INPUTS]), fresh.predict(frame[INPUTS]))
    assert (made.loss_curve_, made.validation_loss_curve_) == (fresh.loss_curve_, fresh.validation_loss_curve_)
    assert made.n_iter_ == 4
    assert made.feature_names_in_.tolist() == INPUTS
    weight = KINDS[name][2]
    y = frame[KINDS[name][1]]
    again = clone(made).fit(frame[INPUTS], y, sample_weight=frame[weight] if weight else None)
    assert np.array_equal(theta(again), theta(fresh))


def test_an_estimator_is_a_run_of_the_command(runs, tmp_path):
    made, frame = fitted("weights", columns={**COLUMNS, "day": "ignore"}), rows()
    made.to_run(tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "config.yaml",
        "metrics.csv",
        "model.npz",
        "run.json",
    }
    answers = run_mlp("predict", tmp_path / "run", runs / "rows.csv")
    assert [line.partition(",")[0] for line in answers.splitlines()[1:]] == made.predict(frame[INPUTS]).tolist()
    assert "accuracy" in run_mlp("evaluate", tmp_path / "run", runs / "rows.csv")
    run_mlp("plot", tmp_path / "run")
    back = MLPClassifier.from_run(tmp_path / "run")
    assert np.array_equal(back.predict_proba(frame[INPUTS]), made.predict_proba(frame[INPUTS]))
    back.to_run(tmp_path / "again")
    for file in ("config.yaml", "metrics.csv", "model.npz"):
        assert (tmp_path / "run" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
    with pytest.raises(ConfigError, match="is not empty"):
        made.to_run(tmp_path / "run")
    with pytest.raises(ValueError, match="is a classification, not a regression"):
        MLPRegressor.from_run(tmp_path / "run")
    with pytest.raises(FileError):
        MLPClassifier.from_run(tmp_path)


def test_whole_numbers_come_back_from_a_run_as_numbers(tmp_path):
    X = np.arange(24.0)[:, None]
    for y, wanted in ((np.arange(24) // 8 * 5 - 5, [-5, 0, 5]), (np.repeat(["01", "2"], 12), ["01", "2"])):
        MLPClassifier(epochs=1, random_state=0).fit(X, y).to_run(tmp_path / str(wanted[0]))
        back = MLPClassifier.from_run(tmp_path / str(wanted[0]))
        assert back.classes_.tolist() == wanted
        assert back.predict(X).dtype.kind == y.dtype.kind


def test_gaps_are_refused_or_taken_as_missing_says():
    X, y = rows()[INPUTS], rows()["kind"]
    with pytest.raises(ValueError, match="Input X contains NaN: missing values: 14 in 'size', 11 in 'zone'"):
        fitted(missing="refuse")
    whole = fitted(missing="refuse", frame=rows().dropna())
    with pytest.raises(ValueError, match="Input X contains NaN"):
        whole.predict(X)
    one = MLPClassifier(epochs=1, columns={"zone": {"missing": "fill"}}).fit(X[["zone", "width"]], y)
    assert len(one.predict(X[["zone", "width"]])) == 120
    new = X.assign(zone="east", open="True")  # a level that no training row has, and truth values as text
    assert len(fitted().predict(new)) == 120


def test_mistakes_are_told_at_once_by_key():
    X, y = rows()[INPUTS], rows()["kind"]
    with pytest.raises(ConfigError) as error:
        MLPClassifier(epochs=0, layers=[{"unit": 3}], loss="mse").fit(X, y)
    lines = str(error.value).splitlines()
    assert lines[0] == "MLPClassifier: network.layers.0.unit: unknown key (did you mean 'units'?)"
    assert [line.split(": ")[1] for line in lines[1:]] == ["loss.name", "training.epochs"]
    with pytest.raises(DataError, match="X: no column 'depth'; the columns are"):
        MLPClassifier(columns={"depth": "ignore"}).fit(X, y)
    with pytest.raises(DataError, match="column 'zone': expected a number, got 'north'"):
        MLPClassifier(columns={"zone": "number"}, missing="fill").fit(X, y)
    with pytest.raises(ValueError, match="'size'"):  # by scikit-learn itself, or here
        MLPClassifier().fit(X[["size", "size"]], y)


def test_names_of_targets_and_weights_are_free():
    frame = rows().rename(columns={"width": "price", "price": "width", "count": "sample_weight"})
    X = frame[["price", "sample_weight", "weight"]]
    made = MLPRegressor(epochs=1, random_state=0).fit(X, rows()["price"], sample_weight=frame["weight"])
    assert made.model_.target.names == ("price_",)
    assert made.model_.config["data"]["weight"] == "sample_weight_"


def test_each_parameter_is_a_key_with_its_default():
    parameters = inspect.signature(MLPClassifier).parameters
    assert parameters.keys() == KEYS.keys() == MLPRegressor().get_params().keys()
    for name, (*above, key) in KEYS.items():
        section = Config.model_fields[above[0]].annotation if above else Config
        field, default = section.model_fields[key], parameters[name].default
        if default is not None and name != "epochs":  # which has none
            assert default == field.default, name

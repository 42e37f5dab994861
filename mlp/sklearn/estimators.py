"""Define the estimators: `fit` makes config and table, and trains them as `mlp train` does."""

from __future__ import annotations

import io
from abc import abstractmethod
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_array, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mlp.errors import DataError
from mlp.experiments.assemble import kinds_of, others_of, prepare, refuse_gaps
from mlp.experiments.config.schema import Config, Data
from mlp.experiments.model import KIND, Model, load_model, model_of
from mlp.experiments.start import opening_facts
from mlp.experiments.storage.archive import read_archive
from mlp.experiments.storage.run_folder import read_facts
from mlp.records import EpochRecord, Progress
from mlp.sklearn.config import classes_of, config_of, parameters_of, target_names, texts_of, unused
from mlp.sklearn.runs import read_records, write_run
from mlp.tables import Table
from mlp.tables.frames import columns_of, names_of, table_of_columns, training_table
from mlp.tables.targets import LabelTarget
from mlp.types import Array


class Estimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The base of both estimators.

    Each parameter is the key of a config with this name, in the form that it has there; None stands for the default of
    a config, and for one layer of 64 units. `random_state` is `training.seed`, and `clip_inputs` is `data.clip`.
    Columns of an array are called "0", "1", ... `split={"valid": 0.2}` keeps rows for validation.

    After `fit` there are `model_` (an `mlp.experiments.model.Model`), `n_iter_` (the epochs that were done),
    `loss_curve_` and, where there are rows for validation, `validation_loss_curve_` (of each epoch), `records_` (all
    that is known of each epoch), `n_features_in_`, and `feature_names_in_` for a frame.
    """

    task: ClassVar[str]

    def __init__(
        self,
        layers: Any = None,
        *,
        output: Any = None,
        loss: Any = None,
        optimizer: Any = None,
        epochs: int = 100,
        batch_size: int = 32,
        l2: float = 0.0,
        clip: float | None = None,
        schedule: Any = None,
        plateau: Any = None,
        early_stopping: Any = None,
        ema: float = 0.0,
        monitor: str = "loss",
        ties: str = "first",
        train_loss: str = "running",
        random_state: Any = None,
        split: Any = None,
        columns: Any = None,
        missing: str = "refuse",
        missing_values: Any = None,
        standardize: bool = True,
        standardize_target: bool = True,
        clip_inputs: str | None = None,
        clip_answers: bool = False,
    ) -> None:
        self.layers = layers
        self.output = output
        self.loss = loss
        self.optimizer = optimizer
        self.epochs = epochs
        self.batch_size = batch_size
        self.l2 = l2
        self.clip = clip
        self.schedule = schedule
        self.plateau = plateau
        self.early_stopping = early_stopping
        self.ema = ema
        self.monitor = monitor
        self.ties = ties
        self.train_loss = train_loss
        self.random_state = random_state
        self.split = split
        self.columns = columns
        self.missing = missing
        self.missing_values = missing_values
        self.standardize = standardize
        self.standardize_target = standardize_target
        self.clip_inputs = clip_inputs
        self.clip_answers = clip_answers

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on N rows: X is N x D, an array or a frame, and y has N labels or numbers, or N x K.

        `sample_weight` multiplies the cost of each row, as data.weight does. Raises ValueError for what config or table
        may not be, DivergedError for a training that ends in numbers that are not finite.
        """
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        columns = self._columns(X, reset=True)
        self._names = list(columns)
        Y, classes = self._written(y)
        targets = target_names(y, Y.shape[1], self._names)
        check_consistent_length(X, Y, sample_weight)
        weight = None
        if sample_weight is not None:
            weight = unused("sample_weight", [*columns, *targets])
            columns[weight] = column_or_1d(sample_weight, dtype=np.float64)
        loaded = config_of(self._parameters(), type(self).__name__, task=self.task, targets=targets, weight=weight)
        config = loaded.config
        kinds, others = kinds_of(config.data), others_of(config.data)
        table = training_table(columns, targets, Y, kinds=kinds, others=others, reading=config.reading(), source="X")
        self._refuse_gaps(config.data, table)
        experiment, progress = prepare(loaded, table=table, advise=False), Progress()
        facts = opening_facts(experiment, [type(self).__name__]) | {"columns": self._names}
        records = list(experiment.epochs(progress))
        facts |= {"status": "finished", "epochs_done": progress.epoch, "best_epoch": progress.best_epoch}
        facts["seconds"] = sum(each.seconds for each in records)
        self._take(experiment.best_model(progress), classes, records, facts)
        return self

    def _parameters(self) -> dict[str, Any]:
        """The parameters; of a RandomState a seed is drawn."""
        found: dict[str, Any] = self.get_params(deep=False)
        if found["random_state"] is not None and not isinstance(found["random_state"], Integral):
            found["random_state"] = check_random_state(found["random_state"]).randint(2**31)
        return found

    def _columns(self, X: Any, *, reset: bool) -> dict[str, Array]:
        """The columns of X by name, after scikit-learn's checks of names and shapes."""
        if names_of(X) is None:
            return columns_of(validate_data(self, X, reset=reset, dtype=None, ensure_all_finite=False), "X")
        return columns_of(validate_data(self, X, reset=reset, skip_check_array=True), "X")

    @abstractmethod
    def _written(self, y: Any) -> tuple[Array, list[Array]]:
        """The targets as a table has them (N x K), text for labels or numbers, and the classes of each column."""

    def _refuse_gaps(self, data: Data, table: Table) -> None:
        try:
            refuse_gaps(data, {"X": table})
        except DataError as error:
            raise ValueError(f"Input X contains NaN: {error}") from None

    def _take(self, model: Model, classes: list[Array], records: Sequence[EpochRecord], facts: dict[str, Any]) -> None:
        """Keep what was trained, and how it went."""
        self.model_, self.records_, self._facts, self._classes = model, list(records), facts, classes
        self.n_iter_ = len(records)
        self.loss_curve_ = [each.train_loss for each in records]
        valid = [each.valid_loss for each in records if each.valid_loss is not None]
        self.validation_loss_curve_ = valid or None

    def _answers(self, X: Any) -> Array:
        """What the model says of the rows of X, K x N: probabilities, or standardized numbers."""
        check_is_fitted(self)
        columns = dict(zip(self._names, self._columns(X, reset=False).values(), strict=True))
        table = table_of_columns(columns, self.model_.coding.kinds, self.model_.reading, "X")
        self._refuse_gaps(Config.model_validate(self.model_.config).data, table)
        return np.concatenate([P for _, _, P in self.model_.outputs(self.model_.encode_inputs(table), "X")], axis=1)

    def to_run(self, folder: Path | str) -> None:
        """Write a run directory for `mlp predict`, `evaluate` with a table, and `plot`. It must be new, or empty.

        The rows of `fit` are not in it, so it cannot be resumed.
        """
        check_is_fitted(self)
        write_run(Path(folder), self.model_, self.records_, self._facts)

    @classmethod
    def from_run(cls, folder: Path | str) -> Self:
        """The fitted estimator of a run directory, with the parameters of its config.

        Raises FileError for what is no run, ValueError for a run of the other task.
        """
        model = load_model(folder)
        if model.config["task"] != cls.task:
            raise ValueError(f"{folder}: is a {model.config['task']}, not a {cls.task}")
        made, facts = cls(**parameters_of(model.config)), read_facts(Path(folder))
        made._names = facts.get("columns", list(model.inputs))
        made.n_features_in_ = len(made._names)
        if made._names != [str(j) for j in range(made.n_features_in_)]:
            made.feature_names_in_ = np.array(made._names, dtype=object)
        classes = [classes_of(labels) for labels in model.target.labels.values()]
        made._take(model, classes, read_records(Path(folder)), facts)
        return made

    def __getstate__(self) -> dict[str, Any]:
        """For a pickle or a copy: the model as the bytes of its file, since arrays of layers are views of theta."""
        state: dict[str, Any] = super().__getstate__()
        return state | {"model_": self.model_.to_bytes()} if hasattr(self, "model_") else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "model_" in state:
            state = state | {"model_": model_of(*read_archive(Path("model_"), KIND, io.BytesIO(state["model_"])))}
        super().__setstate__(state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing != "refuse"
        tags.input_tags.string = True
        tags.target_tags.multi_output = True
        return tags


class MLPClassifier(ClassifierMixin, Estimator):  # type: ignore[misc]
    """A classifier. Several target columns have two classes each, and the loss logistic_cross_entropy by default.

    `classes_` has the classes, sorted; of several columns it is a list, and so is what `predict_proba` returns.
    """

    task = "classification"

    def predict(self, X: Any) -> Array:
        """The class of each row (N), or those of each column (N x K)."""
        P = self._answers(X)
        columns = zip(self._classes, self._places(), self.model_.target.decide(P), strict=True)
        found = [classes[places[codes]] for classes, places, codes in columns]
        return found[0] if len(found) == 1 else np.stack(found, axis=1)

    def predict_proba(self, X: Any) -> Array | list[Array]:
        """The probability of each class (N x the number of classes), or a list of them."""
        P = self._answers(X)
        columns = zip(self._places(), cast(LabelTarget, self.model_.target).chances(P), strict=True)
        found = [chances[np.argsort(places)].T for places, chances in columns]
        return found[0] if len(found) == 1 else found

    def _written(self, y: Any) -> tuple[Array, list[Array]]:
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y")
        check_classification_targets(y)
        columns = [np.unique(column, return_inverse=True) for column in y.reshape(len(y), -1).T]
        written = [np.array(texts_of(classes))[codes] for classes, codes in columns]
        return np.stack(written, axis=1), [classes for classes, _ in columns]

    def _take(self, model: Model, classes: list[Array], *others: Any) -> None:
        super()._take(model, classes, *others)
        self.classes_ = classes[0] if len(classes) == 1 else classes

    def _places(self) -> list[Array]:
        """For each column, which class each label of the model is, in the order of its codes."""
        columns = zip(map(texts_of, self._classes), self.model_.target.labels.values(), strict=True)
        return [np.array([texts.index(label) for label in labels]) for texts, labels in columns]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class MLPRegressor(RegressorMixin, Estimator):  # type: ignore[misc]
    """A regressor, of one column of numbers or of several."""

    task = "regression"

    def predict(self, X: Any) -> Array:
        """The number of each row (N), or those of each column (N x K), in their own units.

        Where the loss gives several answers, this is the mean or the middle level; `model_.predict` has them all.
        """
        P = self._answers(X)
        found: Array = self.model_.target.decide(P).T
        return found[:, 0] if found.shape[1] == 1 else found

    def _written(self, y: Any) -> tuple[Array, list[Array]]:
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        return y.reshape(len(y), -1), []

"""Define the keys of a config, their types, ranges and defaults (pydantic, strict).

What they mean together is in load.py. The keys of optimizers, schedules and layers are in sections.py.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from mlp import types
from mlp.activations import ACTIVATIONS
from mlp.experiments.config import sections
from mlp.experiments.config.sections import Section, translated
from mlp.losses import LOSSES, NamedLoss, make_loss
from mlp.monitor import Plateau
from mlp.optimizers import OPTIMIZERS
from mlp.schedules import SCHEDULES
from mlp.tables.reading import KEYS, Reading
from mlp.text import shown


def as_list(value: object) -> object:
    """One name or several: always a list."""
    return value if isinstance(value, list) else [value]


def check_delimiter(text: object) -> object:
    """One character that cannot be taken for a quote or the end of a line, or the word tab (or \\t) for one."""
    character = "\t" if text in ("tab", "\\t") else text
    if isinstance(character, str) and (
        len(character) != 1 or character in '"\r\n\0' or "\ud7ff" < character < "\ue000"
    ):
        raise PydanticCustomError(
            "delimiter", "expected one character that no cell is quoted with and no line ends with, or tab"
        )
    return character


def as_kind(value: object) -> object:
    """The kind of a column alone, or a mapping with more."""
    return {"kind": value} if isinstance(value, str) else value


def as_name(value: object) -> object:
    """The name of a loss alone, or a mapping with more."""
    return {"name": value} if isinstance(value, str) else value


def check_class_weight(value: object) -> object:
    """The word balanced, or a mapping from labels to finite weights of at least 0."""
    if value in (None, "balanced"):
        return value
    if isinstance(value, dict) and value and all(is_weight(weight) for weight in value.values()):
        return {label: float(weight) for label, weight in value.items()}
    raise PydanticCustomError("class_weight", "expected balanced, or {label: weight, ...} with numbers >= 0")


def is_weight(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= sys.float_info.max


DEFAULT_OPTIMIZER = {"name": "adam", "learning_rate": 0.003}


def with_a_name(value: object) -> object:
    """An optimizer without a name is that of DEFAULT_OPTIMIZER."""
    return {"name": DEFAULT_OPTIMIZER["name"], **value} if isinstance(value, dict) and "name" not in value else value


Text = Annotated[str, Field(min_length=1)]
Names = Annotated[list[Text], Field(min_length=1), BeforeValidator(as_list)]
if TYPE_CHECKING:
    from mlp.types import Count, Fraction, NonNegative, Positive

    ActivationName = str
    LossName = str
    AnyLayer: TypeAlias = Any
    Optimizer: TypeAlias = Any
    Schedule: TypeAlias = Any
    PlateauSection: TypeAlias = sections.Made
else:
    Count, Fraction, NonNegative, Positive = (
        translated(getattr(types, name), {}) for name in ("Count", "Fraction", "NonNegative", "Positive")
    )
    ActivationName = translated(Annotated[str, types.OneOf(ACTIVATIONS)], {})
    LossName = translated(Annotated[str, types.OneOf(LOSSES)], {})
    AnyLayer = sections.AnyLayer
    Optimizer = sections.named(
        OPTIMIZERS, weight_decay=(NonNegative, 0.0), rate_factors=(dict[str, Positive], Field({}))
    )
    PlateauSection = sections.made("plateau", Plateau)
    Schedule = sections.named(SCHEDULES, follows=["epochs"], warm_up=(NonNegative, 0.0))


NAMES: tuple[tuple[str, ...], ...] = (
    ("data", "target"),
    ("data", "inputs"),
    ("data", "exclude"),
    ("data", "missing_values"),
    ("data", "weight"),
    ("data", "split", "by"),
    ("data", "split", "order"),
    ("data", "split", "column"),
    ("data", "split", "valid_part"),
    ("data", "split", "test_part"),
)
"""The keys whose values, or items, are names of columns or texts of cells: they are taken as they are written."""


Seed = Annotated[int, Field(ge=0, lt=2**128)]


class Split(Section):
    """The rows that are for training: fractions of all, drawn or in order, or the parts that a `column` names."""

    valid: Fraction = 0.0
    test: Fraction = 0.0
    method: Literal["stratified", "shuffled", "file_order"] | None = None
    by: Text | None = None
    order: Text | None = None
    column: Text | None = None
    valid_part: Text | None = None
    test_part: Text | None = None
    folds: Annotated[int, Field(ge=2, le=1000)] | None = None
    fold: Count | None = None
    seed: Seed | None = None


class Column(Section):
    kind: Literal["number", "category", "ignore"] | None = None
    missing: Literal["refuse", "fill", "median", "mean"] | None = None
    min_count: Count = 1


class Data(Section):
    path: Text
    valid_path: Text | None = None
    test_path: Text | None = None
    target: Names
    inputs: Names | None = None
    exclude: Annotated[list[str], BeforeValidator(as_list)] = Field([])
    columns: dict[str, Annotated[Column, BeforeValidator(as_kind)]] = Field({})
    missing: Literal["refuse", "fill", "median", "mean"] = "refuse"
    missing_values: Annotated[list[str], BeforeValidator(as_list)] | None = None
    weight: Text | None = None
    delimiter: Annotated[str | None, BeforeValidator(check_delimiter)] = None
    decimal: Literal[".", ","] = "."
    header: bool | None = None
    encoding: Literal["utf-8", "utf-16", "latin-1"] | None = None
    skip_lines: Annotated[int, Field(ge=0, le=10**9)] = 0
    query: Text | None = None
    missing_target: Literal["refuse", "drop"] = "refuse"
    split: Split = Split()
    standardize: bool = True
    standardize_target: bool = True
    clip: Literal["smooth"] | None = None
    clip_answers: bool = False

    def paths(self) -> dict[str, str]:
        """The paths that there are, by key."""
        keys = ("path", "valid_path", "test_path")
        return {key: path for key in keys if (path := getattr(self, key)) is not None}


class OutputLayer(Section):
    activation: ActivationName = "identity"
    initialization: sections.Initialization | None = None
    bias: sections.Initialization = "zeros"


class NetworkSection(Section):
    inputs: Count | None = None
    layers: list[AnyLayer]
    output: OutputLayer = OutputLayer()


class EarlyStopping(Section):
    patience: Count


class Training(Section):
    epochs: Count
    batch_size: Count = 32
    l2: NonNegative = 0.0
    clip: Positive | None = None
    seed: Seed | None = None
    schedule: Schedule = Field({"name": "constant"}, validate_default=True)
    plateau: PlateauSection | None = None
    early_stopping: EarlyStopping | None = None
    ema: Fraction = 0.0
    monitor: Text = "loss"
    ties: Literal["first", "last"] = "first"
    train_loss: Literal["running", "epoch_end"] = "running"


class LossSection(Section):
    """A loss, by its row of LOSSES when it is asked for; the other keys are those of this row."""

    model_config = ConfigDict(extra="allow")

    name: LossName
    class_weight: Annotated[Any, BeforeValidator(check_class_weight)] = None
    label_smoothing: Fraction = 0.0

    @model_validator(mode="after")
    def can_be_made(self) -> Self:
        keys = sections.keys_of(type(LOSSES[self.name]), {})
        for key, value in (self.model_extra or {}).items():
            if key not in keys:
                known = ", ".join([*type(self).model_fields, *keys])
                raise ValueError(f"{key}: unknown key (the keys of {self.name} are {known})")
            items = value if isinstance(value, list) else [value]
            if not items or any(isinstance(each, bool) or not isinstance(each, (int, float)) for each in items):
                raise ValueError(f"{key}: expected a number, or a list of numbers, got {shown(value)}")
        self.make()
        return self

    def make(self) -> NamedLoss:
        """The loss with its keys."""
        return make_loss(self.name, **(self.model_extra or {}))


class Config(Section):
    data: Data
    task: Literal["classification", "regression"]
    network: NetworkSection
    loss: Annotated[LossSection, BeforeValidator(as_name)] | None = None
    optimizer: Annotated[Optimizer, BeforeValidator(with_a_name)] = Field(DEFAULT_OPTIMIZER, validate_default=True)
    training: Training

    def reading(self) -> Reading:
        """The form of the data files. A query sees categories, labels, groups and parts as they are written."""
        data = self.data
        texts = [name for name, column in data.columns.items() if column.kind == "category"]
        texts += [name for name in (data.split.by, data.split.column) if name is not None]
        texts += data.target if self.task == "classification" else []
        keys = {key: getattr(data, key) for key in KEYS}
        missing = None if data.missing_values is None else tuple(data.missing_values)
        return Reading(**keys | {"missing_values": missing, "as_written": tuple(texts)})

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it for another process as plain values, because sections that were derived cannot be pickled."""
        return Config.model_validate, (self.model_dump(),)

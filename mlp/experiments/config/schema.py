"""The keys of a config, their types, ranges and defaults (pydantic, strict); what they mean together is in
config.py."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError, PydanticKnownError

from mlp.activations import ACTIVATIONS
from mlp.initialization import SCHEMES
from mlp.losses import LOSSES


def one_of(names: Collection[str]) -> BeforeValidator:
    """One of the names that there are when it is asked for."""

    def check(value: object) -> object:
        if value not in names:
            raise PydanticKnownError("literal_error", {"expected": ", ".join(names)})
        return value

    return BeforeValidator(check)


def as_names(value: object) -> object:
    """One column or several, by name or (where there is no header) by number: always a list of names."""
    values = value if isinstance(value, list) else [value]
    return [str(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in values]


def check_delimiter(character: str) -> str:
    """Any character that cannot be taken for a quote or the end of a line."""
    if character in '"\r\n\0':
        raise PydanticCustomError("delimiter", "expected a character that no cell is quoted with and no line ends with")
    return character


ActivationName = Annotated[str, one_of(ACTIVATIONS)]
LossName = Annotated[str, one_of(LOSSES)]
Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1), BeforeValidator(as_names)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Split(Section):
    valid: Fraction = 0.0
    test: Fraction = 0.0
    method: Literal["stratified", "shuffled", "file_order"] | None = None


class Data(Section):
    path: Annotated[str, Field(min_length=1)]
    valid_path: Annotated[str, Field(min_length=1)] | None = None
    test_path: Annotated[str, Field(min_length=1)] | None = None
    target: Names
    inputs: Names | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1), AfterValidator(check_delimiter)] = ","
    header: bool | None = None
    split: Split = Split()
    standardize: bool = True


def check_initialization(value: object) -> object:
    """The name of a scheme, or {uniform: r} or {normal: s} with a positive scale that a float can hold."""
    if isinstance(value, str) and value in SCHEMES:
        return value
    if isinstance(value, dict) and len(value) == 1:
        ((kind, scale),) = value.items()
        number = isinstance(scale, (int, float)) and not isinstance(scale, bool)
        if kind in ("uniform", "normal") and number and 0 < scale <= sys.float_info.max:
            return {kind: float(scale)}
    wanted = f"expected one of {', '.join(SCHEMES)}, or {{uniform: r}} or {{normal: s}} with a number > 0"
    raise PydanticCustomError("initialization", "{wanted}", {"wanted": wanted})


Initialization = Annotated[str | dict[str, float], BeforeValidator(check_initialization)] | None


class HiddenLayer(Section):
    units: Count
    activation: ActivationName = "relu"
    initialization: Initialization = None


class OutputLayer(Section):
    initialization: Initialization = None


class NetworkSection(Section):
    inputs: Count | None = None
    layers: list[HiddenLayer]
    output: OutputLayer = OutputLayer()


class SGDSection(Section):
    name: Literal["sgd"]
    learning_rate: Positive = 0.1
    momentum: Fraction = 0.0
    nesterov: bool = False


class AdamSection(Section):
    name: Literal["adam"]
    learning_rate: Positive = 1e-3
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: Positive = 1e-8
    weight_decay: NonNegative = 0.0


def sgd_without_a_name(value: object) -> object:
    return {"name": "sgd", **value} if isinstance(value, dict) and "name" not in value else value


class ConstantSchedule(Section):
    name: Literal["constant"]
    warm_up: NonNegative = 0.0


class StepSchedule(Section):
    name: Literal["step"]
    every: Positive
    factor: Positive = 0.1
    warm_up: NonNegative = 0.0


class ExponentialSchedule(Section):
    name: Literal["exponential"]
    decay: Positive
    warm_up: NonNegative = 0.0


class CosineSchedule(Section):
    name: Literal["cosine"]
    epochs: Positive
    floor: Annotated[float, Field(ge=0, le=1)] = 0.0
    warm_up: NonNegative = 0.0


Schedule = ConstantSchedule | StepSchedule | ExponentialSchedule | CosineSchedule


class EarlyStopping(Section):
    patience: Count


class Training(Section):
    epochs: Count
    batch_size: Count = 32
    l2: NonNegative = 0.0
    clip: Positive | None = None
    seed: Annotated[int, Field(ge=0, lt=2**128)] | None = None
    schedule: Annotated[Schedule, Field(discriminator="name")] = ConstantSchedule(name="constant")
    early_stopping: EarlyStopping | None = None
    train_loss: Literal["running", "epoch_end"] = "running"


class Config(Section):
    data: Data
    task: Literal["classification", "regression"]
    network: NetworkSection
    loss: LossName | None = None
    optimizer: Annotated[SGDSection | AdamSection, Field(discriminator="name"), BeforeValidator(sgd_without_a_name)] = (
        SGDSection(name="sgd")
    )
    training: Training

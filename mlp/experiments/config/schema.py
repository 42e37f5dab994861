"""Define the keys of a config, their types, ranges and defaults (pydantic, strict).

What they mean together is in load.py. The keys of optimizers, schedules and layers are in sections.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from mlp import types
from mlp.experiments.config import sections
from mlp.experiments.signatures import Section, translated
from mlp.losses import LOSSES
from mlp.optimizers import OPTIMIZERS
from mlp.schedules import SCHEDULES


def as_names(value: object) -> object:
    """One column or several, by name or (where there is no header) by number: always a list of names."""
    values = value if isinstance(value, list) else [value]
    return [str(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in values]


def check_delimiter(character: str) -> str:
    """Any character that cannot be taken for a quote or the end of a line."""
    if character in '"\r\n\0':
        raise PydanticCustomError("delimiter", "expected a character that no cell is quoted with and no line ends with")
    return character


def with_a_name(value: object) -> object:
    """An optimizer without a name is the first of the table."""
    return {"name": next(iter(OPTIMIZERS)), **value} if isinstance(value, dict) and "name" not in value else value


Text = Annotated[str, Field(min_length=1)]
Names = Annotated[list[Text], Field(min_length=1), BeforeValidator(as_names)]
if TYPE_CHECKING:
    from mlp.types import Count, Fraction, NonNegative, Positive

    LossName = str
    AnyLayer: TypeAlias = Any
    Optimizer: TypeAlias = Any
    Schedule: TypeAlias = Any
else:
    Count, Fraction, NonNegative, Positive = (
        translated(getattr(types, name), {}) for name in ("Count", "Fraction", "NonNegative", "Positive")
    )
    LossName = translated(Annotated[str, types.OneOf(LOSSES)], {})
    AnyLayer = sections.AnyLayer
    Optimizer = sections.named(OPTIMIZERS, weight_decay=(NonNegative, 0.0))
    Schedule = sections.named(SCHEDULES, warm_up=(NonNegative, 0.0))


class Split(Section):
    valid: Fraction = 0.0
    test: Fraction = 0.0
    method: Literal["stratified", "shuffled", "file_order"] | None = None


class Data(Section):
    path: Text
    valid_path: Text | None = None
    test_path: Text | None = None
    target: Names
    inputs: Names | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1), AfterValidator(check_delimiter)] = ","
    header: bool | None = None
    split: Split = Split()
    standardize: bool = True


class OutputLayer(Section):
    initialization: sections.Initialization | None = None


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
    seed: Annotated[int, Field(ge=0, lt=2**128)] | None = None
    schedule: Schedule = Field({"name": "constant"}, validate_default=True)
    early_stopping: EarlyStopping | None = None
    train_loss: Literal["running", "epoch_end"] = "running"


class Config(Section):
    data: Data
    task: Literal["classification", "regression"]
    network: NetworkSection
    loss: LossName | None = None
    optimizer: Annotated[Optimizer, BeforeValidator(with_a_name)] = Field(with_a_name({}), validate_default=True)
    training: Training

    def __reduce__(self) -> tuple[Any, ...]:
        """How it is sent to another process: as plain values, because sections that were derived cannot be pickled."""
        return Config.model_validate, (self.model_dump(),)

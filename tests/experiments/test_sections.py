"""Sections of a config are derived from signatures: a new row of a table needs nothing else."""

import inspect
from typing import Annotated, Any

import pytest
from pydantic import ValidationError, create_model

from mlp.experiments.config.schema import Training
from mlp.experiments.config.sections import KINDS_OF_LAYER, named
from mlp.experiments.signatures import Section, keys_of
from mlp.layers import LAYERS
from mlp.training import train
from mlp.types import Count, Fraction, OneOf, Positive, Range


class Downhill:
    def __init__(self, rate: Positive, memory: Fraction = 0.5, look_ahead: bool = False):
        if look_ahead and memory == 0:
            raise ValueError("look_ahead=True needs a memory above 0")
        self.arguments = (rate, memory, look_ahead)


def uphill(steps: Count = 3, way: Annotated[str, OneOf({"steep": 1, "gentle": 2})] = "steep", hope: Any = None):
    return (steps, way, hope)


TABLE = {"downhill": Downhill, "uphill": uphill}
Form = create_model("Form", __base__=Section, way=(named(TABLE, decay=(float, 0.0)), ...))


def test_keys_ranges_and_defaults_are_those_of_the_signature():
    assert Form(way={"name": "uphill"}).model_dump() == {
        "way": {"name": "uphill", "steps": 3, "way": "steep", "hope": None, "decay": 0.0}
    }
    assert Form(way={"name": "uphill", "steps": 5, "way": "gentle", "decay": 0.5}).way.make() == (5, "gentle", None)
    assert Form(way={"name": "downhill", "rate": 2, "memory": 0.0}).way.make().arguments == (2.0, 0.0, False)


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ({"name": "sideways"}, "union_tag_invalid"),
        ({"name": "downhill"}, "missing"),
        ({"name": "downhill", "rate": 0}, "greater_than"),
        ({"name": "downhill", "rate": 1, "memory": 1}, "less_than"),
        ({"name": "downhill", "rate": 1, "steps": 1}, "extra_forbidden"),
        ({"name": "downhill", "rate": 1, "memory": 0, "look_ahead": True}, "value_error"),
        ({"name": "uphill", "steps": 2.0}, "int_type"),
        ({"name": "uphill", "steps": 0}, "greater_than_equal"),
        ({"name": "uphill", "steps": 10**9 + 1}, "less_than_equal"),
        ({"name": "uphill", "way": "flat"}, "literal_error"),
    ],
)
def test_what_the_signature_does_not_allow_is_refused(section, kind):
    with pytest.raises(ValidationError) as caught:
        Form(way=section)
    assert [each["type"] for each in caught.value.errors()] == [kind]


def test_ranges_hold_where_there_may_be_nothing():
    def maybe(most: Annotated[float, Range(most=2)] | None = None):
        pass

    model = create_model("Maybe", __base__=Section, **keys_of(maybe, {}))
    assert model().most is model(most=None).most is None
    with pytest.raises(ValidationError, match="less than or equal to 2"):
        model(most=3.0)


def test_every_layer_has_its_section_and_is_marked_by_a_key_of_it():
    assert list(KINDS_OF_LAYER) == list(LAYERS)
    assert all(row in kind.model_fields for row, kind in KINDS_OF_LAYER.items())


def test_the_defaults_of_training_are_those_of_train():
    defaults = {name: each.default for name, each in inspect.signature(train).parameters.items()}
    same = {"batch_size", "l2", "clip", "train_loss"}
    assert {name: Training.model_fields[name].default for name in same} == {name: defaults[name] for name in same}

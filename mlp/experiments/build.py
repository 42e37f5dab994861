"""From sections of a config to the trainer's objects: network, optimizer, schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlp import schedules
from mlp.experiments.config import schema
from mlp.layers.dense import Layer
from mlp.network import Network
from mlp.optimizers import SGD, Adam

PRECISION = np.float32


def make_network(section: schema.NetworkSection, sizes: list[int], rng: np.random.Generator) -> Network:
    """The hidden layers of the config and a linear output layer above them."""
    kinds = [(layer.activation, layer.initialization) for layer in section.layers]
    kinds.append(("identity", section.output.initialization))
    return Network(
        [
            Layer.initialize(n_in, n_out, activation, rng=rng, scheme=scheme, dtype=PRECISION)
            for n_in, n_out, (activation, scheme) in zip(sizes, sizes[1:], kinds, strict=False)
        ]
    )


def make_optimizer(section: schema.SGDSection | schema.AdamSection) -> SGD | Adam:
    options = section.model_dump(exclude={"name", "weight_decay"})
    return SGD(**options) if section.name == "sgd" else Adam(**options)


def make_schedule(section: Any) -> schedules.Schedule:
    makers: dict[str, Callable[..., schedules.Schedule]] = {
        "constant": schedules.constant,
        "step": schedules.step,
        "exponential": schedules.exponential,
        "cosine": schedules.cosine,
    }
    schedule = makers[section.name](**section.model_dump(exclude={"name", "warm_up"}))
    return schedules.warm_up(schedule, section.warm_up) if section.warm_up else schedule

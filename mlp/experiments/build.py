"""Make the trainer's objects from sections of a config: the network, and the factor of the learning rate."""

from __future__ import annotations

import numpy as np

from mlp.experiments.config import schema
from mlp.layers.table import Maker
from mlp.network import Network
from mlp.schedules import Schedule, warm_up

PRECISION = np.float32


def make_network(section: schema.NetworkSection, n_in: int, n_out: int, rng: np.random.Generator) -> Network:
    """The hidden layers of the config and a linear output layer above them."""
    entries = section.model_dump()["layers"]
    output = {"units": n_out, "activation": "identity", **section.output.model_dump()}
    return Network(list(Maker(rng, PRECISION).layers([*entries, output], n_in)))


def make_schedule(section: schema.Schedule) -> Schedule:
    return warm_up(section.make(), section.warm_up) if section.warm_up else section.make()

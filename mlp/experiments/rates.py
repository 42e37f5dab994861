"""Find a learning rate: let it grow from step to step, and see where the cost falls (Smith 2017, sec. 3.3)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mlp.divergence import DivergedError
from mlp.experiments.experiment import Experiment
from mlp.monitor import Monitor
from mlp.records import MinibatchRecord, Progress
from mlp.types import Array

LOWEST, HIGHEST, STEPS = 1e-7, 10.0, 300
SMOOTHING = 0.95  # of the costs: each minibatch has its own
RISEN = 4.0  # times the fall so far above the lowest cost: it will not come back
FALLEN = 0.98  # of the first cost: less of a fall is noise
WARMING = 20  # steps before the mean has forgotten where it began


class Rates(NamedTuple):
    """The learning rates of the steps, the smoothed costs after them, and a suggestion, if the cost fell at all."""

    rates: Array
    costs: Array
    suggestion: float | None


def find_rate(experiment: Experiment) -> Rates:
    """Train for STEPS steps, whose rate grows evenly on a logarithmic scale, and read the curve; nothing is saved.

    It ends where the cost has risen far, or is not finite. The suggestion is a tenth of the rate of the lowest smoothed
    cost: there the cost still falls, with room to the rate at which it rises (Howard and Gugger 2020).
    """
    epochs = STEPS / math.ceil(len(experiment.splits["train"][0]) / experiment.batch_size)
    experiment.optimizer.learning_rate = LOWEST
    training = experiment.training(
        Progress(),
        epochs=math.ceil(epochs),
        schedule=lambda t: (HIGHEST / LOWEST) ** (t / epochs),
        valid=None,  # and so nothing that is measured on it
        patience=None,
        monitor=Monitor(),
        train_loss="running",
    )
    rates, costs, mean = list[float](), list[float](), 0.0
    try:
        with experiment.threads().limit():
            for record in training.minibatches():
                if not isinstance(record, MinibatchRecord):
                    continue
                mean = SMOOTHING * mean + (1 - SMOOTHING) * record.cost
                rates.append(record.learning_rate)
                costs.append(mean / (1 - SMOOTHING ** len(rates)))  # without its beginning at 0
                if len(rates) == STEPS:
                    break
                if len(rates) > WARMING and costs[-1] > min(costs) + RISEN * max(costs[0] - min(costs), 0.1 * costs[0]):
                    break
    except DivergedError:
        pass  # the end of the curve
    return Rates(np.array(rates), np.array(costs), suggested(np.array(rates), np.array(costs)))


def suggested(rates: Array, costs: Array) -> float | None:
    """A tenth of the rate at which the costs are lowest; None where they do not fall."""
    if len(rates) <= WARMING:
        return None
    lowest = int(costs[WARMING:].argmin()) + WARMING
    return float(rates[lowest]) / 10 if costs[lowest] < FALLEN * costs[WARMING] else None

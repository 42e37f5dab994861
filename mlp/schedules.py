"""Learning-rate schedules: how much of the base learning rate a step uses, as a function of time in epochs.

Time t is counted in epochs and taken in the middle of a minibatch: the i-th of n in epoch e has t = e - 1 + (i -
1/2) / n, with e and i from 1. A schedule is a function of t alone, so a run that is interrupted, or given more
epochs, goes on along the same curve. A schedule of your own is any function from t to a factor.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[float], float]


def constant() -> Schedule:
    """factor(t) = 1."""
    return lambda t: 1.0


def step(every: float, factor: float = 0.1) -> Schedule:
    """factor(t) = factor^floor(t / every): multiplied by `factor` after each `every` epochs."""
    positive("every", every)
    positive("factor", factor)
    return lambda t: factor ** math.floor(t / every)


def exponential(decay: float) -> Schedule:
    """factor(t) = decay^t: multiplied by `decay` in the course of each epoch, a little at every step."""
    positive("decay", decay)
    return lambda t: decay**t


def cosine(epochs: float, floor: float = 0.0) -> Schedule:
    """factor(t) = floor + (1 - floor) (1 + cos(pi t / epochs)) / 2, and `floor` from t = epochs on.

    Half a period of SGDR without restarts (Loshchilov and Hutter 2017, eq. 5).
    """
    positive("epochs", epochs)
    if not 0 <= floor <= 1:
        raise ValueError(f"floor must be between 0 and 1, got {floor}")
    return lambda t: floor + (1 - floor) * (1 + math.cos(math.pi * min(t / epochs, 1.0))) / 2


def warm_up(schedule: Schedule, epochs: float) -> Schedule:
    """factor(t) = (t / epochs) schedule(t) while t < epochs, then schedule(t): a linear start (Goyal et al. 2017)."""
    positive("epochs", epochs)
    return lambda t: min(t / epochs, 1.0) * schedule(t)


def positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a positive number, got {value}")

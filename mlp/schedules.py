"""Schedule the learning rate: how much of it a step uses, as a function of time in epochs.

Time t is counted in epochs and taken in the middle of a minibatch: the i-th of n in epoch e has t = e - 1 + (i -
1/2) / n, with e and i from 1. A schedule is a function of t alone, so a run that is interrupted, or given more
epochs, goes on along the same curve. A schedule of your own is any function from t to a factor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any

from mlp.arguments import check_arguments, wrong
from mlp.types import Fraction, Positive, Range

Schedule = Callable[[float], float]


def power(factor: float, t: float) -> float:
    """factor^t, and infinity where that is too large for a float: a run with such a rate diverges, and says why."""
    try:
        return factor**t
    except OverflowError:
        return math.inf


def constant() -> Schedule:
    """factor(t) = 1."""
    return lambda t: 1.0


def step(every: Positive, factor: Positive = 0.1) -> Schedule:
    """factor(t) = factor^floor(t / every): multiplied by `factor` after each `every` epochs."""
    check_arguments(step, locals())
    return lambda t: power(factor, math.floor(t / every))


def exponential(decay: Positive) -> Schedule:
    """factor(t) = decay^t: multiplied by `decay` in the course of each epoch, a little at every step."""
    check_arguments(exponential, locals())
    return lambda t: power(decay, t)


def cosine(epochs: Positive, floor: Annotated[float, Range(least=0, most=1)] = 0.0) -> Schedule:
    """factor(t) = floor + (1 - floor) (1 + cos(pi t / epochs)) / 2, and `floor` from t = epochs on.

    Half a period of SGDR without restarts (Loshchilov and Hutter 2017, eq. 5).
    """
    check_arguments(cosine, locals())
    return lambda t: floor + (1 - floor) * (1 + math.cos(math.pi * min(t / epochs, 1.0))) / 2


def cycles(epochs: Positive, count: Annotated[int, Range(least=1, most=20)] = 4) -> Schedule:
    """factor(t) = (1 - cos(2 pi log2(1 + (2^n - 1) t / epochs))) / 2 with n = count, and 0 from t = epochs on.

    Each cycle is twice as long as the one before and rises from 0 to 1 and back (Holzmüller, Grinsztajn and Steinwart
    2024, where n = 4 is "coslog4"), so that early epochs find what late ones make precise.
    """
    check_arguments(cycles, locals())
    stretch = 2.0**count - 1
    return lambda t: (1 - math.cos(2 * math.pi * math.log2(1 + stretch * min(t / epochs, 1.0)))) / 2


def one_cycle(
    epochs: Positive, rise: Annotated[float, Range(above=0, below=1)] = 0.3, start: Fraction = 0.04
) -> Schedule:
    """factor(t) from `start` up to 1 until t = rise * epochs, then down to 0, both along half a cosine.

    The superconvergence policy (Smith and Topin 2019, sec. 3), with cosines in the place of straight lines.
    """
    check_arguments(one_cycle, locals())
    top = rise * epochs

    def factor(t: float) -> float:
        if t < top:
            return start + (1 - start) * (1 - math.cos(math.pi * t / top)) / 2
        return (1 + math.cos(math.pi * min((t - top) / (epochs - top), 1.0))) / 2

    return factor


def warm_up(schedule: Schedule, epochs: Positive) -> Schedule:
    """factor(t) = (t / epochs) schedule(t) while t < epochs, then schedule(t): a linear start (Goyal et al. 2017)."""
    check_schedule(schedule)
    check_arguments(warm_up, locals())
    return lambda t: min(t / epochs, 1.0) * schedule(t)


def check_schedule(schedule: Schedule) -> None:
    """Raises TypeError for what is no function of t, and for a function of this file that makes one."""
    if not callable(schedule) or schedule in SCHEDULES.values():
        raise wrong("schedule", "a function of the time t, such as cosine(epochs=10)", schedule)


SCHEDULES: dict[str, Any] = {
    "constant": constant,
    "step": step,
    "exponential": exponential,
    "cosine": cosine,
    "cycles": cycles,
    "one_cycle": one_cycle,
}

"""Checks of an optimizer: a step goes downhill, and weight decay acts on weights alone."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from mlp.checking.copies import Private, network_parameters
from mlp.checking.loop import off_zero
from mlp.checking.results import FAIL, PASS, Result, folded
from mlp.checking.together import ALL
from mlp.types import Array

UPHILL = "the sign: W <- W - eta W_bar goes down, + goes up"
NO_STEP = "the array does not move: is it left out of the step?"
DECAY_ON_B = "weight decay on b"
EVEN = 1e-6  # the step is a small difference of parameters, so rounding leaves more in it


@np.errstate(all="ignore")
def check_optimizer(optimizer: Any, network: Any, *, rng: np.random.Generator | None = None) -> list[Result]:
    """All checks of a fresh optimizer, one's own included, on a network's parameters and random bars.

    Its first step, without its weight decay, has to go downhill in every array, <step, bar> < 0; and with all bars 0 it
    has to leave alone what is not in `penalized`, and to shrink the rest by one factor or leave it too. Biases that are
    all 0 are first set to something else, or weight decay on them would not show. Optimizer and network are left as
    they were.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    own = Private(network, network_parameters).fresh()
    off_zero(own, rng)
    bars = {name: rng.normal(size=x.shape) for name, x in own.parameters().items()}
    still = steps_of(optimizer, own, {name: np.zeros_like(bar) for name, bar in bars.items()})
    moved = steps_of(optimizer, own, bars)
    first = [downhill(name, moved[name] - still[name], bar) for name, bar in bars.items()]
    second = [decays(name, still[name], x, name in own.penalized) for name, x in own.parameters().items()]
    decayed = [name for name, step in still.items() if np.any(step)]
    return [
        *folded(ALL, first, "<step, bar> is below 0 in every array"),
        *folded(ALL, second, f"on {', '.join(decayed)} alone" if decayed else "none"),
    ]


def steps_of(optimizer: Any, network: Any, bars: Mapping[str, Array]) -> dict[str, Array]:
    """What the first step adds to each parameter."""
    optimizer, stepped = copy.deepcopy(optimizer), copy.deepcopy(network)
    layers = [
        SimpleNamespace(**{f"{name}_bar": bars[f"{name}{number}"].copy() for name in layer.parameters})
        for number, layer in enumerate(stepped.layers, 1)
    ]
    optimizer.step(stepped, layers)
    return {name: x - network.parameters()[name] for name, x in stepped.parameters().items()}


def downhill(name: str, step: Array, bar: Array) -> Result:
    slope, norm = float(np.sum(step * bar)), float(np.linalg.norm(step) * np.linalg.norm(bar))
    if slope < 0:
        return Result(name, "downhill", PASS, 0.0, 0.0)
    reason, guess = (f"<step, bar> = {slope:.3g}", UPHILL) if np.any(step) else ("no step at all", NO_STEP)
    return Result(name, "downhill", FAIL, slope / norm if norm else 0.0, 0.0, reason, guess)


def decays(name: str, step: Array, x: Array, penalized: bool) -> Result:
    """With all bars 0: no step, or the same fraction of every element less where the array is penalized."""
    if not np.any(step):
        return Result(name, "weight decay", PASS, 0.0, 0.0)
    fraction = -float(np.sum(step * x)) / float(np.sum(x * x))
    error = float(np.linalg.norm(step + fraction * x) / np.linalg.norm(step))
    reason = f"with all bars 0, a step takes {fraction:.3g} of it away"
    if not penalized:
        return Result(name, "weight decay", FAIL, abs(fraction), 0.0, reason, DECAY_ON_B)
    return Result(name, "weight decay", PASS if error <= EVEN and 0 < fraction < 1 else FAIL, error, EVEN, reason)

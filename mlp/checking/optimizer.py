"""Check an optimizer: a step goes downhill, and what shrinks weights leaves biases alone."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from mlp.checking.copies import copy_of, off_zero, weight_names
from mlp.checking.guesses import DECAY_ON_B
from mlp.checking.identities import ALL
from mlp.checking.results import FAIL, PASS, Result, folded
from mlp.types import Array

UPHILL = "the sign: W <- W - eta W_bar goes down, + goes up"
NO_STEP = "the array does not move: is it left out of the step?"
EVEN = 1e-6  # the step is a small difference of parameters, so rounding leaves more in it


@np.errstate(all="ignore")
def check_optimizer(optimizer: Any, network: Any, *, rng: np.random.Generator | None = None) -> list[Result]:
    """Check a fresh optimizer, one's own included, on a network's parameters and random bars.

    Its first step, without its weight decay, has to go downhill in every array, <step, bar> < 0; and with all bars 0 it
    has to leave alone what is no weight, and to shrink the weights by one factor or leave them too. Biases that are all
    0 are first set to something else, or weight decay on them would not show. Optimizer and network are left as they
    were.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    own = copy_of(network)
    off_zero(own, rng)
    theta_bar = rng.normal(size=own.theta.shape)
    still = first_step(optimizer, own.theta, np.zeros_like(theta_bar))
    moved = own.named(first_step(optimizer, own.theta, theta_bar) - still)
    downhill = [goes_down(name, moved[name], bar) for name, bar in own.named(theta_bar).items()]
    return [
        *folded(ALL, downhill, "<step, bar> is below 0 in every array"),
        *check_decay(own.named(still), own.parameters(), weight_names(own), "with all bars 0, a step"),
    ]


def first_step(optimizer: Any, theta: Array, theta_bar: Array) -> Array:
    """The change of theta by the first step."""
    moved = theta.copy()
    copy.deepcopy(optimizer).step(moved, theta_bar.copy(), optimizer.learning_rate)
    return moved - theta


def goes_down(name: str, step: Array, bar: Array) -> Result:
    slope, norm = float(np.sum(step * bar)), float(np.linalg.norm(step) * np.linalg.norm(bar))
    if slope < 0:
        return Result(name, "downhill", PASS, 0.0, 0.0)
    reason, guess = (f"<step, bar> = {slope:.3g}", UPHILL) if np.any(step) else ("no step at all", NO_STEP)
    return Result(name, "downhill", FAIL, slope / norm if norm else 0.0, 0.0, reason, guess)


def check_decay(steps: dict[str, Array], parameters: dict[str, Array], weights: set[str], when: str) -> list[Result]:
    """Check what is added without any bars: nothing, or the same fraction of every weight less."""
    results = []
    for name, step in steps.items():
        x, size = parameters[name], float(np.linalg.norm(step))
        if not size:
            results.append(Result(name, "weight decay", PASS, 0.0, 0.0))
            continue
        fraction = -float(np.sum(step * x)) / float(np.sum(x * x))
        error = float(np.linalg.norm(step + fraction * x)) / size
        reason = f"{when} takes {fraction:.3g} of it away"
        if name in weights:
            verdict = PASS if error <= EVEN and 0 < fraction < 1 else FAIL
            results.append(Result(name, "weight decay", verdict, error, EVEN, reason))
        else:
            results.append(Result(name, "weight decay", FAIL, abs(fraction), 0.0, reason, DECAY_ON_B))
    decayed = ", ".join(name for name, step in steps.items() if np.any(step))
    return folded(ALL, results, f"on {decayed} alone" if decayed else "none")

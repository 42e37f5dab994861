"""Why a run diverged, as far as its config and the numbers of the minibatch tell, and what to try."""

from __future__ import annotations

import math

from mlp.divergence import DivergedError
from mlp.experiments.config import schema

UNSCALED = 100.0  # standardized numbers are of size 1: one this large is an outlier, or was never scaled


def likely_cause(config: schema.Config, error: DivergedError) -> str:
    """One sentence: inputs or targets that are far from size 1, otherwise the learning rate; with the key to change."""
    numbers = (("an input", error.largest_input), ("a target", error.largest_target))
    what, size = max(numbers, key=lambda pair: 0.0 if math.isnan(pair[1]) else pair[1])
    if size > UNSCALED:
        if not config.data.standardize:
            return f"the likely cause is {what} of {size:.3g}, not scaled: try data.standardize: true"
        return f"the likely cause is {what} that is {size:.3g} standard deviations off: look for an outlier in the data"
    rate = error.learning_rate
    remedy = f"optimizer.learning_rate: {config.optimizer.learning_rate / 10:.2g}"
    if not config.training.clip:
        remedy += ", or training.clip: 1"
    return f"the likely cause is a learning rate ({rate:.3g}) that is too large: try {remedy}"

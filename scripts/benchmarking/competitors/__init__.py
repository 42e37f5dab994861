"""The competitors, and what each must be able to do. The module of each is imported in its own process alone."""

from __future__ import annotations

import importlib.util
import shutil
from typing import Any, NamedTuple, Protocol

from benchmarking.work import Cell, Rows, Weights


class Competitor(NamedTuple):
    """`module` is one of this package; `library` is imported before anything else, so that it starts as for its users.

    `variant` is for the module. `tolerance` is what the losses of the first steps may be away from those in float64,
    relative to them (see `steps.wrong_losses`). Who `trains` must have losses, and the right ones.
    """

    name: str
    module: str
    library: str
    variant: str = ""
    tolerance: float = 3e-5
    trains: bool = True


OTHER_EPSILON = 3e-4
"""Adam of Keras and scikit-learn adds epsilon to sqrt(S) before, not after, the bias of S is corrected."""

STEPS = (
    Competitor("mlp", "with_mlp", "mlp"),
    Competitor("floor", "bare_products", "mlp", trains=False),
    Competitor("torch", "with_torch", "torch", "eager"),
    Competitor("torch fused", "with_torch", "torch", "fused"),
    Competitor("torch compile", "with_torch", "torch", "compile"),
    Competitor("jax", "with_jax", "jax"),
    Competitor("keras", "with_keras", "keras", tolerance=OTHER_EPSILON),
    Competitor("sklearn", "with_sklearn", "sklearn", tolerance=OTHER_EPSILON),
)

EPOCHS = (
    Competitor("mlp", "with_mlp", "mlp"),
    Competitor("floor", "bare_products", "mlp", trains=False),
    Competitor("torch DataLoader", "with_torch", "torch", "DataLoader"),
    Competitor("torch index", "with_torch", "torch", "index"),
    Competitor("jax", "with_jax", "jax"),
    Competitor("keras", "with_keras", "keras"),
    Competitor("sklearn", "with_sklearn", "sklearn"),
)


class Steps(Protocol):
    """The steps of one cell, after whatever has to be built or compiled.

    `reset()` goes back to the initial weights and an optimizer that has not begun; `step(i)` trains on minibatch i (of
    those that there are, over and over) and returns its loss, a number or what becomes one by `float` (None: there is
    none); `finish()` returns when all steps that were asked for are done.
    """

    def __init__(self, cell: Cell, weights: Weights, minibatches: list[Rows], variant: str) -> None: ...

    def reset(self) -> None: ...

    def step(self, i: int) -> Any: ...

    def finish(self) -> None: ...


class Epoch(Protocol):
    """`run()` trains for one more epoch with shuffling, in the library's usual loop, and returns the mean loss of it
    (None: there is none).

    The rows are in memory; what a program does once, such as making them tensors, is done before.
    """

    def __init__(self, cell: Cell, weights: Weights, rows: Rows, variant: str) -> None: ...

    def run(self) -> float | None: ...


def why_absent(competitor: Competitor) -> str | None:
    """Why a competitor cannot take part here, or None."""
    if importlib.util.find_spec(competitor.library) is None:
        return "not installed"
    if competitor.library == "keras" and keras_backend() is None:
        return "neither jax nor torch is installed"
    if competitor.variant == "compile" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        return "no C++ compiler"
    return None


def keras_backend() -> str | None:
    return next((name for name in ("jax", "torch") if importlib.util.find_spec(name)), None)

"""Note what works but may not do what was intended, and the likely cause of what diverged.

A note is one sentence, with the number and the next thing to try: `opening_advice` is for a run before its first epoch,
`closing_advice` for the best epoch's model. Notes about tables are in columns.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import ParamSpec

import numpy as np

from mlp.divergence import DivergedError
from mlp.evaluation import evaluate, sweep, targets
from mlp.experiments.advice import columns
from mlp.experiments.config import schema
from mlp.experiments.experiment import Experiment
from mlp.experiments.model import Model
from mlp.losses import NamedLoss
from mlp.tables import Table
from mlp.text import few, one_line, quoted
from mlp.types import Array, Data

FIRST_ROWS = 2000  # rows that the loss before training is measured on
DEAD = 0.75  # share of a layer's units that may be dead without a word
UNSCALED = 100.0  # standardized numbers are of size 1: one this large is an outlier, or was never scaled

P = ParamSpec("P")


def advice(notes: Callable[P, Iterator[str]]) -> Callable[P, list[str]]:
    """A list of the notes, a line each. Advice never ends a run: where it fails, that is the last note."""

    @wraps(notes)
    def collected(*args: P.args, **kwargs: P.kwargs) -> list[str]:
        found: list[str] = []
        try:
            with np.errstate(all="ignore"):
                found.extend(notes(*args, **kwargs))
        except Exception as error:
            found.append(f"no more advice, because of an unexpected {type(error).__name__}: {error}")
        return [one_line(note) for note in found]

    return collected


@advice
def opening_advice(experiment: Experiment, tables: Mapping[str, Table]) -> Iterator[str]:
    """Notes before training, about the tables as they were read and the network's initial weights."""
    config, target, train = experiment.loaded.config, experiment.model.target, tables["train"]
    coding, Y = experiment.model.coding, experiment.splits["train"][1]
    names, X = columns.uncoded(train, coding)
    constant = columns.constant_columns(X)
    yield from train.notes
    yield from columns.constant_targets(train, target)
    yield from columns.constant_inputs(names, X, constant, config.data)
    yield from columns.answers_among_inputs(train, names, X, Y, constant, target, config.data)
    yield from columns.many_levels(coding)
    yield from columns.new_in(tables, coding)
    yield from columns.odd_labels(target, experiment.class_counts())
    yield from columns.missing_classes(experiment.rows(), experiment.class_counts(), target, config.data)
    yield from columns.shared_rows(tables, coding, config.data)
    yield from first_loss(experiment)
    schedule, epochs, asked = config.training.schedule, config.training.epochs, config.training.batch_size
    end = getattr(schedule, "epochs", None)  # None where it follows training.epochs
    if end is not None and getattr(schedule, "floor", 0) == 0 and end < epochs:
        yield f"the learning rate is 0 after epoch {end:g} of {epochs} (training.schedule.epochs)"
    if asked > (rows := experiment.batch_size):
        yield f"training.batch_size {asked} is more than the {rows} training rows: clipped to {rows}"


@advice
def closing_advice(experiment: Experiment, model: Model) -> Iterator[str]:
    """Notes about a trained model: one forward pass over the training rows and one over the last split."""
    alive: dict[int, Array] = {}
    on_train = beaten(model, experiment.splits["train"], alive)
    yield from dead_units(experiment, alive)
    yield from no_better(experiment, model, on_train)


def first_loss(experiment: Experiment) -> Iterator[str]:
    """The loss before training, on up to FIRST_ROWS rows spread over the training rows, if it is far above chance.

    What chance is and what is far, the loss says, for rows without weights.
    """
    loss: NamedLoss = experiment.model.loss
    X, Y = experiment.splits["train"][:2]
    rows = np.linspace(0, len(X) - 1, min(len(X), FIRST_ROWS)).astype(np.intp)
    found = evaluate(experiment.model.network, loss, (X[rows], Y[rows]))["loss"]
    chance = loss.chance(Y[rows].T)
    if chance > 0 and not found <= loss.far * chance:  # nan is far
        hint = "a smaller initialization, such as network.output.initialization: zeros"
        for key in ("standardize_target", "standardize"):
            if not getattr(experiment.loaded.config.data, key):
                hint = f"data.{key}: true, or {hint}"
        yield f"the loss before training is {found:.4g}, far above {loss.chance_words} = {chance:.4g}: try {hint}"


def beaten(model: Model, data: Data, alive: dict[int, Array]) -> dict[str, str]:
    """The target columns where one prediction for all rows does as well or better, with both numbers.

    Where it is always right there is nothing to beat. `alive` is filled: for each layer, by its number from 0, which
    units have a slope other than 0 in some row.
    """
    X, Y = data[:2]
    decided, true = list[Array](), list[Array]()
    for rows, values in sweep(model.network, X, model.network.forward):
        F = values[-1].H
        decided.append(model.target.decide(model.loss.predict(F)))
        true.append(model.target.decide(targets(Y, rows, F)))
        for i, (layer, found) in enumerate(zip(model.network.layers, values, strict=True)):
            if hasattr(layer, "g"):
                alive[i] = alive.get(i, False) | (layer.g.slope(found.A, found.H) != 0).any(axis=1)
    answers = np.concatenate(true, axis=1)
    scores = model.target.column_scores(np.concatenate(decided, axis=1), answers)
    return {
        name: f"{quoted(name)}: {model.target.score} {scores[name]:.4g} against {best:.4g}"
        for name, best in model.target.baseline(answers).items()
        if scores[name] <= best < 1
    }


def dead_units(experiment: Experiment, alive: Mapping[int, Array]) -> Iterator[str]:
    """Hidden layers with more than a share DEAD of dead units; up to half may be dead in a network that works."""
    dead = {i: int((~units).sum()) for i, units in alive.items() if (~units).mean() > DEAD}
    if dead:
        items = [f"{count} of {len(alive[i])} in layer {i + 1}" for i, count in dead.items()]
        yield (
            f"dead units, whose slope is 0 in every training row, so that they learn no more: {few(items)}; try an "
            f"optimizer.learning_rate below {experiment.loaded.config.optimizer.learning_rate:g}, or "
            f"network.layers.{min(dead)}.activation: leaky_relu"
        )


def no_better(experiment: Experiment, model: Model, on_train: Mapping[str, str]) -> Iterator[str]:
    """Targets that the model predicts no better than one prediction for all rows of the last split, the test split if
    there is one. `on_train` has what is `beaten` on the training rows."""
    config, split = experiment.loaded.config, list(experiment.splits)[-1]
    data, layers, training = experiment.splits[split], config.network.layers, config.training
    found = on_train if split == "train" else beaten(model, data, {})
    if not found:
        return
    if not on_train.keys() & found.keys():
        units = ", fewer units in network.layers" if layers else ""
        hint = f"it does on the training rows, so try training.l2 above {training.l2:g}{units} or more rows"
    elif layers:
        rate = config.optimizer.learning_rate
        hint = f"try more training.epochs than {training.epochs}, or an optimizer.learning_rate other than {rate:g}"
    else:
        hint = "try a hidden layer in network.layers"
    these = few(list(found.values()))
    yield f"on the {len(data[0])} {split} rows the model does not beat {model.target.constant} ({these}): {hint}"


def likely_cause(config: schema.Config, error: DivergedError) -> str:
    """Why a run diverged: inputs or targets that are far from size 1, otherwise the learning rate; with what to try."""
    numbers = (
        ("an input", error.largest_input, "standardize"),
        ("a target", error.largest_target, "standardize_target"),
    )
    what, size, key = max(numbers, key=lambda each: 0.0 if math.isnan(each[1]) else each[1])
    if size > UNSCALED:
        if not getattr(config.data, key):
            return f"the likely cause is {what} of {size:.3g}, not scaled: try data.{key}: true"
        return f"the likely cause is {what} that is {size:.3g} standard deviations off: look for an outlier in the data"
    if error.place in ("the inputs", "the targets"):
        return f"the likely cause is a data file that was changed while it was in use: {error.place} are not all finite"
    own, rate = config.optimizer.learning_rate, error.learning_rate
    if config.training.l2 > max(own, 1 / own):
        return f"the likely cause is training.l2 ({config.training.l2:.3g}): a step takes more than the weight away"
    if rate > 2 * own:
        return f"the likely cause is training.schedule, which has raised the learning rate from {own:.3g} to {rate:.3g}"
    remedy = f"optimizer.learning_rate: {config.optimizer.learning_rate / 10:.2g}"
    if not config.training.clip:
        remedy += ", or training.clip: 1"
    return f"the likely cause is a learning rate ({error.learning_rate:.3g}) that is too large: try {remedy}"

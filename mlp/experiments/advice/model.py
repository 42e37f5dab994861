"""What works, and is perhaps not what was meant: one sentence each, with the number and the next thing to try.

`opening_advice` is for a run before its first epoch, `closing_advice` for the best epoch's model. Each note is a
generator of sentences that yields none where there is nothing to say; those about tables are in table_advice.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from mlp.evaluation import evaluate
from mlp.experiments.advice import columns as table_advice
from mlp.experiments.advice.columns import constant_columns
from mlp.experiments.experiment import Prepared
from mlp.experiments.model import Model
from mlp.metrics import r2
from mlp.minibatches import batches, minibatch
from mlp.tables import Table
from mlp.tables.columns import Scaler
from mlp.tables.targets import Quantities, Target
from mlp.text import few, one_line, quoted
from mlp.types import Array, Data

FAR = {"squared_error": 100.0, "logistic_cross_entropy": 5.0, "softmax_cross_entropy": 5.0}  # times chance
FIRST_ROWS = 2000  # rows that the loss before training is measured on
SILENT = 0.75  # share of a layer's units that may be 0 in every training row without a word


def opening_advice(prepared: Prepared, tables: Mapping[str, Table]) -> list[str]:
    """What can be said before training, of the tables as they were read and of the network's initial weights."""
    data, target, train = prepared.loaded.config.data, prepared.model.target, tables["train"]
    constant = constant_columns(train.X)
    notes = (
        *table_advice.constant_targets(train, target),
        *table_advice.constant_inputs(train, constant, data),
        *table_advice.repeated_inputs(train, constant, data),
        *table_advice.answers_among_inputs(train, prepared.splits["train"][1], constant, target, data),
        *table_advice.missing_classes(prepared.rows(), prepared.class_counts(), target, data),
        *table_advice.shared_rows(tables, data),
        *first_loss(prepared),
        *rate_of_zero(prepared),
        *clipped_batch(prepared),
    )
    return [one_line(note) for note in notes]


def closing_advice(prepared: Prepared, model: Model) -> list[str]:
    """What can be said of a trained model: one forward pass over the training rows and one over the last split."""
    with np.errstate(all="ignore"):
        active: list[Array] = []
        on_train = beaten_by_one_answer(model.target, predictions(model, prepared.splits["train"], active))
        notes = (*silent_units(prepared, model, active), *no_better(prepared, model, on_train))
    return [one_line(note) for note in notes]


def first_loss(prepared: Prepared) -> Iterator[str]:
    """The loss before training, on up to FIRST_ROWS rows spread over the training rows, if it is far above chance.

    Chance is log K for a softmax over K classes, K log 2 for K logistic outputs and, for the squared error, half the
    variance of the targets, summed over columns: what a model gets that knows nothing but the mean. Far is not finite,
    or more than FAR times chance: outputs s times too large cost about s times chance in a cross-entropy, which grows
    like its logits, and s^2 times in the squared error.

    Measured over seeds 0 to 19 of each shipped config, the loss is at most 2.1 times chance for a cross-entropy and
    15.3 times for the squared error. With {normal: 5} for the output layer it is 13 to 64 times (digits, spirals) and
    104 to 8900 times (sine, diabetes). Hidden units that saturate, such as tanh of inputs in the hundreds, hide it.
    """
    X, Y = prepared.splits["train"]
    rows = np.linspace(0, len(X) - 1, min(len(X), FIRST_ROWS)).astype(np.intp)
    loss, chance, words = start(prepared.model, (X[rows], Y[rows]))
    if chance > 0 and is_far(prepared.model, loss, chance):
        try_this = first_loss_remedy(prepared, (X[rows], Y[rows]))
        yield f"the loss before training is {loss:.4g}, far above {words} {chance:.4g}: try {try_this}"


def start(model: Model, data: Data) -> tuple[float, float, str]:
    """The loss of the model, that of knowing nothing, and the words that go before the latter."""
    loss = evaluate(model.network, model.loss, data)["loss"]
    K = model.target.size
    if model.loss.name == "softmax_cross_entropy":
        return loss, math.log(K), f"chance, log {K} ="
    if model.loss.name == "logistic_cross_entropy":
        return loss, K * math.log(2), "chance, log 2 =" if K == 1 else f"chance, {K} log 2 ="
    return loss, float(data[1][:].var(axis=0, dtype=np.float64).sum()) / 2, "half the variance of the targets,"


def is_far(model: Model, loss: float, chance: float) -> bool:
    return not loss <= FAR[model.loss.name] * chance  # nan is far


def first_loss_remedy(prepared: Prepared, data: Data) -> str:
    """Standardizing, if it is off and would do; else the layer whose outputs are largest relative to its inputs."""
    config, model = prepared.loaded.config, prepared.model
    if not config.data.standardize:
        X, Y = data
        Z = Scaler.fit(X, model.inputs).transform(X[:])
        T = Scaler.fit(Y, model.target.names).transform(Y[:]) if isinstance(model.target, Quantities) else Y
        loss, chance, _ = start(model, (Z, T))
        if not is_far(model, loss, chance):
            return "data.standardize: true"
    with np.errstate(all="ignore"):
        values = model.network.forward(minibatch(data, slice(None), model.network.theta.dtype)[0])
        gains = [root_mean_square(layer.H) / root_mean_square(layer.H_in) for layer in values]
    largest = int(np.argmax(gains))
    hidden = config.network.layers
    if largest < len(hidden) and getattr(hidden[largest], "initialization", None) is not None:
        return f"a smaller network.layers.{largest}.initialization"
    return "a smaller initialization, such as network.output.initialization: zeros"


def root_mean_square(H: Array) -> float:
    return float(np.sqrt(np.mean(np.square(H, dtype=np.float64))))


def rate_of_zero(prepared: Prepared) -> Iterator[str]:
    training = prepared.loaded.config.training
    schedule, epochs = training.schedule, training.epochs
    if schedule.name == "cosine" and schedule.floor == 0 and schedule.epochs < epochs:
        yield f"the learning rate is 0 after epoch {schedule.epochs:g} of {epochs} (training.schedule.epochs)"


def clipped_batch(prepared: Prepared) -> Iterator[str]:
    asked = prepared.loaded.config.training.batch_size
    if asked > prepared.batch_size:
        rows = prepared.batch_size
        yield f"training.batch_size {asked} is more than the {rows} training rows: clipped to {rows}"


def predictions(model: Model, data: Data, active: list[Array]) -> Iterator[tuple[Array, Array]]:
    """P and Y (both K x B) for all rows, batch by batch.

    `active` is filled: for each layer, whether each unit is ever other than 0.
    """
    for rows in batches(len(data[0])):
        H, Y = minibatch(data, rows, model.network.theta.dtype)
        for i, layer in enumerate(model.network.layers):
            H = layer.forward(H).H
            here = (H != 0).any(axis=1)
            active[i:] = [active[i] | here if i < len(active) else here, *active[i + 1 :]]
        yield model.loss.predict(H), Y


def silent_units(prepared: Prepared, model: Model, active: list[Array]) -> Iterator[str]:
    """Layers of which more than SILENT of the relu units are 0 in every training row: no gradient reaches them again.

    A working network may have many. Measured over seeds 0 to 19, digits has at most 2 % of a layer, and up to half of
    the second layer of spirals is silent at 100 % accuracy; with ten times the learning rate of spirals (0.1), or
    with 1 for digits without a clip, it is 94 % and more, and the accuracy suffers.
    """
    config, items, keys = prepared.loaded.config, [], []
    for i, layer in enumerate(config.network.layers):
        silent = int((~active[i]).sum())
        if getattr(layer, "activation", None) == "relu" and silent > SILENT * layer.units:
            items.append(f"{silent} of {layer.units} in layer {i + 1}")
            keys.append(f"network.layers.{i}.activation")
    if items:
        yield (
            f"relu units that are 0 in every training row and learn no more: {few(items)}; "
            f"try an optimizer.learning_rate below {config.optimizer.learning_rate:g}, or {keys[0]}: leaky_relu"
        )


def no_better(prepared: Prepared, model: Model, on_train: Mapping[str, str]) -> Iterator[str]:
    """Targets that the model tells no better than one answer for all rows of the last split: test, if there is one.

    That answer is the split's most frequent class or its mean, and to be no better is to have no higher accuracy, or
    an R^2 of 0 or less. `on_train` has those of the training rows.
    """
    config, split = prepared.loaded.config, list(prepared.splits)[-1]
    data = prepared.splits[split]
    found = on_train if split == "train" else beaten_by_one_answer(model.target, predictions(model, data, []))
    if not found:
        return
    layers, training = config.network.layers, config.training
    if not on_train.keys() & found.keys():
        units = ", fewer units in network.layers" if layers else ""
        hint = f"it does on the training rows, so try training.l2 above {training.l2:g}{units} or more rows"
    elif layers:
        rate = config.optimizer.learning_rate
        hint = f"try more training.epochs than {training.epochs}, or an optimizer.learning_rate other than {rate:g}"
    else:
        hint = "try a hidden layer in network.layers"
    answer = "the mean" if isinstance(model.target, Quantities) else "the most frequent class"
    yield f"on the {len(data[0])} {split} rows the model does not beat {answer} ({few(list(found.values()))}): {hint}"


def beaten_by_one_answer(target: Target, predicted: Iterable[tuple[Array, Array]]) -> Mapping[str, str]:
    """The target columns where one answer does as well or better, with both numbers; not where it is always right."""
    if isinstance(target, Quantities):
        P, Y = (np.concatenate(parts, axis=1).astype(np.float64) for parts in zip(*predicted, strict=True))
        scores = {name: r2(P[[k]], Y[[k]]) for k, name in enumerate(target.names)}
        return {name: f"{quoted(name)}: R^2 {score:.4g} against 0" for name, score in scores.items() if score <= 0}
    N, right, counts = 0, dict.fromkeys(target.names, 0), dict.fromkeys(target.names, np.zeros(1, int))
    for P, Y in predicted:
        N += Y.shape[1]
        for name, hits in target.right(P, Y).items():
            right[name] += hits
        for name, found in target.class_counts(Y).items():
            counts[name] = counts[name] + found
    return {
        name: f"{quoted(name)}: accuracy {right[name] / N:.4g} against {most / N:.4g}"
        for name in target.names
        if right[name] <= (most := counts[name].max()) < N
    }

"""Keras, on JAX where that is installed and else on PyTorch: `train_on_batch` for a step, `fit` for an epoch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from benchmarking.work import BETA1, BETA2, EPSILON, MOMENTUM, Cell, Rows, Weights


def make_model(cell: Cell, weights: Weights) -> Any:
    *hidden, classes = cell.sizes[1:]
    layers = [keras.layers.Dense(size, activation="relu") for size in hidden]
    model = keras.Sequential([keras.Input((cell.sizes[0],)), *layers, keras.layers.Dense(classes)])
    optimizer = (
        keras.optimizers.SGD(cell.learning_rate, momentum=MOMENTUM)
        if cell.optimizer == "sgd"
        else keras.optimizers.Adam(cell.learning_rate, beta_1=BETA1, beta_2=BETA2, epsilon=EPSILON)
    )
    model.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.set_weights([array for W, b in weights for array in (W.T, b[:, 0])])
    return model


class Steps:
    def __init__(self, cell: Cell, weights: Weights, minibatches: list[Rows], variant: str) -> None:
        self.model, self.minibatches = make_model(cell, weights), minibatches
        self.model.optimizer.build(self.model.trainable_variables)
        variables = [*self.model.trainable_variables, *self.model.optimizer.variables]
        self.initial = [(variable, np.array(variable)) for variable in variables]
        self.step(0)  # compiles
        self.finish()

    def reset(self) -> None:
        self.finish()
        for variable, value in self.initial:
            variable.assign(value)

    def step(self, i: int) -> Any:
        return self.model.train_on_batch(*self.minibatches[i % len(self.minibatches)])

    def finish(self) -> None:
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()


class Epoch:
    def __init__(self, cell: Cell, weights: Weights, rows: Rows, variant: str) -> None:
        self.model, self.rows, self.batch = make_model(cell, weights), rows, cell.batch

    def run(self) -> float:
        history = self.model.fit(*self.rows, batch_size=self.batch, epochs=1, shuffle=True, verbose=0)
        return float(history.history["loss"][0])


def describe() -> str:
    return f"Keras {keras.__version__} on {keras.backend.backend()}"

"""JAX: one jitted function for the whole step, parameters and optimizer state as pytrees whose buffers it may reuse.

The optimizers are written out, as fast as XLA makes them. Steps are sent off without waiting for the loss.
"""

from __future__ import annotations

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarking.work import BETA1, BETA2, EPSILON, MOMENTUM, Cell, Rows, Weights, one_hot

tree_map = jax.tree_util.tree_map


def loss_of(parameters: Any, X: Any, Y: Any) -> Any:
    H = X
    for W, b in parameters[:-1]:
        H = jax.nn.relu(H @ W + b)
    W, b = parameters[-1]
    return -jnp.mean(jnp.sum(Y * jax.nn.log_softmax(H @ W + b), axis=1))


def make_update(cell: Cell) -> Any:
    """(parameters, state, X, Y) -> (parameters, state, loss)."""
    rate = cell.learning_rate

    def momentum(parameters: Any, V: Any, X: Any, Y: Any) -> Any:
        loss, bars = jax.value_and_grad(loss_of)(parameters, X, Y)
        V = tree_map(lambda v, bar: MOMENTUM * v + bar, V, bars)
        return tree_map(lambda w, v: w - rate * v, parameters, V), V, loss

    def adam(parameters: Any, state: Any, X: Any, Y: Any) -> Any:
        loss, bars = jax.value_and_grad(loss_of)(parameters, X, Y)
        M, S, t = state
        t = t + 1
        M = tree_map(lambda m, bar: BETA1 * m + (1 - BETA1) * bar, M, bars)
        S = tree_map(lambda s, bar: BETA2 * s + (1 - BETA2) * bar * bar, S, bars)
        rate_t, correction = rate / (1 - BETA1**t), 1 - BETA2**t
        parameters = tree_map(lambda w, m, s: w - rate_t * m / (jnp.sqrt(s / correction) + EPSILON), parameters, M, S)
        return parameters, (M, S, t), loss

    return jax.jit(momentum if cell.optimizer == "sgd" else adam, donate_argnums=(0, 1))


class Steps:
    def __init__(self, cell: Cell, weights: Weights, minibatches: list[Rows], variant: str) -> None:
        self.cell, self.weights = cell, weights
        self.minibatches = [
            (jnp.asarray(X), jnp.asarray(one_hot(classes, cell.sizes[-1]))) for X, classes in minibatches
        ]
        self.update = make_update(cell)
        self.reset()
        self.step(0)  # compiles
        self.finish()

    def reset(self) -> None:
        self.parameters = [(jnp.array(W.T), jnp.array(b.T)) for W, b in self.weights]
        zeros = [tree_map(jnp.zeros_like, self.parameters) for _ in range(2)]
        self.state = zeros[0] if self.cell.optimizer == "sgd" else (*zeros, jnp.zeros((), jnp.float32))
        self.finish()

    def step(self, i: int) -> Any:
        X, Y = self.minibatches[i % len(self.minibatches)]
        self.parameters, self.state, loss = self.update(self.parameters, self.state, X, Y)
        return loss

    def finish(self) -> None:
        jax.block_until_ready((self.parameters, self.state))


class Epoch:
    """Minibatches are cut by NumPy, as JAX's own tutorials do; the shorter last one is compiled once as well."""

    def __init__(self, cell: Cell, weights: Weights, rows: Rows, variant: str) -> None:
        X, classes = rows
        self.X, self.Y = X, one_hot(classes, cell.sizes[-1])
        self.steps = Steps(cell, weights, [(X[: cell.batch], classes[: cell.batch])], variant)
        self.steps.reset()
        self.batch, self.rng = cell.batch, np.random.default_rng(3)

    def run(self) -> float:
        steps, losses = self.steps, []
        order = self.rng.permutation(len(self.X))
        for start in range(0, len(order), self.batch):
            rows = order[start : start + self.batch]
            steps.parameters, steps.state, loss = steps.update(
                steps.parameters, steps.state, self.X[rows], self.Y[rows]
            )
            losses.append((len(rows), loss))
        steps.finish()
        return sum(count * float(loss) for count, loss in losses) / len(self.X)


def describe() -> str:
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"JAX {jax.__version__}, XLA, {threads} processors to use"

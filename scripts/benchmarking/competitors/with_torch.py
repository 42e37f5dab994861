"""PyTorch: eager with the default optimizer, eager with the fused one, compiled; an epoch by DataLoader or by index.

The loss is computed and not read at each step. "compile" compiles model and loss, and so their backward pass, with
`torch.compile`, and takes the fused optimizer: a compiled step of the optimizer was no faster, nor was all in one.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from benchmarking.work import BETA1, BETA2, EPSILON, MOMENTUM, Cell, Rows, Weights

torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else torch.get_num_threads())


def make_model(weights: Weights) -> Any:
    parts = []
    for W, _ in weights:
        parts += [torch.nn.Linear(W.shape[1], W.shape[0]), torch.nn.ReLU()]
    model = torch.nn.Sequential(*parts[:-1])
    load(model, weights)
    return model


def load(model: Any, weights: Weights) -> None:
    arrays = [array for W, b in weights for array in (W, b[:, 0])]
    with torch.no_grad():
        for parameter, array in zip(model.parameters(), arrays, strict=True):
            parameter.copy_(torch.from_numpy(array))


def make_optimizer(model: Any, cell: Cell, fused: bool) -> Any:
    options = {"lr": cell.learning_rate, **({"fused": True} if fused else {})}
    if cell.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), momentum=MOMENTUM, **options)
    return torch.optim.Adam(model.parameters(), betas=(BETA1, BETA2), eps=EPSILON, **options)


class Steps:
    def __init__(self, cell: Cell, weights: Weights, minibatches: list[Rows], variant: str) -> None:
        self.weights, self.model = weights, make_model(weights)
        self.minibatches = [(torch.from_numpy(X), torch.from_numpy(classes)) for X, classes in minibatches]
        self.optimizer = make_optimizer(self.model, cell, fused=variant in ("fused", "compile"))
        self.loss = self.model_and_loss
        if variant == "compile":
            torch.compiler.reset()  # forgets other cells, so that this one is not compiled for changing shapes
            self.loss = torch.compile(self.model_and_loss)
        self.step(0)  # compiles, and makes the optimizer's state, so that a reset has something to set to zero

    def model_and_loss(self, X: Any, classes: Any) -> Any:
        return cross_entropy(self.model(X), classes)

    def reset(self) -> None:
        load(self.model, self.weights)
        for state in self.optimizer.state.values():
            for tensor in state.values():
                tensor.zero_()

    def step(self, i: int) -> Any:
        X, classes = self.minibatches[i % len(self.minibatches)]
        self.optimizer.zero_grad()
        loss = self.loss(X, classes)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def finish(self) -> None:
        """A step returns when it is done."""


class Epoch:
    def __init__(self, cell: Cell, weights: Weights, rows: Rows, variant: str) -> None:
        self.batch, self.model = cell.batch, make_model(weights)
        self.optimizer = make_optimizer(self.model, cell, fused=False)
        self.X, self.classes = map(torch.from_numpy, rows)
        torch.manual_seed(3)
        self.run = self.by_data_loader if variant == "DataLoader" else self.by_index
        dataset = torch.utils.data.TensorDataset(self.X, self.classes)
        self.loader = torch.utils.data.DataLoader(dataset, batch_size=cell.batch, shuffle=True)

    def train(self, X: Any, classes: Any) -> float:
        self.optimizer.zero_grad()
        loss = cross_entropy(self.model(X), classes)
        loss.backward()
        self.optimizer.step()
        return float(loss.item()) * len(X)

    def by_data_loader(self) -> float:
        return sum(self.train(X, classes) for X, classes in self.loader) / len(self.X)

    def by_index(self) -> float:
        order = torch.randperm(len(self.X))
        return sum(self.train(self.X[rows], self.classes[rows]) for rows in order.split(self.batch)) / len(self.X)


def describe() -> str:
    capability = torch.backends.cpu.get_cpu_capability()
    return f"PyTorch {torch.__version__}, {capability} kernels, {torch.get_num_threads()} threads"

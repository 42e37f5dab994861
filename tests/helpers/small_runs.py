"""A small problem in the working directory, and what must be the same of two runs on it."""

from pathlib import Path

import numpy as np

SGD = "{name: sgd, learning_rate: 0.1, momentum: 0.9, nesterov: true}"
ADAM = "{name: adam, learning_rate: 0.01, weight_decay: 0.01}"
COSINE = "{name: cosine, epochs: 12, warm_up: 2.5}"
ALL_AT_ONCE = f"early_stopping: {{patience: 6}}, train_loss: epoch_end, schedule: {COSINE}"


def write_problem(optimizer=SGD, extra="", epochs=12):
    """60 rows of three inputs and two classes; an epoch is five minibatches, the last one short. Returns the config."""
    X = np.random.default_rng(0).normal(size=(60, 3))
    rows = [f"{a:.6f},{b:.6f},{c:.6f},{'yes' if a * b > 0 else 'no'}" for a, b, c in X]
    Path("table.csv").write_text("a,b,c,answer\n" + "\n".join(rows) + "\n")
    Path("small.yaml").write_text(
        "data: {path: table.csv, target: answer, split: {valid: 0.2, test: 0.2}}\n"
        "task: classification\n"
        "network: {layers: [{units: 7, activation: tanh}, {units: 5}]}\n"
        f"optimizer: {optimizer}\n"
        f"training: {{epochs: {epochs}, batch_size: 8, seed: 3, l2: 1e-3, clip: 2, {extra}}}\n"
    )
    return "small.yaml"


def outcome(folder):
    """Everything that must not depend on interruptions, byte for byte: the final state, the model, the metrics."""
    return {name: (Path(folder) / name).read_bytes() for name in ("last.npz", "model.npz", "metrics.csv")}


def assert_same(one, other):
    for name, content in outcome(one).items():
        assert content == outcome(other)[name], name

"""What the package offers by `import mlp`, all of it (see `mlp/__init__.py` for when it is loaded)."""

from mlp.activations import ACTIVATIONS, Activation
from mlp.divergence import DivergedError
from mlp.evaluation import evaluate
from mlp.layers import Layer, LayerBars, LayerValues
from mlp.losses import L2Penalty, LogisticCrossEntropy, SoftmaxCrossEntropy, SquaredError
from mlp.network import Network
from mlp.optimizers import SGD, Adam
from mlp.progress import EpochRecord, MinibatchRecord, Progress, UnfinishedEpoch
from mlp.training import Training, train

__all__ = [
    "ACTIVATIONS",
    "SGD",
    "Activation",
    "Adam",
    "DivergedError",
    "EpochRecord",
    "L2Penalty",
    "Layer",
    "LayerBars",
    "LayerValues",
    "LogisticCrossEntropy",
    "MinibatchRecord",
    "Network",
    "Progress",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "Training",
    "UnfinishedEpoch",
    "evaluate",
    "train",
]

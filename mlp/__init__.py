"""A minimal feedforward neural-network trainer: the note's equations as code, from one layer to a trained network."""

from mlp.activations import ACTIVATIONS, Activation
from mlp.divergence import DivergedError
from mlp.evaluation import evaluate
from mlp.layers import Layer, LayerBars, LayerValues
from mlp.losses import LogisticCrossEntropy, SoftmaxCrossEntropy, SquaredError
from mlp.network import Network
from mlp.optimizers import SGD, Adam
from mlp.penalties import L2Penalty
from mlp.records import EpochRecord, MinibatchRecord, Progress, UnfinishedEpoch
from mlp.training import Training, train

__version__ = "0.1.0"

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

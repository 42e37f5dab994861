"""Offer the layers, a file each; `LAYERS` is the table that configs and model files know them by.

A class of the table is keyed by the key that marks it in a config, `{units: 64, activation: relu}`. It has two
constructors: `from_config(n_in, maker, <the keys of the mapping>)`, whose annotations say what the keys may be, and
`from_header(arrays, <the keys of its header()>)` for model files.
"""

from mlp.layers.batch_norm import BatchNorm
from mlp.layers.dense import Layer, LayerBars, LayerValues
from mlp.layers.dropout import Dropout
from mlp.layers.embedding import Embedding
from mlp.layers.gain import Gain
from mlp.layers.layer_norm import LayerNorm
from mlp.layers.mix import Mix
from mlp.layers.periodic import Periodic
from mlp.layers.recompute import Recompute
from mlp.layers.residual import Residual
from mlp.layers.reversible import Coupling, Reversible
from mlp.layers.table import LAYERS

LAYERS |= {
    "units": Layer,
    "gain": Gain,
    "mix": Mix,
    "layer_norm": LayerNorm,
    "batch_norm": BatchNorm,
    "dropout": Dropout,
    "periodic": Periodic,
    "embedding": Embedding,
    "residual": Residual,
    "recompute": Recompute,
}

__all__ = [
    "LAYERS",
    "BatchNorm",
    "Coupling",
    "Dropout",
    "Embedding",
    "Gain",
    "Layer",
    "LayerBars",
    "LayerNorm",
    "LayerValues",
    "Mix",
    "Periodic",
    "Recompute",
    "Residual",
    "Reversible",
]

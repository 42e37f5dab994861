"""Layers: one file each."""

from mlp.layers.dense import Layer, LayerBars, LayerValues
from mlp.layers.reversible import Coupling, Reversible

__all__ = ["Coupling", "Layer", "LayerBars", "LayerValues", "Reversible"]

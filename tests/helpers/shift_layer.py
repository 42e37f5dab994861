"""A layer that is not ours, for networks of several kinds of layers."""

from types import SimpleNamespace

import numpy as np


class Shift:
    """H = H_in + shift, a layer that is not ours: its values and bars are plain objects."""

    parameters = ("shift",)
    penalized = ()

    def __init__(self, size):
        self.shift = np.linspace(-1, 1, size)[:, None]

    def forward(self, H_in):
        return SimpleNamespace(H=H_in + self.shift)

    def backward(self, values, H_bar, *, input_bar=True):
        return SimpleNamespace(shift_bar=H_bar.sum(axis=1, keepdims=True), H_in_bar=H_bar)

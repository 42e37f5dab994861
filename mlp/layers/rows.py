"""Check the shapes of what a layer with as many outputs as inputs is given."""

from __future__ import annotations

from mlp.types import Array


def column(array: Array, name: str) -> Array:
    """The array itself. Raises ValueError unless it is K x 1."""
    if array.ndim != 2 or array.shape[1] != 1 or not array.size:
        raise ValueError(f"{name} has shape {array.shape}, expected (K, 1): a column, because columns are examples")
    return array


def check_rows(H: Array, K: int) -> None:
    """Raises ValueError unless H is K x B."""
    if H.ndim != 2 or H.shape[0] != K:
        raise ValueError(f"got an array of shape {H.shape}, expected ({K}, B): columns are examples")

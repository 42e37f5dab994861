"""The squared error of class probabilities."""

from __future__ import annotations

from mlp.losses.cross_entropies import OfSoftmax, softmax
from mlp.losses.loss import Termwise, check_shapes
from mlp.types import Array


class Brier(OfSoftmax, Termwise):
    """c = 1/(2B) sum_b sum_k (P_kb - Y_kb)^2 with P = softmax(F): half the Brier score of K exclusive classes.

    The element-wise rule and softmax's own, with R = P - Y: F_bar = P * (R - sum_k P_k R_k) / B. Like the
    cross-entropy it is least where P is right (Brier 1950), but an example costs at most 1, however wrong: labels that
    are mistakes count for less. `predict` gives P. Raises ValueError when F and Y are not of one shape K x B, or when
    K = 1.
    """

    name = "brier"
    task, target = "classification", "multiclass"
    unit = "half the Brier score"
    chance_words = "chance, (1 - 1/K) / 2"
    far = 2.5  # it is never above 1

    def chance(self, Y: Array) -> float:
        """(1 - 1/K) / 2: what the probability 1/K for each class costs."""
        return (1 - 1 / len(Y)) / 2

    def terms(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y)
        R = softmax(F) - Y
        return R * R / 2

    def seed(self, F: Array, Y: Array) -> Array:
        check_shapes(F, Y)
        P = softmax(F)
        R = P - Y
        return P * (R - (P * R).sum(axis=0)) / F.shape[1]

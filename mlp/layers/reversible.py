"""Rebuild the inputs of reversible layers from their outputs on the way down, and store nothing on the way up.

Footnote 3 of the note names two ways to save the memory of reverse mode. Computing values again from kept inputs
("check-pointing") is `mlp.layers.recompute`; "recomputing the inputs of reversible operations from their outputs" is
this file:

    stack = Reversible([Coupling(m1), Coupling(m2, swap=True), Coupling(m3), ...])
    network = Network([first, stack, last])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from mlp.arguments import check_argument, check_array, wrong
from mlp.layers.around import Around, sizes
from mlp.layers.rows import check_bar
from mlp.shown import shown
from mlp.stack import Stack, put_bars
from mlp.types import Array


@shown
class CouplingValues(NamedTuple):
    """The values that `Coupling.forward` computed: `m` holds the values of the layers of m, `H` is K x B."""

    m: list[Any]
    H: Array


class Coupling(Around):
    """An additive coupling layer (Dinh, Krueger and Bengio 2015, "NICE", sec. 3.2):

        H_in = (H1, H2),   H = (H1, H2 + m(H1)),   and back   H_in = (H1, H2 - m(H1)).

    H1 and H2 are the upper and the lower half of the K rows, or the other way round with `swap=True`: couplings one
    above the other take turns, or one half would never change. `m` is a layer or a Network from K/2 to K/2 rows, and
    need not be invertible itself. Its parameters are the coupling's: W of its first layer is `m1_W`.

    As a layer of a Network it stores its values like any other; in a `Reversible` it stores none.

    Raises ValueError when m has not as many outputs as inputs, and for inputs whose rows have no halves.
    """

    def __init__(self, m: Any, *, swap: bool = False) -> None:
        check_argument("swap", bool, swap)
        super().__init__("m", Stack(m.layers if isinstance(m, Stack) else [m]))
        self.swap = swap
        n_in, n_out = sizes(self.inner.layers)
        if self.random:
            raise ValueError("dropout or batch_norm in m, whose inputs could not be rebuilt: put it outside")
        if n_in is not None and n_out is not None and n_in != n_out:
            raise ValueError(f"m has {n_in} inputs and {n_out} outputs, but a coupling adds m of one half to the other")
        self.n_in = self.n_out = None if n_in is None else 2 * n_in

    def __repr__(self) -> str:
        return f"Coupling({self.inner!r}, swap={self.swap})"

    def forward(self, H_in: Array) -> CouplingValues:
        """H = (H1, H2 + m(H1)), for H_in of shape K x B."""
        H1, H2 = self.halves(H_in)
        m = self.m_values(H1)
        return CouplingValues(m, self.whole(H1, H2 + m[-1].H))

    def rebuild(self, H: Array) -> tuple[Array, CouplingValues]:
        """H_in = (H1, H2 - m(H1)), and the values that `forward` would give for it, m being computed once for both."""
        H1, H2 = self.halves(H)
        m = self.m_values(H1)
        return self.whole(H1, H2 - m[-1].H), CouplingValues(m, H)

    def inverse(self, H: Array) -> Array:
        """H_in, K x B, from the output H. It is exact up to rounding, relative to the larger of H2 and m(H1)."""
        return self.rebuild(H)[0]

    def backward(
        self, values: CouplingValues, H_bar: Array, *, out: Mapping[str, Array] | None = None, input_bar: bool = True
    ) -> SimpleNamespace:
        """The bars of m's parameters, and H_in_bar, from H_bar = (H1_bar, H2_bar).

        The addition hands H2_bar to both of its terms, so m is swept from H2_bar; what comes out below m joins H1_bar,
        as H1 is used twice: H_in_bar = (H1_bar + what m hands down, H2_bar).
        """
        check_bar(values, CouplingValues, H_bar)
        out = self.room_for_bars(out, H_bar)
        H1_bar, H2_bar = self.halves(H_bar)
        below = self.inner_sweep(values.m, H2_bar, out, input_bar)
        return self.bars(out, self.whole(H1_bar + below, H2_bar) if below is not None else None)

    def halves(self, H: Array) -> tuple[Array, Array]:
        """H1 and H2: the half that m reads and the half that m is added to."""
        check_array("the H of a coupling", H)
        if H.ndim != 2 or len(H) % 2:
            raise ValueError(f"a coupling got shape {H.shape}, expected (K, B) with an even K: columns are examples")
        upper, lower = H[: len(H) // 2], H[len(H) // 2 :]
        return (lower, upper) if self.swap else (upper, lower)

    def whole(self, H1: Array, H2: Array) -> Array:
        return np.concatenate((H2, H1) if self.swap else (H1, H2))

    def m_values(self, H1: Array) -> list[Any]:
        values = self.inner.forward(H1)
        if values[-1].H.shape != H1.shape:  # or it would be broadcast
            raise ValueError(f"m made shape {values[-1].H.shape} from shape {H1.shape}: a coupling needs the same")
        return values


@shown
class ReversibleValues(NamedTuple):
    """All that a `Reversible` keeps: its output, which the layer above keeps as its input anyway."""

    H: Array


class Reversible(Around):
    """Couplings in order, lowest first, as one layer of a Network: a stack of any depth that stores its output alone.

    `backward` goes down the stack and rebuilds each coupling's input from its output just before it needs it (Gomez,
    Ren, Urtasun and Grosse 2017, algorithm 1), for the time of computing every m once more. W of the first layer of the
    third coupling's m is `c3_m1_W`.

    Inputs are rebuilt up to rounding, so the bars differ from those of stored values by an error that grows with depth,
    and faster the steeper m is. Relative, as measured for K = 32, B = 16 and a tanh layer with Glorot weights as m:

        couplings       8       32      128     512     2048
        float64         5e-16   4e-15   1e-13   3e-11   2e-6
        float32         3e-7    3e-6    8e-5    1e-2    useless

    With weights twice as large, 512 couplings leave 9e-8 in float64. `inverse(forward(X).H)` against X shows the error.

    Raises ValueError when there is no coupling, or when one does not fit the one below.
    """

    def __init__(self, couplings: Sequence[Coupling]) -> None:
        if not isinstance(couplings, (list, tuple)) or not all(isinstance(each, Coupling) for each in couplings):
            raise wrong("couplings", "a list of Coupling objects, such as [a, b]", couplings)
        super().__init__("c", Stack(couplings))
        self.couplings = list(couplings)
        self.n_in, self.n_out = sizes(self.couplings)

    def __repr__(self) -> str:
        return f"Reversible({self.couplings!r})"

    def forward(self, H_in: Array) -> ReversibleValues:
        """H, K x B, from H_in, K x B; no coupling's values are kept."""
        return ReversibleValues(self.inner(H_in))

    def inverse(self, H: Array) -> Array:
        """H_in, K x B, from the output H."""
        for coupling in reversed(self.couplings):
            H = coupling.inverse(H)
        return H

    def backward(
        self, values: ReversibleValues, H_bar: Array, *, out: Mapping[str, Array] | None = None, input_bar: bool = True
    ) -> SimpleNamespace:
        """The bars of all parameters, and H_in_bar, from H_bar and the output in `values`."""
        check_bar(values, ReversibleValues, H_bar)
        out = self.room_for_bars(out, H_bar)
        inner_parts, seen, H = self.inner_parts(out), set[int](), values.H
        for number in reversed(range(len(self.couplings))):
            coupling, parts = self.couplings[number], inner_parts[number]
            H, coupling_values = coupling.rebuild(H)
            first = id(coupling) not in seen
            seen.add(id(coupling))
            bars = coupling.backward(
                coupling_values, H_bar, out=parts if first else None, input_bar=input_bar or number > 0
            )
            put_bars(bars, parts, first)
            H_bar = bars.H_in_bar
        return self.bars(out, H_bar)

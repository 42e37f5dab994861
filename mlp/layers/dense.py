"""The dense layer of the note: A = W H + b 1^T, H = g(A), and the reverse-mode rules of both lines.

Columns are examples: a minibatch of B examples is a K x B matrix. `forward` returns the values that `backward`
needs and `backward` returns the bars; nothing is kept on the layer, so a call can be repeated and two can be in
flight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mlp.activations import ACTIVATIONS, Activation, ActivationName
from mlp.arguments import check_arguments, float_array, is_float_array, wrong
from mlp.initialization import Scheme, initial_weights
from mlp.layers.rows import Parameters, check_bar
from mlp.layers.table import Maker
from mlp.markup import Markup
from mlp.shown import array_html, shown
from mlp.types import Array, Count


@shown
class LayerValues(NamedTuple):
    """The values that `Layer.forward` computed: `H_in` is K_in x B, `A` and `H` are K_out x B."""

    H_in: Array
    A: Array
    H: Array


@shown
class LayerBars(NamedTuple):
    """dc/d(each quantity of the layer), each of that quantity's shape; `H_in_bar` is None if not asked for."""

    A_bar: Array
    b_bar: Array
    W_bar: Array
    H_in_bar: Array | None


class Layer(Parameters):
    """A dense layer: A = W H_in + b 1^T, then H = g(A) element by element (note, "feedforward networks").

    W is K_out x K_in, b is K_out x 1, and `activation` is an `Activation` or the name of one of ours. W and b are
    copied and keep their dtype (integers become float64), so that training never changes the arrays you passed in.

    Raises ValueError for a W that is not a matrix, a b that is not K_out x 1 (a `(K,)` bias would broadcast along the
    wrong axis when K == B), arrays that are not numbers, or an unknown activation.
    """

    parameters: ClassVar[tuple[str, ...]] = ("W", "b")
    """Names of the arrays that training changes; the bar of `W` is the field `W_bar` of what `backward` returns."""

    penalized: ClassVar[tuple[str, ...]] = ("W",)
    """Those among them that an L2 penalty and weight decay act on: weights, never biases."""

    def __init__(self, W: Any, b: Any, activation: str | Activation) -> None:
        self.W = float_array(W, "W")
        self.b = float_array(b, "b")
        self.g = find_activation(activation)
        if self.W.ndim != 2 or 0 in self.W.shape:
            raise ValueError(
                f"W has shape {self.W.shape}, expected a matrix (K_out, K_in): one row a unit of this layer, "
                "one column a unit of the layer below"
            )
        if self.b.shape != (self.n_out, 1):
            raise ValueError(
                f"b has shape {self.b.shape}, but W of shape {self.W.shape} needs b of shape "
                f"({self.n_out}, 1): b is a column because columns are examples"
                + (" (b[:, None] makes it one)" if self.b.shape == (self.n_out,) else "")
            )

    @property
    def n_in(self) -> int:
        return int(self.W.shape[1])

    @property
    def n_out(self) -> int:
        return int(self.W.shape[0])

    def __repr__(self) -> str:
        return f"Layer({self.n_in} -> {self.n_out}, {self.g.name}, {self.W.dtype})"

    @classmethod
    def initialize(
        cls,
        n_in: Count,
        n_out: Count,
        activation: str | Activation,
        *,
        rng: np.random.Generator,
        scheme: Scheme | None = None,
        bias: Scheme = "zeros",
        dtype: Any = np.float32,
    ) -> Layer:
        """A new layer with random W (K_out x K_in) drawn from `rng` by `scheme`, then b by `bias`.

        The schemes are in `initial_weights`; None takes the one that suits the activation (`Activation.scheme`:
        he_normal for relu and its relatives, glorot_uniform otherwise). Weights are drawn in float64 and then rounded
        to `dtype`, so one seed means the same network in every precision.
        """
        check_arguments(Layer.initialize, {"n_in": n_in, "n_out": n_out, "rng": rng})
        check_float_type(dtype)
        g = find_activation(activation)
        W = initial_weights(n_in, n_out, g.scheme if scheme is None else scheme, rng)
        b = initial_weights(1, n_out, bias, rng, name="bias")
        return cls(W.astype(dtype), b.astype(dtype), g)

    def _repr_html_(self) -> Markup:
        return array_html({"W": self.W, "b": self.b}, repr(self))

    def forward(self, H_in: Array) -> LayerValues:
        """A = W H_in + b 1^T and H = g(A), for H_in of shape K_in x B.

        Raises ValueError when H_in is not K_in x B.
        """
        if not is_float_array(H_in):
            H_in = float_array(H_in, "H_in")
        if H_in.ndim != 2 or H_in.shape[0] != self.n_in:
            turned = H_in.ndim == 2 and H_in.shape[1] == self.n_in
            raise ValueError(
                f"the input H_in has shape {H_in.shape}, but W of shape {self.W.shape} needs ({self.n_in}, B): "
                "columns are examples" + (" (pass its transpose)" if turned else "")
            )
        A = self.W @ H_in + self.b  # A = W H + b 1^T
        return LayerValues(H_in, A, self.g(A))

    def backward(
        self, values: LayerValues, H_bar: Array, *, out: Mapping[str, Array] | None = None, input_bar: bool = True
    ) -> LayerBars:
        """The bars of everything in the layer from H_bar = dc/dH (note, "backpropagate these error signals").

        A_bar = g'(A) * H_bar,  b_bar = A_bar 1,  W_bar = A_bar H_in^T,  H_in_bar = W^T A_bar.

        Sums over the minibatch, with no factor of its own: the 1/B is in the seed that the loss started from. With
        `out`, b_bar and W_bar are written into its arrays "b" and "W". `input_bar=False` leaves out H_in_bar, a whole
        matrix product that the lowest layer does not need. Raises ValueError when H_bar has not the shape of values.H,
        and, without `out`, when W or b has changed since `forward`.
        """
        check_bar(values, LayerValues, H_bar)
        if out is None:
            self.check_unchanged(values)
        into = {} if out is None else out
        A_bar = self.g.slope(values.A, values.H) * H_bar  # element-wise rule
        ones = np.ones((A_bar.shape[1], 1), A_bar.dtype)
        b_bar = np.matmul(A_bar, ones, out=into.get("b"))  # A_bar 1, a sum over the minibatch
        W_bar = np.matmul(A_bar, values.H_in.T, out=into.get("W"))  # product rule
        H_in_bar = self.W.T @ A_bar if input_bar else None  # what the layer below is told
        return LayerBars(A_bar, b_bar, W_bar, H_in_bar)

    def check_unchanged(self, values: LayerValues) -> None:
        """Raises ValueError when A is not W H_in + b 1^T any more: something has changed since `forward`.

        It costs a product, so training leaves it out; so does a class of your own, which may compute another A.
        Rounding may differ from call to call, by some K_in eps.
        """
        if type(self) is not Layer or not isinstance(values, LayerValues):
            return
        if (len(values.A), len(values.H_in)) != self.W.shape:
            raise ValueError(f"the values are of shapes {values.A.shape} and {values.H_in.shape}, not of {self!r}")
        with np.errstate(all="ignore"):
            off = np.abs(self.W @ values.H_in + self.b - values.A)
            size = np.abs(self.W) @ np.abs(values.H_in) + np.abs(self.b)
            changed = (off > 2 * (self.n_in + 1) * np.finfo(values.A.dtype).eps * size).any()
        if changed:
            raise ValueError(f"{self!r}: W, b or an array of the values has changed since forward: call forward again")

    @classmethod
    def from_config(
        cls,
        n_in: int,
        maker: Maker,
        /,
        units: Count,
        activation: ActivationName = "relu",
        initialization: Scheme | None = None,
        bias: Scheme = "zeros",
    ) -> Layer:
        """The layer of a config's entry `{units: 64, activation: relu, initialization: he_normal, bias: zeros}`."""
        return cls.initialize(
            n_in, units, activation, rng=maker.rng, scheme=initialization, bias=bias, dtype=maker.dtype
        )

    def header(self) -> dict[str, Any]:
        """The layer without its arrays, for a model file."""
        return {"n_in": self.n_in, "n_out": self.n_out, "activation": self.g.name}

    @classmethod
    def from_header(
        cls, arrays: Mapping[str, Array], /, n_in: Count, n_out: Count, activation: ActivationName
    ) -> Layer:
        """The layer with these arrays. Raises ValueError when they are not those of the header."""
        layer = cls(arrays["W"], arrays["b"], activation)
        if (layer.n_in, layer.n_out) != (n_in, n_out):
            raise ValueError(f"W has shape {layer.W.shape}, expected {(n_out, n_in)}")
        return layer


def find_activation(activation: str | Activation) -> Activation:
    """The activation of a name. Raises ValueError for an unknown one, TypeError for what is neither."""
    form = f"one of {', '.join(ACTIVATIONS)}, or an mlp.Activation of your own"
    if isinstance(activation, Activation):
        return activation
    if not isinstance(activation, str):
        raise wrong("activation", form, activation)
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be {form}, got {activation!r}")
    return ACTIVATIONS[activation]


def check_float_type(dtype: Any) -> None:
    """Raises TypeError for a dtype that is not one of real or complex floats."""
    try:
        kind = np.dtype(dtype).kind
    except TypeError:
        kind = "?"
    if dtype is None or kind not in "fc":
        raise wrong("dtype", "a type of floats such as np.float32", dtype)

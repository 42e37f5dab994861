"""Draw a layer's weights before the first step."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from mlp.arguments import check_argument, check_arguments, wrong
from mlp.types import Array, Count, Positive

Scheme = str | Mapping[str, float]


def initial_weights(
    n_in: Count, n_out: Count, scheme: Scheme, rng: np.random.Generator, *, name: str = "scheme"
) -> Array:
    """W (n_out x n_in, float64) drawn by a scheme: a name, or `{"uniform": r}` or `{"normal": s}`.

    Uniform on [-r, r] or normal with standard deviation s, where

    - glorot_uniform  r = sqrt(6 / (n_in + n_out)),  glorot_normal  s = sqrt(2 / (n_in + n_out))
      (Glorot and Bengio 2010, eq. 16 and 12);
    - he_uniform      r = sqrt(6 / n_in),            he_normal      s = sqrt(2 / n_in)
      (He, Zhang, Ren and Sun 2015, eq. 10);
    - lecun_uniform   r = sqrt(3 / n_in),            lecun_normal   s = sqrt(1 / n_in)
      (LeCun, Bottou, Orr and Mueller 1998, eq. 16);
    - zeros           W = 0 (for an output layer, or to see that hidden units then never differ).

    Raises ValueError for an unknown scheme or a scale that is not a positive finite number, with the argument's `name`.
    """
    check_arguments(initial_weights, {"n_in": n_in, "n_out": n_out, "rng": rng})
    if isinstance(scheme, str):
        if scheme == "zeros":
            return np.zeros((n_out, n_in))
        if scheme not in VARIANCES:
            raise ValueError(f"{name}: unknown scheme {scheme!r}, choose from {', '.join(SCHEMES)}")
        variance = VARIANCES[scheme](n_in, n_out)
        # A uniform distribution on [-r, r] has the variance r^2 / 3.
        kind, scale = (
            ("uniform", math.sqrt(3 * variance)) if scheme.endswith("uniform") else ("normal", math.sqrt(variance))
        )
    elif isinstance(scheme, Mapping) and list(scheme) in (["uniform"], ["normal"]):
        ((kind, scale),) = scheme.items()
        check_argument(f"{name}: the scale of {kind}", Positive, scale)
    else:
        raise wrong(name, f"{{'uniform': r}}, {{'normal': s}} or one of {', '.join(SCHEMES)}", scheme)
    if kind == "uniform":
        return rng.uniform(-scale, scale, (n_out, n_in))
    return rng.normal(0.0, scale, (n_out, n_in))


VARIANCES = {
    "glorot_uniform": lambda n_in, n_out: 2 / (n_in + n_out),
    "glorot_normal": lambda n_in, n_out: 2 / (n_in + n_out),
    "he_uniform": lambda n_in, n_out: 2 / n_in,
    "he_normal": lambda n_in, n_out: 2 / n_in,
    "lecun_uniform": lambda n_in, n_out: 1 / n_in,
    "lecun_normal": lambda n_in, n_out: 1 / n_in,
}
SCHEMES = (*VARIANCES, "zeros")

"""Inputs for every operation on elements and arrays, away from kinks and poles.

SAMPLES maps an operation's name to functions of a generator that return (inputs, options). All sizes within a sample
differ, and each operation has its smallest case.
"""

import numpy as np


def between(low, high, *shape):
    return lambda rng: np.asarray(rng.uniform(low, high, shape))


def either_sign(*shape):
    """Values away from 0, some of them negative: the first and the last where there are two."""

    def make(rng):
        values = rng.uniform(0.2, 2.0, shape) * rng.choice([-1, 1], shape)
        if values.size > 1:
            values.flat[0], values.flat[-1] = -abs(values.flat[0]), abs(values.flat[-1])
        return np.asarray(values)

    return make


def sample(*makers, **options):
    return lambda rng: (tuple(make(rng) for make in makers), options)


SHAPES = [(3, 4), (2, 1, 3), (5,), ()]
PAIRS = [  # equal; a column, a row and a scalar that are repeated; both repeated; a vector as a row; three axes
    ((3, 4), (3, 4)),
    ((3, 4), (3, 1)),
    ((1, 4), (3, 4)),
    ((3, 4), ()),
    ((), ()),
    ((3, 1), (1, 4)),
    ((4,), (3, 4)),
    ((3, 1), (3,)),
    ((2, 1, 4), (3, 1)),
]


def of_one(make, **options):
    return [sample(make(*shape), **options) for shape in SHAPES]


def of_two(make_A, make_B):
    return [sample(make_A(*A), make_B(*B)) for A, B in PAIRS]


def positive(*shape):
    return between(0.3, 3.0, *shape)


def inside_one(*shape):
    return between(-0.9, 0.9, *shape)


def several(rng):
    return (rng.normal(size=(3, 4)), rng.normal(size=2), np.asarray(rng.normal()))


SAMPLES = {
    "add": of_two(either_sign, either_sign),
    "subtract": of_two(either_sign, either_sign),
    "multiply": of_two(either_sign, either_sign),
    "divide": of_two(either_sign, either_sign),
    "positive_power": of_two(positive, either_sign),
    "maximum": of_two(either_sign, either_sign),
    "minimum": of_two(either_sign, either_sign),
    "negative": of_one(either_sign),
    "power": [
        *of_one(either_sign, exponent=2),
        *of_one(either_sign, exponent=3.0),
        *of_one(either_sign, exponent=-1.0),
        *of_one(positive, exponent=0.5),
        *of_one(positive, exponent=-1.7),
        sample(either_sign(3, 4), exponent=1),
        sample(either_sign(3, 4), exponent=0),
    ],
    "square": of_one(either_sign),
    "sqrt": of_one(positive),
    "reciprocal": of_one(either_sign),
    "exp": of_one(either_sign),
    "expm1": of_one(either_sign),
    "log": of_one(positive),
    "log1p": of_one(inside_one),
    "sin": of_one(either_sign),
    "cos": of_one(either_sign),
    "tan": of_one(inside_one),
    "arcsin": of_one(inside_one),
    "arccos": of_one(inside_one),
    "arctan": of_one(either_sign),
    "sinh": of_one(either_sign),
    "cosh": of_one(either_sign),
    "tanh": of_one(either_sign),
    "logistic": of_one(either_sign),
    "softplus": of_one(either_sign),
    "relu": of_one(either_sign),
    "absolute": of_one(either_sign),
    "matmul": [
        sample(either_sign(3, 4), either_sign(4, 2)),
        sample(either_sign(3, 4), either_sign(4, 1)),
        sample(either_sign(3, 3), either_sign(3, 3)),
        sample(either_sign(1, 1), either_sign(1, 2)),
        sample(either_sign(3, 4), either_sign(4)),
        sample(either_sign(3), either_sign(3, 4)),
        sample(either_sign(3), either_sign(3)),
    ],
    "transpose": [sample(either_sign(*shape)) for shape in ((3, 4), (1, 4), (3,), ())],
    "reshape": [
        sample(either_sign(3, 4), shape=(2, 6)),
        sample(either_sign(2, 1, 3), shape=6),
        sample(either_sign(6), shape=(-1, 3)),
        sample(either_sign(), shape=(1, 1)),
    ],
    "mask": [
        sample(either_sign(2, 3), keep=np.array([[True, False, True], [False, False, True]])),
        sample(either_sign(), keep=np.array(True)),
    ],
    "select": [
        sample(either_sign(3, 4), index=1),
        sample(either_sign(3, 4), index=(2, -1)),
        sample(either_sign(5, 4), index=slice(4, None, -2)),
        sample(either_sign(3, 4), index=(slice(None), slice(1, 3))),
        sample(either_sign(3, 4), index=(Ellipsis, None, 0)),
        sample(either_sign(3, 4), index=[2, 0, 2, 2]),
        sample(either_sign(3, 4), index=(np.array([[0, 2], [0, 0]]), np.array([[3, 1], [3, 2]]))),
        sample(either_sign(3, 4), index=(slice(None), np.array([1, 1]))),
        sample(either_sign(2, 3), index=np.array([[True, False, True], [False, False, True]])),
        sample(either_sign(), index=()),
    ],
    "sum": [
        sample(either_sign(3, 4)),
        sample(either_sign(3, 4), axis=0),
        sample(either_sign(3, 4), axis=-1, keepdims=True),
        sample(either_sign(2, 3, 4), axis=(0, -1)),
        sample(either_sign(2, 3, 4), keepdims=True),
        sample(either_sign()),
    ],
    "trace": [sample(either_sign(4, 4)), sample(either_sign(1, 1))],
    "concatenate": [
        sample(either_sign(2, 3), either_sign(1, 3), either_sign(4, 3), axis=0),
        sample(either_sign(2, 3), either_sign(2, 4), axis=-1),
        sample(either_sign(3)),
    ],
    "part": [sample(several, k=k) for k in range(3)],
}

# A complex step follows the piece that the code takes, so these rules are checked by differences.
NOT_ANALYTIC = {"maximum", "minimum", "relu", "absolute"}

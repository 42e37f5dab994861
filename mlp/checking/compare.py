"""Compare one's own arrays with the right ones, and one's own derivatives with numerical ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from mlp.arguments import float_array
from mlp.checking.bar import Problem, check_bar
from mlp.checking.guesses import close, guess, reshaped
from mlp.checking.numerical import EPS, Derivative, step_sizes
from mlp.checking.results import FAIL, Result
from mlp.markup import Markup, html_table
from mlp.text import aligned
from mlp.types import Array

NEAR = 1e-6  # as close as two ways to compute the same come, relative to the norm
HEADING = ("array", "verdict", "largest difference", "at", "mine", "right", "guess")


@dataclass(frozen=True)
class Row:
    """One array against the right one: "exact", "approximate" (to 1e-6 of its norm) or "wrong".

    `difference` is the largest one, at the index `where`, between the values `mine` and `right`.
    """

    name: str
    verdict: str
    difference: float = 0.0
    where: tuple[int, ...] = ()
    mine: float | None = None
    right: float | None = None
    guess: str = ""

    def cells(self) -> tuple[str, ...]:
        """The row of a table."""
        values = (f"{value:.9g}" if value is not None else "" for value in (self.mine, self.right))
        at = str(list(self.where)) if self.where else ""
        return (self.name, self.verdict, f"{self.difference:.2g}", at, *values, self.guess)


class Comparison(list[Row]):
    """The rows of a comparison, which a notebook and a terminal show as a table; true where no array is wrong."""

    def __bool__(self) -> bool:
        return all(row.verdict != "wrong" for row in self)

    def __repr__(self) -> str:
        return aligned([HEADING, *(row.cells() for row in self)], left=len(HEADING))

    def _repr_html_(self) -> Markup:
        return html_table([HEADING, *(row.cells() for row in self)])


def compare(mine: Any, right: Any, *, columns: int = 0) -> Comparison:
    """Compare an array, or several by name, with the right one: which are wrong, where, and by what mistake, perhaps.

    `columns` is the number B of examples in a minibatch, if there is one, for mistakes that are a factor B. Raises
    ValueError when the names are not the same, or what is compared is no numbers.
    """
    if isinstance(mine, Mapping) != isinstance(right, Mapping):
        raise ValueError("compare two arrays, or two mappings from the same names to arrays")
    if not isinstance(mine, Mapping):
        mine, right = {"array": mine}, {"array": right}
    if mine.keys() != right.keys():
        raise ValueError(f"mine has {', '.join(mine) or 'nothing'}, and right has {', '.join(right) or 'nothing'}")
    pairs = [(name, float_array(mine[name], name), float_array(right[name], name)) for name in right]
    return Comparison([row(*pair, columns) for pair in pairs])


def row(name: str, mine: Array, right: Array, columns: int) -> Row:
    if mine.shape != right.shape:
        return Row(name, "wrong", np.inf, guess=misfit(mine, right))
    off = np.where(np.isnan(mine) & np.isnan(right), 0, np.nan_to_num(np.abs(mine - right), nan=np.inf))
    if not off.any():
        return Row(name, "exact")
    where = tuple(int(i) for i in np.unravel_index(int(off.argmax()), off.shape))
    verdict = "approximate" if close(mine, right, NEAR) else "wrong"
    words = guess(mine, right, mine, ..., columns, {}) if verdict == "wrong" else ""
    return Row(name, verdict, float(off[where]), where, float(mine[where].real), float(right[where].real), words)


def misfit(mine: Array, right: Array) -> str:
    """What makes an array of another shape right."""
    told = f"it has shape {mine.shape}, not {right.shape}"
    fits = (mistake for mistake, mended in reshaped(mine) if close(mended, right, NEAR))
    return ": ".join([told, *islice(fits, 1)])


@dataclass(frozen=True)
class NumericalGradient:
    """A numerical derivative: `value` has the shape of x, and so have the `steps` that were taken.

    `method` is "complex step" or "central differences". `doubt` is the most that an element may be off, as far as can
    be seen.
    """

    value: Array
    method: str
    steps: Array
    doubt: float


@np.errstate(all="ignore")
def numerical_gradient(f: Callable[[Any], Any], x: Any) -> NumericalGradient:
    """Differentiate a function of an array, which returns a number, at x, element by element.

    By the complex step, Im f(x + i h) / h with h = 1e-20 times the size of x, where f takes complex numbers and central
    differences say the same; else by central differences, (f(x + h) - f(x - h)) / 2h at h and h/2, extrapolated to
    h = 0, with the step from 1e-4 to 1e-9 of the size of x that blurs the least (note, footnote 2). Raises ValueError
    when f(x) is not one number.
    """
    x = float_array(x, "x").astype(np.float64)
    derivative = differentiated(f, x)
    slopes = [derivative.along(direction(x, index)) for index in np.ndindex(x.shape)]
    scale = step_sizes(x)
    value, steps = (np.reshape([getattr(slope, each) for slope in slopes], x.shape) for each in ("value", "step"))
    doubt = max((slope.doubt / size for slope, size in zip(slopes, scale.flat, strict=True)), default=0.0)
    return NumericalGradient(np.asarray(value / scale), derivative.method, np.asarray(steps * scale), float(doubt))


def differentiated(f: Callable[[Any], Any], x: Array) -> Derivative:
    """The derivative of f at x. Raises ValueError when f(x) is not one number."""
    c = f(x.copy())
    if np.size(c) != 1:
        raise ValueError(f"f must return one number, got an array of shape {np.shape(c)}: take its sum, for one")
    rng = np.random.default_rng(0)
    directions = [rng.normal(size=x.shape) * step_sizes(x) for _ in range(2)]
    return Derivative(lambda x: np.asarray(f(x)).sum(), x, max(abs(float(np.real(c))), EPS), directions)


def direction(x: Array, index: tuple[int, ...]) -> Array:
    """A step of one element, as large as the element."""
    v = np.zeros_like(x)
    v[index] = step_sizes(x)[index]
    return v


@np.errstate(all="ignore")
def check_gradient(f: Callable[[Any], Any], df: Callable[[Any], Any], x: Any) -> Result:
    """Check that df(x) is the derivative of f, a function of an array that returns a number, at x.

    `df` returns an array of x's shape. The verdict is PASS, FAIL or INCONCLUSIVE (at a kink, for one).
    """
    x = float_array(x, "x").astype(np.float64)
    derivative = differentiated(f, x)
    try:
        bar = float_array(df(x.copy()), "df(x)")
    except Exception as error:
        return Result("x", "gradient", FAIL, np.inf, 0.0, f"df raised {type(error).__name__}: {error}")
    problem = Problem(lambda arrays: derivative.f(arrays["x"]), {"x": x}, {"x": bar}, derivative.size, maker="df")
    return check_bar(problem, "x", np.random.default_rng(0))

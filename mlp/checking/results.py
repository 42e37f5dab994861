"""Tell what a check found: a verdict with its reason, and a table of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec

import numpy as np

from mlp.markup import Markup, html_table
from mlp.text import aligned

P = ParamSpec("P")
PASS, FAIL, INCONCLUSIVE = "PASS", "FAIL", "INCONCLUSIVE"
ALL = "all together"  # what a result is about that is about all arrays


@dataclass(frozen=True)
class Result:
    """One check of one array ("W2"), or of `what` else was looked at, and how.

    INCONCLUSIVE means that the numbers at hand cannot decide. `error` is relative to the norm of the array, never to 1,
    and `tolerance` is the most that passes. `reason` names the worst index of a failure and both values there. `guess`
    is a mistake that would look just like this failure, if one is known.
    """

    what: str
    check: str
    verdict: str
    error: float
    tolerance: float
    reason: str = ""
    guess: str = ""

    def __str__(self) -> str:
        text = f"{self.verdict}: {self.what}, {self.check}: error {self.error:.1e}, limit {self.tolerance:.0e}"
        return text + (f"; {self.reason}" if self.reason else "") + (f"; guess: {self.guess}" if self.guess else "")


class Results(list[Result]):
    """What a check found: a table, in a notebook and in a terminal."""

    def __repr__(self) -> str:
        return table(self)

    def _repr_html_(self) -> Markup:
        heading = ("verdict", "array", "check", "error", "limit", "reason", "guess")
        rows = [(r.verdict, r.what, r.check, f"{r.error:.1e}", f"{r.tolerance:.0e}", r.reason, r.guess) for r in self]
        return html_table([heading, *rows], caption=counted(self))


def as_results(check: Callable[P, list[Result]]) -> Callable[P, Results]:
    """The same check, whose list is shown as a table."""

    @wraps(check)
    def shown(*arguments: P.args, **options: P.kwargs) -> Results:
        return Results(check(*arguments, **options))

    return shown


def failures(results: Sequence[Result]) -> list[Result]:
    return [result for result in results if result.verdict == FAIL]


def attempt(what: str, check: str, call: Callable[[], Sequence[Result]]) -> list[Result]:
    """Make a call, and turn an exception into a failure."""
    try:
        return list(call())
    except Exception as error:
        return [raised(what, check, error)]


def raised(what: str, check: str, error: Exception) -> Result:
    """The failure of what could not be computed."""
    misfit = "shapes do not fit: a transpose, or an array of another minibatch?"
    guess = misfit if isinstance(error, ValueError) else ""
    return Result(what, check, FAIL, np.inf, 0.0, f"raised {type(error).__name__}: {error}", guess)


def held(what: str, check: str, complaint: str, good: str, guess: str = "") -> Result:
    """FAIL with a complaint, or PASS where there is none."""
    if complaint:
        return Result(what, check, FAIL, np.inf, 0.0, complaint, guess)
    return Result(what, check, PASS, 0.0, 0.0, good)


def folded(results: Sequence[Result], reason: str) -> list[Result]:
    """Keep what did not pass, or one PASS for all."""
    others = [result for result in results if result.verdict != PASS]
    worst = max(results, key=lambda result: result.error)
    return others or [Result(ALL, worst.check, PASS, worst.error, worst.tolerance, reason)]


def table(results: Sequence[Result]) -> str:
    """A row for each result, the guess below it, and a last line that counts the verdicts."""
    rows = [("verdict", "array", "check", "error", "limit")]
    rows += [(r.verdict, r.what, r.check, f"{r.error:.1e}", f"{r.tolerance:.0e}") for r in results]
    heading, *lines = aligned(rows, left=3).splitlines()
    indent = " " * max(len(row[0]) for row in rows)
    told = [heading]
    for line, result in zip(lines, results, strict=True):
        told.append(f"{line}  {result.reason}".rstrip())
        if result.guess:
            told.append(f"{indent}  guess: {result.guess}")
    return "\n".join([*told, counted(results)])


def counted(results: Sequence[Result]) -> str:
    """The number of each verdict."""
    verdicts = [result.verdict for result in results]
    return ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in (PASS, FAIL, INCONCLUSIVE))

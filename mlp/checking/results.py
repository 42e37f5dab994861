"""Tell what a check found: a verdict with its reason, and a table of several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from mlp.text import aligned

PASS, FAIL, INCONCLUSIVE = "PASS", "FAIL", "INCONCLUSIVE"
ALL = "all together"  # what a result is about that is about all arrays


@dataclass(frozen=True)
class Result:
    """One check of one array, or of all of them together.

    - `what` names the array ("W2"), or says what else was looked at;
    - `check` says how: "complex step", "central differences", "dot product", "minibatch", ...;
    - `verdict` is PASS, FAIL or INCONCLUSIVE: the numbers at hand cannot decide, and `reason` says why;
    - `error` is relative to the norm of the array, never to 1, and `tolerance` is the most that passes;
    - `reason` names, for a failure, the worst index and both values there; for a pass it says what was looked at;
    - `guess` is a mistake that would look just like this failure, if one is known.
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


def failures(results: Sequence[Result]) -> list[Result]:
    return [result for result in results if result.verdict == FAIL]


class CallFailedError(Exception):
    """An exception that came from what is checked."""


@contextmanager
def calling(name: str) -> Iterator[None]:
    """Mark calls of what is checked, so that its exceptions are told from our own."""
    try:
        yield
    except Exception as error:
        raise CallFailedError(f"{name} raised {type(error).__name__}: {error}") from error


def attempt(what: str, check: str, call: Callable[[], Sequence[Result]]) -> list[Result]:
    """Make a call, and turn an exception of what is checked into a failure."""
    try:
        return list(call())
    except CallFailedError as error:
        misfit = isinstance(error.__cause__, ValueError)
        guess = "shapes do not fit: a transpose, or an array of another minibatch?" if misfit else ""
        return [Result(what, check, FAIL, np.inf, 0.0, str(error), guess)]


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
    return "\n".join([*told, count(results)])


def count(results: Sequence[Result]) -> str:
    verdicts = [result.verdict for result in results]
    return ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in (PASS, FAIL, INCONCLUSIVE))


def apart(first: float, second: float) -> tuple[str, str]:
    """Write two numbers with six digits, or with as many as it takes to tell them apart."""
    for digits in (6, 9, 12, 17):
        texts = f"{first:.{digits}g}", f"{second:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts

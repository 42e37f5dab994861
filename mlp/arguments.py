"""Check arguments at the call: one sentence names the argument, the form to pass, and what was passed instead.

TypeError is for what is of another kind, ValueError for a value that is not among those that can be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from numbers import Integral, Real
from types import BuiltinFunctionType, FunctionType, ModuleType, NoneType, UnionType
from typing import Annotated, Any, Protocol, Union, get_args, get_origin, get_type_hints

import numpy as np

from mlp.text import brief
from mlp.types import Array, Data, OneOf, Range, unpack

FORMS = {
    "bool": "True or False",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "Mapping": "a dict",
    "Sequence": "a list",
    "Callable": "a function",
    "tuple": "a tuple (X, Y) or (X, Y, w)",
    "ndarray": "an array of numbers (np.array(...) makes one)",
    "Generator": "a numpy.random.Generator such as np.random.default_rng(0)",
}
NUMBERS: dict[Any, Any] = {int: Integral, float: Real}


def wrong(name: str, form: str, value: Any) -> TypeError:
    """The error for an argument that is not of the form to pass."""
    return TypeError(f"{name} must be {form}, got {described(value)}")


def described(value: Any) -> str:
    """A value as a message shows it: short, and a class as what has to be called."""
    if isinstance(value, type):
        return f"the class {value.__name__} ({value.__name__}(...) makes an object of it)"
    if isinstance(value, (FunctionType, BuiltinFunctionType, ModuleType, np.ufunc)):
        return f"the {'module' if isinstance(value, ModuleType) else 'function'} {value.__name__}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    return brief(value)


def check_arguments(function: Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Check values, by name, against the annotations of a function or class."""
    for name, annotation in hints_of(function).items():
        if name in values:
            check_argument(name, annotation, values[name])


@cache
def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(function, include_extras=True)


def check_argument(name: str, annotation: Any, value: Any) -> None:
    """Raises TypeError or ValueError for a value that is not what the annotation says.

    A text is no sequence here: `targets="survived"` is meant to be `targets=["survived"]`.
    """
    kind, marks = annotation, list[Any]()
    if get_origin(kind) in (Union, UnionType):
        if value is None and NoneType in get_args(kind):
            return
        kind, *others = (each for each in get_args(kind) if each is not NoneType)
        if others:
            kinds = [get_origin(each) or each for each in (kind, *others)]
            if not any(is_a(each, value) for each in kinds):
                raise wrong(name, " or ".join(dict.fromkeys(map(form_of, kinds))), value)
            return
    if get_origin(kind) is Annotated:
        kind, *marks = get_args(kind)
    bounds = "".join(f" {mark}" for mark in marks if isinstance(mark, Range))
    kind = get_origin(kind) or kind
    if not is_a(kind, value):
        raise wrong(name, form_of(kind) + bounds, value)
    for mark in marks:
        if isinstance(mark, Range) and not inside(mark, value):
            raise ValueError(f"{name} must be {form_of(kind)}{bounds}, got {value}")
        if isinstance(mark, OneOf) and value not in mark.choices:
            raise ValueError(f"{name} must be one of {', '.join(mark.choices)}, got {value!r}")


def is_a(kind: Any, value: Any) -> bool:
    """Tell whether a value is of a class, or has what a protocol asks for."""
    if kind in NUMBERS:
        return isinstance(value, NUMBERS[kind]) and not isinstance(value, bool)
    if members := members_of(kind):
        return not isinstance(value, type) and all(hasattr(value, member) for member in members)
    if kind is Sequence and isinstance(value, str):
        return False
    if kind is Callable:
        return callable(value) and not isinstance(value, type)
    return kind is Any or not isinstance(kind, type) or isinstance(value, kind)


def form_of(kind: Any) -> str:
    if kind.__name__ in FORMS:
        return FORMS[kind.__name__]
    name = f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"
    return name + (f", an object with {', '.join(members)}" if (members := members_of(kind)) else "")


@cache
def members_of(kind: Any) -> tuple[str, ...]:
    """What the objects of a protocol have; nothing for a class that is none."""
    if Protocol not in getattr(kind, "__bases__", ()):
        return ()
    return tuple(name for name in {**vars(kind).get("__annotations__", {}), **vars(kind)} if name[0] != "_")


def inside(bounds: Range, value: Any) -> bool:
    return (
        math.isfinite(value)
        and (bounds.above is None or value > bounds.above)
        and (bounds.least is None or value >= bounds.least)
        and (bounds.below is None or value < bounds.below)
        and (bounds.most is None or value <= bounds.most)
    )


def check_whole(name: str, values: Any) -> None:
    """Raises TypeError unless the values are a sequence of whole numbers."""
    if not isinstance(values, Sequence) or not all(is_a(int, value) for value in values):
        raise wrong(name, "a list of whole numbers", values)


def is_float_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fc"


def check_array(name: str, value: Any) -> None:
    """Raises TypeError for what is no array of numbers."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biufc":
        raise wrong(name, FORMS["ndarray"], value)


def float_array(values: Any, name: str) -> Array:
    """A copy of the values as real or complex floats. Raises ValueError for what is no numbers."""
    try:
        array = np.array(values)
    except ValueError:  # rows of different lengths
        array = np.empty(0, object)
    if array.dtype.kind in "biu":
        return array.astype(np.float64)
    if array.dtype.kind not in "fc":
        raise ValueError(f"{name} must hold numbers, got {described(values)}")
    return array


def check_data(name: str, data: Data) -> None:
    """Raises TypeError or ValueError unless X and Y are matrices of as many rows of real numbers, and at least one.

    The weights, if there are any, have to be as many, finite, 0 or more and not all 0.
    """
    check_argument(name, Data, data)
    if len(data) not in (2, 3):
        raise wrong(name, form_of(tuple), data)
    for letter, array in zip("XYw", data, strict=False):
        if not all(hasattr(array, member) for member in ("shape", "ndim", "dtype", "__getitem__")):
            raise wrong(f"{name}: {letter}", f"an array (np.array({letter}) makes one)", array)
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name}: {letter} must hold real numbers, got an array of dtype {array.dtype}")
    X, Y, w = unpack(data)
    if X.ndim != 2 or Y.ndim != 2 or len(X) != len(Y) or len(X) == 0:
        raise ValueError(
            f"{name}: X has shape {X.shape} and Y has shape {Y.shape}, expected (N, D) and (N, K) "
            "with at least one row: data has one example a row"
            + (" (Y[:, None] makes numbers a column, np.eye(K)[labels] makes labels one-hot)" if Y.ndim == 1 else "")
        )
    if w is not None and w.shape != (len(X),):
        raise ValueError(f"{name}: w has shape {w.shape}, expected ({len(X)},): one weight a row")
    if w is not None and not (w.min() >= 0 and 0 < w.max() < math.inf):  # nan is neither
        raise ValueError(
            f"{name}: the weights w are from {w.min():g} to {w.max():g}, expected finite numbers of 0 or more, "
            "not all 0"
        )

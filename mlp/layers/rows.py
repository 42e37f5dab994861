"""Check what layers are given: parameters when they are set, inputs on the way up, values and bars on the way down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from mlp.arguments import check_array, float_array, is_float_array, wrong
from mlp.types import Array, Count


class Parameters:
    """Layers whose parameters hold floats and stay columns, or matrices, when they are replaced.

    `layer.b = np.zeros(4)` would be broadcast along the wrong axis of 4 examples. Raises ValueError for it.
    """

    parameters: ClassVar[tuple[str, ...]]
    penalized: ClassVar[tuple[str, ...]]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.parameters:
            value = value if is_float_array(value) else float_array(value, name)
            if name in vars(self):
                check_replacement(name, value, vars(self)[name].shape, name not in self.penalized)
        super().__setattr__(name, value)


class PerUnit(Parameters):
    """Layers with as many outputs as inputs, whose parameters have a number for each: K x 1."""

    @property
    def n_in(self) -> int:
        return len(getattr(self, self.parameters[0]))

    n_out = n_in

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.n_in}, {getattr(self, self.parameters[0]).dtype})"

    def header(self) -> dict[str, Any]:
        """The layer without its arrays, for a model file."""
        return {"size": self.n_in}

    @classmethod
    def from_header(cls, arrays: Mapping[str, Array], /, size: Count) -> Self:
        """The layer with these arrays. Raises ValueError when they have another size."""
        made: Callable[..., Self] = cls
        layer = made(*(arrays[name] for name in cls.parameters))
        check_rows(getattr(layer, cls.parameters[0]), size)
        return layer


def check_replacement(name: str, new: Array, old: tuple[int, ...], column: bool) -> None:
    """Raises ValueError unless the new array has as many axes as the old one, and is a column where that is one."""
    if new.ndim != len(old) or (column and old[1:] == (1,) and new.shape[1] != 1):
        raise ValueError(
            f"{name} has shape {new.shape}, but takes the place of one of shape {old}"
            + (f": a column, because columns are examples ({name}[:, None] makes it one)" if new.ndim == 1 else "")
        )


def column(array: Array, name: str) -> Array:
    """The array itself. Raises ValueError unless it is K x 1."""
    if array.ndim != 2 or array.shape[1] != 1 or not array.size:
        raise ValueError(f"{name} has shape {array.shape}, expected (K, 1): a column, because columns are examples")
    return array


def check_rows(H_in: Array, K: int) -> None:
    """Raises TypeError or ValueError unless H_in is an array of K x B."""
    if not is_float_array(H_in):
        check_array("H_in", H_in)
    if H_in.ndim != 2 or H_in.shape[0] != K:
        raise ValueError(f"H_in has shape {H_in.shape}, expected ({K}, B): columns are examples")


def check_bar(values: Any, kind: Any, H_bar: Array) -> None:
    """Raises TypeError or ValueError unless these are values of this kind, and H_bar has the shape of their H."""
    if not isinstance(values, kind):
        raise wrong("values", f"what forward returned, {kind.__name__}", values)
    if not is_float_array(H_bar):
        check_array("H_bar", H_bar)
    if H_bar.shape != values.H.shape:
        raise ValueError(
            f"H_bar has shape {H_bar.shape}, but H has shape {values.H.shape}: a bar has the shape of its "
            "quantity, and columns are examples"
            + (" (values of another batch?)" if H_bar.shape[:1] == values.H.shape[:1] else "")
        )

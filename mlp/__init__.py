"""A minimal feedforward neural-network trainer: the note's equations as code, from one layer to a trained network.

The names of this package are those of `mlp.names`. They are loaded when the first of them is used, and NumPy with
them: `mlp --help` needs neither.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlp import kernels

if TYPE_CHECKING:
    from mlp.names import *  # noqa: F403

__version__ = "0.1.0"

kernels.choose_for_numpy()


def __getattr__(name: str) -> Any:
    names = import_module("mlp.names")
    for each in ("__all__", *names.__all__):
        globals().setdefault(each, getattr(names, each))  # what somebody has put there stays
    if name in globals():  # of the modules, too, that are loaded by now
        return globals()[name]
    raise AttributeError(f"module 'mlp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *import_module("mlp.names").__all__})

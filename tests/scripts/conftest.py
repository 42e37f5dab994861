"""Load the modules of scripts/, and leave none behind."""

import importlib
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def load():
    """A function that imports a module of scripts/."""
    sys.path.insert(0, str(SCRIPTS))
    yield importlib.import_module
    sys.path.remove(str(SCRIPTS))
    for name in [name for name in sys.modules if name.partition(".")[0] in ("benchmark", "benchmarking", "tabular")]:
        del sys.modules[name]

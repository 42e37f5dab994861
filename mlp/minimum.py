"""Says which NumPy is needed, where it is too old, before something else fails that does not say so."""

import numpy as np

if int(np.__version__.partition(".")[0]) < 2:
    raise ImportError(f"mlp needs NumPy 2.0 or newer, found {np.__version__}: pip install -U numpy")

"""The shipped configs: those whose data are shipped too, and that of MNIST, whose data have to be fetched."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
MNIST = ROOT / "configs/mnist.yaml"
CONFIGS = sorted(path for path in (ROOT / "configs").glob("*.yaml") if path != MNIST)

"""What the shipped configs compute, held to the values in golden.json.

How far rounding carries was measured by training with other BLAS kernels, with other SIMD instructions of NumPy and
with random errors of the last bit in each layer; numbers of threads change nothing. Each tolerance is a few times the
largest difference seen: early ones are tight, and later ones wider where rounding grows, as it does once a unit of relu
is on in one run and off in the other.

`python tests/experiments/test_golden.py` trains the configs and writes golden.json anew.
"""

import csv
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from mlp.experiments.model import load_model

CONFIGS = Path(__file__).parents[2] / "configs"
GOLDEN = Path(__file__).with_name("golden.json")
MLP = [sys.executable, "-c", "from mlp.cli import main; main()"]

COMPARED = (1, 2, 3, 5, 10, 20, 40, 60, 80, 100, 150, 200)  # epochs, and the last one
SHORT = 5  # epochs of a second run, whose parameters are hardly touched by rounding
LOSS, GRADIENT, PARAMETER = 5e-6, 1e-5, 5e-6  # early tolerances
SUM = 5  # times the tolerance of single elements: the errors of many add up
EXACT = 1e-9  # learning rates and scalers


class Late(NamedTuple):
    """From which epoch on the tolerances are wider, how wide they are for losses and metrics, and for parameters."""

    epoch: float
    loss: float
    parameter: float


LATE = {
    "diabetes": Late(math.inf, LOSS, 2e-5),
    "digits": Late(6, 1e-3, 3e-3),
    "iris": Late(math.inf, LOSS, PARAMETER),
    "sine": Late(21, 3e-5, 2e-5),
    "spirals": Late(41, 1.5e-4, 2e-4),
    "xor": Late(math.inf, LOSS, PARAMETER),
}
TIES = {"spirals": {199, 200}}  # epochs whose losses differ in the last bits: either may be the best


@pytest.fixture(scope="module")
def golden():
    return json.loads(GOLDEN.read_text("utf-8"))


@pytest.fixture(scope="module", params=LATE)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def measured(name, tmp_path_factory):
    return measure(name, tmp_path_factory.mktemp(name))


@pytest.fixture(scope="module")
def recorded(name, golden):
    return golden[name]


def test_losses_metrics_and_learning_rates_of_epochs(name, measured, recorded):
    found, wanted = measured["epochs"], recorded["epochs"]
    assert [row["epoch"] for row in found] == [row["epoch"] for row in wanted]
    wrong = []
    for now, then in zip(found, wanted, strict=True):
        late = then["epoch"] >= LATE[name].epoch
        if late:  # the gradient's norm jumps when the loss is almost zero
            now, then = ({**row, "gradient_norm": None} for row in (now, then))
        tolerances = {"learning_rate": EXACT, "gradient_norm": GRADIENT}
        wrong += unlike(now, then, LATE[name].loss if late else LOSS, tolerances, f"epoch {then['epoch']}: ")
    assert not wrong


@pytest.mark.parametrize("run", ["short", "full"])
def test_best_epoch_and_scores(name, measured, recorded, run):
    found, wanted = measured[run], recorded[run]
    ties = TIES.get(name, set())
    assert found["best_epoch"] == wanted["best_epoch"] or {found["best_epoch"], wanted["best_epoch"]} <= ties
    assert found["scores"].keys() == wanted["scores"].keys()
    wrong = []
    for split, scores in wanted["scores"].items():
        wrong += unlike(found["scores"][split], scores, LOSS if run == "short" else LATE[name].loss, {}, f"{split} ")
    assert not wrong


@pytest.mark.parametrize("run", ["short", "full"])
def test_parameters(name, measured, recorded, run):
    found, wanted = measured[run]["parameters"], recorded[run]["parameters"]
    assert {key: array["shape"] for key, array in found.items()} == {k: array["shape"] for k, array in wanted.items()}
    wrong = []
    for key, then in wanted.items():
        now = found[key]
        allowed = (PARAMETER if run == "short" else LATE[name].parameter) * then["norm"]
        errors = {
            "norm": abs(now["norm"] - then["norm"]),
            "sum": abs(now["sum"] - then["sum"]) / SUM,
            "elements": max(abs(a - b) for a, b in zip(now["elements"], then["elements"], strict=True)),
        }
        wrong += [f"{key} {what}: {now[what]}, not {then[what]}" for what, e in errors.items() if not e <= allowed]
    assert not wrong


def test_scalers(measured, recorded):
    assert not unlike(measured["scalers"], recorded["scalers"], EXACT)


def unlike(found, wanted, tolerance, tolerances=None, where=""):
    """A line for each value whose relative difference is above its tolerance; that of R^2 is absolute."""
    assert found.keys() == wanted.keys()
    lines = []
    for key, then in wanted.items():
        now, rel = found[key], (tolerances or {}).get(key, tolerance)
        absolute = rel if key.endswith("r2") else 0.0
        same = now is then if None in (now, then) else math.isclose(now, then, rel_tol=rel, abs_tol=absolute)
        if not same:
            lines.append(f"{where}{key}: {now}, not {then} (tolerance {rel:g})")
    return lines


def measure(name, folder):
    """Train a config in full and for a few epochs, at the same time, into folders of `folder`.

    Returns what is compared, in numbers of ten digits.
    """
    more = {"full": [], "short": ["--set", f"training.epochs={SHORT}"]}
    started = {run: start(CONFIGS / f"{name}.yaml", folder / run, options) for run, options in more.items()}
    messages = [process.communicate(timeout=120)[1] for process in started.values()]
    assert [process.returncode for process in started.values()] == [0, 0], messages
    full = folder / "full"
    found = {"epochs": epochs(full), "scalers": {key: norm(array) for key, array in scalers(full).items()}}
    return rounded(found | {run: outcome(folder / run) for run in started})


def start(config, folder, options):
    return subprocess.Popen(
        [*MLP, "train", str(config), "--out", str(folder), "--no-plot", "-q", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def epochs(folder):
    """Some rows of metrics.csv, as numbers."""
    with open(folder / "metrics.csv", encoding="utf-8", newline="") as file:
        rows = [{key: float(cell) if cell else None for key, cell in row.items()} for row in csv.DictReader(file)]
    return [row | {"epoch": int(row["epoch"])} for row in rows if row["epoch"] in COMPARED or row is rows[-1]]


def outcome(folder):
    """The best epoch, its scores and its parameters."""
    facts = json.loads((folder / "run.json").read_text("utf-8"))
    arrays = parameters(folder)
    return {
        "best_epoch": facts["best_epoch"],
        "scores": facts["scores"],
        "parameters": {key: describe(array) for key, array in arrays.items()},
    }


def parameters(folder):
    """The arrays of the best epoch's network, as {"W1": array, "b1": array, ...}."""
    return load_model(folder).network.parameters()


def scalers(folder):
    """The means and standard deviations that inputs and targets are standardized by."""
    names = ("input_mean", "input_std", "target_mean", "target_std")
    with np.load(folder / "model.npz") as arrays:
        return {key: arrays[key] for key in names if key in arrays}


def describe(array):
    """Shape, norm and sum, and some elements from the first to the last."""
    flat = np.ravel(array).astype(np.float64)
    some = np.unique(np.linspace(0, flat.size - 1, 6).astype(int))
    return {
        "shape": list(array.shape),
        "norm": norm(flat),
        "sum": float(flat.sum()),
        "elements": flat[some].tolist(),
    }


def norm(array):
    return float(np.linalg.norm(array))


def rounded(values):
    if isinstance(values, dict):
        return {key: rounded(value) for key, value in values.items()}
    if isinstance(values, list):
        return [rounded(value) for value in values]
    return float(f"{values:.10g}") if isinstance(values, float) else values


def text(values, indent=0, width=220):
    """JSON with what fits on a line in one."""
    line = json.dumps(values)
    if not isinstance(values, (dict, list)) or len(line) + indent <= width:
        return line
    pairs = values.items() if isinstance(values, dict) else ((None, value) for value in values)
    inside = [
        " " * (indent + 1) + ("" if key is None else f"{json.dumps(key)}: ") + text(value, indent + 1, width)
        for key, value in pairs
    ]
    first, last = "{}" if isinstance(values, dict) else "[]"
    return "\n".join([first, ",\n".join(inside), " " * indent + last])


def record():
    """Write golden.json: what the configs compute now."""
    with tempfile.TemporaryDirectory() as folder:
        found = {name: measure(name, Path(folder, name)) for name in LATE}
    GOLDEN.write_text(text(found) + "\n", "utf-8")


if __name__ == "__main__":
    record()

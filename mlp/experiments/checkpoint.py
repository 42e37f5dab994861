"""last.npz: the whole state of a run between two minibatches, and that state put back into a experiment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlp.errors import ConfigError, FileError
from mlp.experiments.experiment import Experiment
from mlp.experiments.storage.archive import archive_bytes, check_arrays, read_arrays
from mlp.records import Progress, UnfinishedEpoch
from mlp.text import shown

KIND = "mlp checkpoint"
NAME = "last.npz"
HARMLESS = ("training.epochs",)  # changes no bit of the epochs that are done


def checkpoint_bytes(experiment: Experiment, progress: Progress) -> bytes:
    """What last.npz holds: weights, the best epoch's weights, the optimizer's arrays, the generator, the sums of an
    unfinished epoch, and the config that they belong to.

    The generator's state is the one from before it shuffled an unfinished epoch, so that the order need not be kept.
    """
    arrays = {"theta": experiment.model.network.theta}
    if progress.best_theta is not None:
        arrays["best_theta"] = progress.best_theta
    arrays |= {f"optimizer.{name}": state for name, state in experiment.optimizer.state().items()}
    part = progress.unfinished
    sums = asdict(part) if part is not None and part.minibatches > 0 else {}
    rng = experiment.rng.bit_generator.state if part is None else part.rng_state
    header = {
        "epoch": progress.epoch,
        "best_epoch": progress.best_epoch,
        "best_loss": progress.best_loss if progress.best_epoch else None,
        "unfinished": {name: value for name, value in sums.items() if name != "rng_state"} or None,
        "rng": rng,
        "config": experiment.model.config,
    }
    return archive_bytes(KIND, header, arrays)


def load_checkpoint(folder: Path, experiment: Experiment) -> Progress:
    """Put the saved state into the experiment, and return how far it is.

    Raises FileError when it is damaged or does not fit, ConfigError when the config has changed since.
    """
    path = folder / NAME
    header, arrays = read_arrays(path, KIND)
    if not isinstance(header.get("config"), dict):
        raise FileError(f"{path}: does not hold the state of this run: it has no config")
    check_unchanged(folder, header["config"], experiment.model.config)
    progress = read_progress(path, header)
    theta = experiment.model.network.theta
    state = {k.removeprefix("optimizer."): v for k, v in arrays.items() if k.startswith("optimizer.")}
    weights = {k: v for k, v in arrays.items() if not k.startswith("optimizer.")}
    names = ("theta", "best_theta") if progress.best_epoch else ("theta",)
    check_arrays(path, weights, {name: theta.shape for name in names})
    try:
        optimizer = experiment.optimizer
        stepped = progress.epoch > 0 or (progress.unfinished is not None and progress.unfinished.minibatches > 0)
        if stepped and not state.get("steps"):
            raise ValueError("the arrays of the optimizer are missing")
        optimizer.load_state(state, theta)
        experiment.rng.bit_generator.state = header["rng"]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise FileError(f"{path}: does not hold the state of this run: {error}") from None
    theta[...] = weights["theta"]
    if progress.best_epoch:
        progress.best_theta = weights["best_theta"]
    return progress


def read_progress(path: Path, header: Mapping[str, Any]) -> Progress:
    """The numbers of a header, if they can be those of a run; they come from a file, and may be anything."""
    found = {key: header.get(key) for key in ("epoch", "best_epoch", "best_loss", "unfinished")}
    values: list[Any] = list(found.values())
    epoch, best_epoch, best_loss, unfinished = values
    good = whole(epoch) and whole(best_epoch) and best_epoch <= epoch and (best_epoch > 0) == (epoch > 0)
    good = good and (finite_float(best_loss) if best_epoch else best_loss is None)
    if good and unfinished is not None:
        names = {"minibatches", "cost_sum", "norm_sum", "seconds"}
        good = isinstance(unfinished, dict) and unfinished.keys() == names and whole(unfinished["minibatches"])
        good = good and all(finite_float(unfinished[name]) for name in names - {"minibatches"})
    if not good:
        raise FileError(f"{path}: does not hold the state of this run: {found!s:.200}")
    progress = Progress(epoch, best_epoch, best_loss if best_epoch else math.inf)
    if unfinished is not None:
        progress.unfinished = UnfinishedEpoch(rng_state=header.get("rng", {}), **unfinished)
    return progress


def whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def finite_float(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def check_unchanged(folder: Path, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises ConfigError, with a line for each key, when config.yaml is not what the run was trained with."""
    before, after = flat(then), flat(now)
    changed = [
        f"{key}: {shown(after.get(key))}, was {shown(before.get(key))}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key) and key not in HARMLESS
    ]
    if changed:
        raise ConfigError(
            *(f"{folder / 'config.yaml'}: has changed since the run was trained: {change}" for change in changed)
        )


def flat(config: Any, above: str = "") -> dict[str, Any]:
    """{"training.epochs": 5, ...}: the values of nested mappings and lists under dotted keys."""
    if isinstance(config, dict):
        items = config.items()
    elif isinstance(config, list):
        items = enumerate(config)  # type: ignore[assignment]
    else:
        return {above: config}
    return {key: value for name, below in items for key, value in flat(below, f"{above}.{name}".strip(".")).items()}

"""Save the whole state of a run between two minibatches as last.npz, and put it back into an experiment."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from mlp.errors import ConfigError, FileError
from mlp.experiments.config.schema import Config
from mlp.experiments.config.sections import Section
from mlp.experiments.experiment import Experiment
from mlp.experiments.header import check_small, validated
from mlp.experiments.model import Model
from mlp.experiments.storage.archive import archive_bytes, check_arrays, read_arrays
from mlp.records import Progress, UnfinishedEpoch
from mlp.text import shown

KIND = "mlp checkpoint"
NAME = "last.npz"


class Unfinished(Section):
    """The sums of an epoch under way (see `mlp.UnfinishedEpoch`)."""

    minibatches: Annotated[int, Field(ge=1, le=10**9)]
    cost_sum: float
    norm_sum: float
    seconds: float


class CheckpointHeader(Section):
    """The header of last.npz beside its arrays: how far the run is, the generator's state, and the config."""

    epoch: Annotated[int, Field(ge=0, le=10**9)]
    best_epoch: Annotated[int, Field(ge=0, le=10**9)]
    best_since: Annotated[int, Field(ge=0, le=10**9)]
    best_value: float | None
    rate: Annotated[float, Field(gt=0, le=1)]
    lowered: Annotated[int, Field(ge=0, le=10**9)]
    unfinished: Unfinished | None
    rng: dict[str, Any]
    config: Config

    def progress(self) -> Progress:
        """The same as training takes it. Raises ValueError when no run can be so far."""
        none = {self.epoch == 0, self.best_epoch == 0, self.best_since == 0}
        if not self.best_since <= self.best_epoch <= self.epoch or len(none) > 1:
            raise ValueError(f"epoch {self.epoch}, best_epoch {self.best_epoch} and best_since {self.best_since}")
        value = math.inf if self.best_value is None else self.best_value
        progress = Progress(self.epoch, self.best_epoch, self.best_since, value, rate=self.rate, lowered=self.lowered)
        if self.unfinished is not None:
            progress.unfinished = UnfinishedEpoch(self.rng, **self.unfinished.model_dump())
        return progress


def checkpoint_bytes(experiment: Experiment, progress: Progress) -> bytes:
    """The content of last.npz: theta, the best epoch's theta, the optimizer's arrays, the generator, the sums of an
    unfinished epoch, and the config that they belong to.

    The generator's state is the one from before it shuffled an unfinished epoch, so that the order need not be kept.
    """
    arrays = {"theta": experiment.model.network.theta}
    if progress.best_theta is not None:
        arrays["best_theta"] = progress.best_theta
    if progress.average is not None:
        arrays["average"] = progress.average
    arrays |= {f"optimizer.{name}": state for name, state in experiment.optimizer.state().items()}
    part = progress.unfinished
    sums = asdict(part) if part is not None and part.minibatches > 0 else {}
    header = {
        "epoch": progress.epoch,
        "best_epoch": progress.best_epoch,
        "best_since": progress.best_since,
        "best_value": progress.best_value if math.isfinite(progress.best_value) else None,
        "rate": progress.rate,
        "lowered": progress.lowered,
        "unfinished": {name: value for name, value in sums.items() if name != "rng_state"} or None,
        "rng": experiment.rng.bit_generator.state if part is None else part.rng_state,
        "config": experiment.model.config,
    }
    return archive_bytes(KIND, header, arrays)


def load_checkpoint(folder: Path, experiment: Experiment) -> Progress:
    """Put the saved state into the experiment, and return how far it is."""
    path = folder / NAME
    header, arrays = read_arrays(path, KIND)
    theta = experiment.model.network.theta
    try:
        progress = validated(CheckpointHeader, check_small("the header", header)).progress()
        check_unchanged(folder, header["config"], experiment.model.config)
        state = {name: arrays.pop(name) for name in list(arrays) if name.startswith("optimizer.")}
        stepped = progress.epoch > 0 or progress.unfinished is not None
        averages = ["average"] if stepped and experiment.loaded.config.training.ema else []
        names = ["theta", *(["best_theta"] if progress.best_epoch else []), *averages]
        check_arrays(arrays, dict.fromkeys(names, theta.shape))
        experiment.optimizer.load_state({name.removeprefix("optimizer."): V for name, V in state.items()}, theta)
        if stepped and not state["optimizer.steps"]:
            raise ValueError("the optimizer has made no step")
        experiment.rng.bit_generator.state = header["rng"]
    except ConfigError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise FileError(f"{path}: does not hold the state of this run: {error}") from None
    theta[...] = arrays["theta"]
    progress.best_theta, progress.average = arrays.get("best_theta"), arrays.get("average")
    return progress


def with_last_theta(model: Model, path: Path) -> Model:
    """The same model with the parameters that a run had last, from its last.npz."""
    header, arrays = read_arrays(path, KIND)
    network = copy.deepcopy(model.network)
    try:
        epoch = validated(CheckpointHeader, check_small("the header", header)).epoch
        theta = arrays.get("average", arrays["theta"])
        check_arrays({"theta": theta}, {"theta": network.theta.shape})
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path}: does not hold the state of this run: {error}") from None
    network.theta[...] = theta
    return replace(model, network=network, epoch=epoch)


def check_unchanged(folder: Path, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises ConfigError, with a line for each key, when config.yaml is not what the run was trained with."""
    before, after = flat(then), flat(now)
    epochs, schedule = "training.epochs", "training.schedule.epochs"
    follows = schedule in after and after[schedule] is None
    reason = {epochs: "; its schedule follows them, so the epochs that are done would be others: train a new run"}
    changed = [
        f"{key}: {shown(after.get(key))}, was {shown(before.get(key))}{reason.get(key, '')}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key) and (follows or key != epochs)
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

"""Have several ranks begin one run alike: each reads the data itself, and rank 0 sends the config and the state."""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from mlp.errors import DataError
from mlp.experiments.assemble import prepare
from mlp.experiments.config.load import LoadedConfig
from mlp.experiments.experiment import Experiment
from mlp.experiments.machine import environment
from mlp.parallel import Parts, Ranks, RanksDiffer
from mlp.records import Progress

T = TypeVar("T")


def everywhere(ranks: Ranks, function: Callable[[], T]) -> T:
    """The value of a function on this rank, when it has succeeded on all.

    Otherwise the lowest rank where it failed raises its error, tells it, and so ends all; the others wait for that.
    """
    error = None
    try:
        value = function()
    except Exception as found:
        error = found
    failed = [rank for rank, each in enumerate(ranks.gather(error is not None)) if each]
    if error is not None and ranks.rank == failed[0]:
        raise error
    if failed:
        ranks.wait()
    return value


def prepare_on_all(ranks: Ranks, loaded: LoadedConfig | None, *, advise: bool = True) -> Experiment:
    """`prepare` on all ranks at the same time: with rank 0's config and its seed, and the data files of each machine.

    Only rank 0 gives a config. Each error is raised on the lowest rank that meets it.
    """
    config = ranks.broadcast(loaded)
    assert config is not None
    experiment = everywhere(ranks, lambda: prepare(config, advise=advise))
    if ranks.size > 1:
        everywhere(ranks, lambda: check_alike(ranks, experiment.sha256))
        experiment.workers, experiment.processes, experiment.mpi = Parts(ranks), ranks.size, ranks.library()
        experiment.begin = partial(share_state, ranks, experiment)
        B = experiment.batch_size
        idle = f", so that {ranks.size - B} of them are idle" if ranks.size > B else ""
        experiment.notes.append(f"{ranks.size} ranks share each minibatch of {B}{idle}")
    return experiment


def check_alike(ranks: Ranks, sha256: dict[str, str]) -> None:
    """Raises RanksDiffer when this rank has not the versions of rank 0, DataError when it has not its data files."""
    versions = environment()["versions"]
    host, wanted_versions, wanted_sha256 = ranks.broadcast((platform.node(), versions, sha256))
    for name, version in versions.items():
        wanted = wanted_versions[name]
        if version != wanted:
            raise RanksDiffer(f"has {name} {version}, rank 0 on {host} has {wanted}; install the same")
    for path, found in sha256.items():
        wanted = wanted_sha256[path]
        if found != wanted:
            raise DataError(
                f"{path} is not the file that rank 0 has on {host} "
                f"(SHA-256 {found[:12]}..., there {wanted[:12]}...); copy it to all machines"
            )


def share_state(ranks: Ranks, experiment: Experiment, progress: Progress) -> Progress:
    """Have all ranks go on from rank 0's state: all that the next minibatch depends on beside config and data."""
    theta, optimizer, generator = experiment.model.network.theta, experiment.optimizer, experiment.rng.bit_generator
    progress, sent, state, generator_state = ranks.broadcast((progress, theta, optimizer.state(), generator.state))
    if ranks.rank > 0:
        theta[...] = sent
        optimizer.load_state(state, theta)
        generator.state = generator_state
    return progress

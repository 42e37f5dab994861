"""Several ranks prepare one run: each reads the data itself, and all must have found the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlp.experiments.assemble import prepare
from mlp.experiments.config.load import LoadedConfig
from mlp.experiments.experiment import Experiment
from mlp.experiments.machine import environment
from mlp.parallel.mpi import MPIRanks, RankFailed


@dataclass
class Answer:
    """What a rank has found on its machine, or the message and the exit code of what went wrong there."""

    host: str
    message: str = ""
    code: int = 0
    sha256: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()


def answer_of(ranks: MPIRanks, experiment: Experiment) -> Answer:
    return Answer(
        ranks.host, sha256=tuple(experiment.sha256.values()), versions=tuple(environment()["versions"].items())
    )


def prepare_on_all(ranks: MPIRanks | None, loaded: LoadedConfig, *, advise: bool = True) -> Experiment:
    """`prepare`, on this rank, which is 0, and on all others at the same time.

    The config with its seed is this rank's; data files are those of each machine. Raises RankFailed when another rank
    could not prepare, or has other data files or other versions than this one.
    """
    if ranks is None:
        return prepare(loaded, advise=advise)
    ranks.start("prepare", loaded)
    try:
        experiment = prepare(loaded, advise=advise)
    finally:
        answers = ranks.gather() or []  # also where this rank has failed, which is told then
    own = answer_of(ranks, experiment)
    for rank, answer in enumerate(answers):
        if answer is not None:
            check_answer(f"rank {rank} on {answer.host}", answer, own, list(experiment.sha256))
    experiment.ranks = ranks
    B = experiment.batch_size
    idle = f", so that {ranks.size - B} of them are idle" if ranks.size > B else ""
    experiment.notes.append(f"{ranks.size} ranks share each minibatch of {B}{idle}")
    return experiment


def check_answer(who: str, answer: Answer, own: Answer, paths: list[str]) -> None:
    """Raises RankFailed for an answer that is not like rank 0's own."""
    if answer.message:
        raise RankFailed(f"{who}: {answer.message}", answer.code)
    pairs: list[tuple[Any, Any]] = [*zip(answer.versions, own.versions, strict=True)]
    for (name, version), (_, wanted) in pairs:
        if version != wanted:
            raise RankFailed(f"{who}: has {name} {version}, rank 0 on {own.host} has {wanted}; install the same", 1)
    for path, found, wanted in zip(paths, answer.sha256, own.sha256, strict=True):
        if found != wanted:
            raise RankFailed(
                f"{who}: {path} is not the file that rank 0 has on {own.host} "
                f"(SHA-256 {found[:12]}..., there {wanted[:12]}...); copy it to all machines",
                3,
            )

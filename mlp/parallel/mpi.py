"""The engine of several ranks: MPI, by mpi4py, where mpiexec (or the like) has started more than one process.

mpi4py is loaded here and nowhere else, and only then.
"""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlp.types import Array

LAUNCHERS = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # mpiexec of Open MPI
    ("PMI_RANK", "PMI_SIZE"),  # of MPICH and its relatives; srun --mpi=pmi2
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS"),  # srun --mpi=pmix; a batch script itself has no PMIX_RANK
)
FIRST_OF_MACHINE = ("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID")


def launched() -> tuple[int, int]:
    """The number of this process and how many there are, by what its launcher has put into the environment."""
    for rank, size in LAUNCHERS:
        if os.environ.get(rank, "").isdecimal() and os.environ.get(size, "").isdecimal():
            return int(os.environ[rank]), int(os.environ[size])
    return 0, 1


class MPIRanks:
    """The processes of an MPI communicator, as `train` asks for them (see `mlp.parallel.ranks.Ranks`), and what goes
    between them before and after training.

    `training` says that the other ranks are in the training loop, where nothing but its sums is heard.
    """

    def __init__(self, communicator: Any) -> None:
        self.communicator = communicator
        self.rank: int = communicator.Get_rank()
        self.size: int = communicator.Get_size()
        self.host = platform.node()
        self.stop = False
        self.training = False

    def sum(self, array: Array) -> None:
        from mpi4py import MPI

        self.communicator.Allreduce(MPI.IN_PLACE, array, op=MPI.SUM)

    def start(self, job: str, content: Any) -> None:
        """Rank 0: have the others do this job (see `mlp.cli.serve`)."""
        self.training = job == "train"
        self.communicator.bcast((job, content), root=0)

    def next_job(self) -> tuple[str, Any]:
        """The other ranks: wait for it."""
        return self.communicator.bcast(None, root=0)

    def gather(self, value: Any = None) -> list[Any] | None:
        """The values of all ranks, on rank 0; None on the others."""
        return self.communicator.gather(value, root=0)

    def abort(self, code: int) -> None:
        """End the processes of all ranks now, whatever they wait for; the launcher ends with this exit code."""
        self.communicator.Abort(code)

    def library(self) -> str:
        """The MPI that is running, with its version: its sums have an order of their own."""
        from mpi4py import MPI

        return MPI.Get_library_version().rstrip("\0").partition("\n")[0].partition(",")[0]


def connect() -> MPIRanks | None:
    """All ranks, where this process is one of several, otherwise None.

    Raises MPIError when mpi4py is missing or is not for the MPI that started them; of the processes on one machine, the
    first has a message.
    """
    _, size = launched()
    if size == 1:
        return None
    import threadpoolctl  # noqa: F401 (what `share_cores` needs: it is to fail before MPI has begun, if it does)

    try:
        from mpi4py import MPI

        seen = MPI.COMM_WORLD.Get_size()
        problem = f"mpi4py runs with {MPI.Get_library_version()[:40]!r}, which sees {seen}: use the mpiexec of that MPI"
    except (ImportError, RuntimeError) as error:
        seen = 0
        problem = f"mpi4py cannot be used ({error}): pip install mpi4py, and an MPI such as Open MPI"
    if seen != size:
        first = all(os.environ.get(name, "0") == "0" for name in FIRST_OF_MACHINE)
        raise MPIError(f"{size} processes were started as ranks of one run, but {problem}" if first else "")
    ranks = MPIRanks(MPI.COMM_WORLD)
    share_cores(MPI.COMM_WORLD.Split_type(MPI.COMM_TYPE_SHARED).Get_size())
    return ranks


class MPIError(RuntimeError):
    """Several processes were started to work together, and cannot reach each other."""


class RankFailed(RuntimeError):
    """What another rank met before training, with the exit code that it stands for."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def share_cores(processes: int) -> None:
    """Take no more BLAS threads than this machine has cores for each of so many processes.

    Where the launcher has bound each to cores of its own the BLAS has seen that already, and what the user has set in
    the environment stays.
    """
    import threadpoolctl

    from mlp.experiments.machine import chosen_by_user, loaded_blas

    pools = loaded_blas()
    fair = max(1, (os.cpu_count() or 1) // processes)
    if chosen_by_user(pools) is None and any((pool["num_threads"] or 0) > fair for pool in pools):
        threadpoolctl.threadpool_limits(fair, user_api="blas")

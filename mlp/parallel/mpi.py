"""Connect several ranks by MPI (mpi4py), where mpiexec or the like has started more than one process.

mpi4py is loaded here and nowhere else, and only then.
"""

from __future__ import annotations

import os
from typing import Any, TypeVar

from mlp.parallel.ranks import Ranks
from mlp.types import Array

T = TypeVar("T")

LAUNCHERS = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # mpiexec of Open MPI
    ("PMI_RANK", "PMI_SIZE"),  # of MPICH and its relatives; srun --mpi=pmi2
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS"),  # srun --mpi=pmix; a batch script itself has no PMIX_RANK
)
FIRST_OF_MACHINE = ("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID")


def launched() -> tuple[int, int]:
    """The number of this process and of all, by what its launcher has put into the environment."""
    for rank, size in LAUNCHERS:
        if os.environ.get(rank, "").isdecimal() and os.environ.get(size, "").isdecimal():
            return int(os.environ[rank]), int(os.environ[size])
    return 0, 1


class MPIRanks(Ranks):
    """The processes of an MPI communicator."""

    def __init__(self, communicator: Any) -> None:
        self.communicator = communicator
        self.rank = communicator.Get_rank()
        self.size = communicator.Get_size()

    def sum(self, array: Array) -> None:
        from mpi4py import MPI

        self.communicator.Allreduce(MPI.IN_PLACE, array, op=MPI.SUM)

    def broadcast(self, value: T) -> T:
        received = self.communicator.bcast(value, root=0)
        return value if self.rank == 0 else received  # MPI gives rank 0 a copy, too

    def gather(self, value: T) -> list[T]:
        return self.communicator.allgather(value)

    def wait(self) -> None:
        self.communicator.Barrier()

    def abort(self, code: int) -> None:
        self.communicator.Abort(code)

    def library(self) -> str:
        from mpi4py import MPI

        return MPI.Get_library_version().rstrip("\0").partition("\n")[0].partition(",")[0]


def connect() -> Ranks:
    """The ranks that a launcher has started together with this process; without one the process is alone.

    Raises MPIError when mpi4py is missing or is not for the MPI that started them; of the processes on one machine, the
    first has a message.
    """
    _, size = launched()
    if size == 1:
        return Ranks()
    import threadpoolctl  # noqa: F401 (for `share_cores`: where it is missing, that is told before MPI begins)

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


def share_cores(processes: int) -> None:
    """Limit BLAS threads to this process's share of the machine's cores.

    A process that the launcher has bound to cores has no more threads than these, and what the user has set in the
    environment stays.
    """
    import threadpoolctl

    from mlp.experiments.machine import chosen_by_user, loaded_blas

    pools = loaded_blas()
    fair = max(1, (os.cpu_count() or 1) // processes)
    if chosen_by_user(pools) is None and any((pool["num_threads"] or 0) > fair for pool in pools):
        threadpoolctl.threadpool_limits(fair, user_api="blas")

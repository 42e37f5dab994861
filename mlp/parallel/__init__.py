"""Data-parallel training: several processes, called ranks, take a part of each minibatch each, and sum the bars.

The cost of a minibatch is a mean over its B examples, each times its weight where rows have weights. A rank that has
B_r of them has the mean c_r of their costs, and

    c = sum_r (B_r / B) c_r,    theta_bar = sum_r (B_r / B) theta_bar_r

by linearity. One sum over all ranks gives the cost and all bars at once. After it every rank has the same numbers and
takes the same step, so that weights need not be sent ("synchronous data parallelism"; Goyal et al. 2017, arXiv
1706.02677).

Ranks reach each other by MPI (mpi4py), which is loaded only where mpiexec or the like has started more than one.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any, TypeVar

import numpy as np

from mlp.network import Network
from mlp.types import Array

T = TypeVar("T")

LAUNCHERS = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # mpiexec of Open MPI
    ("PMI_RANK", "PMI_SIZE"),  # of MPICH and its relatives; srun --mpi=pmi2
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS"),  # srun --mpi=pmix; a batch script itself has no PMIX_RANK
)
FIRST_OF_MACHINE = ("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID")


class RanksDiffer(RuntimeError):
    """The ranks are not alike, and would train different networks."""


class MPIError(RuntimeError):
    """Several processes were started to work together, and cannot reach each other."""


class Ranks:
    """The processes that run one program together: `size` of them, this one number `rank`, from 0.

    This class is a process that is alone. All ranks call each method at the same point of the program, and wait there
    for each other.
    """

    rank: int = 0
    size: int = 1

    def sum(self, array: Array) -> None:
        """Put the sum over all ranks in the place of this contiguous array, the same bits on each rank."""

    def broadcast(self, value: T) -> T:
        """Rank 0's value, on all ranks."""
        return value

    def gather(self, value: T) -> list[T]:
        """The values of all ranks in their order, on all ranks."""
        return [value]

    def wait(self) -> None:
        """Wait until all ranks are here."""

    def abort(self, code: int) -> None:
        """End all ranks now, whatever they wait for, with this exit code."""
        raise SystemExit(code)

    def library(self) -> str | None:
        """The library that computes the sums, with its version: their last bits depend on it."""
        return None


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
    size = launched()
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


def launched() -> int:
    """The number of processes, by what their launcher has put into the environment."""
    for rank, size in LAUNCHERS:
        if os.environ.get(rank, "").isdecimal() and os.environ.get(size, "").isdecimal():
            return int(os.environ[size])
    return 1


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


class Parts:
    """One rank's part in every minibatch of a training: the `workers` of `mlp.train`.

    All ranks have the same data, and begin with the same weights, optimizer and generator. `stop` on any of them makes
    `stopping` true on all after the same minibatch. The buffer that is summed holds the weighted bars of all
    parameters, the weighted cost, and the number of ranks that asked to stop.
    """

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self.asked = self.stopping = False
        self.buffer: Array = np.empty(0)

    def stop(self) -> None:
        self.asked = True

    def share(self, rows: Array) -> Array:
        """Those of a minibatch's rows that this rank works on.

        They are cut evenly. Where there are fewer rows than ranks, some have none; these work on the first row, and
        their weight is 0, so that no loss or layer meets an empty minibatch.
        """
        start, stop = self.bounds(len(rows))
        return rows[start:stop] if start < stop else rows[:1]

    def bounds(self, B: int) -> tuple[int, int]:
        return B * self.ranks.rank // self.ranks.size, B * (self.ranks.rank + 1) // self.ranks.size

    def sum(self, theta_bar: Array, c: float, B: int) -> float:
        """The cost of the whole minibatch of B rows from this rank's part of it; its bars are put into `theta_bar`."""
        start, stop = self.bounds(B)
        weight = (stop - start) / B  # B_r / B
        if self.buffer.size != theta_bar.size + 2 or self.buffer.dtype != theta_bar.dtype:
            self.buffer = np.empty(theta_bar.size + 2, theta_bar.dtype)
        np.multiply(theta_bar, weight, out=self.buffer[:-2])
        self.buffer[-2:] = c * weight, self.asked
        self.ranks.sum(self.buffer)
        theta_bar[...] = self.buffer[:-2]
        self.stopping = bool(self.buffer[-1])
        return float(self.buffer[-2].real)

    def total(self, array: Array, B: int) -> Array:
        """The sum over all ranks of what each has of its rows; one that has none adds 0."""
        start, stop = self.bounds(B)
        array = np.ascontiguousarray(array if start < stop else np.zeros_like(array))
        self.ranks.sum(array)
        return array

    def agree(self, network: Network, scores: dict[str, float], epoch: int) -> dict[str, float]:
        """Rank 0's scores after an epoch, so that no rank decides otherwise than the others by a last bit.

        Raises RanksDiffer, on every rank, when the weights are not the same to the last bit on all of them.
        """
        digest = hashlib.sha256(network.theta.tobytes()).digest()
        if len(set(self.ranks.gather(digest))) > 1:
            raise RanksDiffer(
                f"after epoch {epoch}: the weights are not the same on all ranks: their machines do not compute alike "
                "(processor, BLAS kernel), or a layer or an optimizer draws random numbers of its own"
            )
        return self.ranks.broadcast(scores)

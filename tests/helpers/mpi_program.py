"""What `mpiexec` runs in tests/test_mpi.py: trains by the Python API on all ranks, and on rank 0 alone as well, and
compares the two there. Exits with 1, by an AssertionError, where they differ."""

import sys
from pathlib import Path

from mpi4py import MPI

from mlp.parallel.mpi import MPIRanks

sys.path.insert(0, str(Path(__file__).parents[1] / "parallel"))
import test_ranks as problem


def main():
    communicator = MPI.COMM_WORLD
    for case in problem.CASES:
        records, network = problem.training(case, MPIRanks(communicator))
        assert len(set(communicator.allgather(tuple(problem.bits(network))))) == 1, f"{case}: bits differ"
        if communicator.Get_rank() == 0:
            alone, network_alone = problem.training(case)
            assert len(records) == len(alone), case
            assert problem.difference(network, network_alone) < 1e-12, case
    if communicator.Get_rank() == 0:
        print(f"{len(problem.CASES)} cases agree on {communicator.Get_size()} ranks")


if __name__ == "__main__":
    main()

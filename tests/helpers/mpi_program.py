"""Train by the Python API on the ranks of an mpiexec, and on rank 0 alone as well; fail where the two differ."""

import sys
from pathlib import Path

from mlp.parallel import Parts, connect

sys.path.insert(0, str(Path(__file__).parents[1] / "parallel"))
import test_ranks as problem


def main():
    ranks = connect()
    for case in problem.CASES:
        records, network = problem.training(case, Parts(ranks))
        assert len(set(ranks.gather(problem.bits(network)))) == 1, f"{case}: bits differ"
        if ranks.rank == 0:
            alone, network_alone = problem.training(case)
            assert len(records) == len(alone), case
            assert problem.difference(network, network_alone) < 1e-12, case
    if ranks.rank == 0:
        print(f"{len(problem.CASES)} cases agree on {ranks.size} ranks")


if __name__ == "__main__":
    main()

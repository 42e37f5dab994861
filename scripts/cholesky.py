"""Time the reverse sweep through a Cholesky decomposition, unblocked against blocked.

Both differentiate the same factorization and give the same S_bar (Murray 2016, arXiv 1602.07527). The unblocked sweep
works on vectors and their outer products, and waits for memory. The blocked one spends its time in matrix products,
which compute far more with each number that they fetch.

    python scripts/cholesky.py --largest 2048
"""

from collections.abc import Callable
from time import perf_counter

import click
import numpy as np

from mlp.autodiff.rules.cholesky import BLOCK_SIZE, reverse_blocked, reverse_unblocked


def milliseconds(repeats: int, function: Callable[..., object], *arguments: object) -> float:
    """The shortest of several times, which other work on the machine has disturbed least."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        function(*arguments)
        times.append(perf_counter() - start)
    return 1000 * min(times)


@click.command()
@click.option("--smallest", type=click.IntRange(min=1), default=32, show_default=True, help="The first N.")
@click.option("--largest", type=click.IntRange(min=1), default=1024, show_default=True, help="N doubles up to this.")
@click.option(
    "--block-size", type=click.IntRange(min=1), default=BLOCK_SIZE, show_default=True, help="Rows of a block."
)
@click.option("--repeats", type=click.IntRange(min=1), default=7, show_default=True, help="The best of so many times.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(smallest: int, largest: int, block_size: int, repeats: int, seed: int) -> None:
    """Print the milliseconds of both reverse sweeps for N x N matrices, and their ratio, as N doubles."""
    rng = np.random.default_rng(seed)
    click.echo(f"{'N':>5s} {'unblocked':>10s} {'blocked':>10s} {'ratio':>7s}")
    size = smallest
    while size <= largest:
        A = rng.normal(size=(size, size))
        L, L_bar = np.linalg.cholesky(A @ A.T / size + np.eye(size)), rng.normal(size=(size, size))
        unblocked = milliseconds(repeats, reverse_unblocked, L, L_bar)
        blocked = milliseconds(repeats, reverse_blocked, L, L_bar, block_size)
        click.echo(f"{size:5d} {unblocked:10.3f} {blocked:10.3f} {unblocked / blocked:7.2f}")
        size *= 2


if __name__ == "__main__":
    main()

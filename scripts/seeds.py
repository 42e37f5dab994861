"""Show how much of a result is luck: train a config with many seeds, and print the spread of its scores.

A seed decides the split, the initial weights and the shuffling, so the spread has all three in it (no split in file
order, as for MNIST). A config whose data are not there is left out with a word, and the exit code is then 1.

    python scripts/seeds.py configs/digits.yaml --seeds 20
"""

from pathlib import Path

import click
import numpy as np

from mlp import Progress
from mlp.errors import ConfigError, DataError
from mlp.experiments.assemble import prepare
from mlp.experiments.config.load import load_config


def score(config: Path, seed: int) -> dict[str, float]:
    """Loss and metrics of the best epoch on the last split that the config has."""
    experiment, progress = prepare(load_config(config, [f"training.seed={seed}"])), Progress()
    for _ in experiment.epochs(progress):
        pass
    return list(experiment.scores(progress).values())[-1]


@click.command()
@click.argument("configs", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--seeds", type=click.IntRange(min=1), default=20, show_default=True, help="Seeds 0 to SEEDS - 1.")
def main(configs: tuple[Path, ...], seeds: int) -> None:
    """Print minimum, median and maximum over seeds of every metric of each config."""
    left_out = 0
    for config in configs:
        try:
            scores = [score(config, seed) for seed in range(seeds)]
        except (ConfigError, DataError) as error:
            click.echo(f"{config.stem} is left out: {error}", err=True)
            left_out += 1
            continue
        for name in scores[0]:
            values = np.array([each[name] for each in scores])
            click.echo(
                f"{config.stem:10s} {name:10s} min {values.min():.4g}  median {np.median(values):.4g}  "
                f"max {values.max():.4g}  ({seeds} seeds)"
            )
    if left_out:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

"""Train a run's config again on training and validation rows together, for as many epochs as were best."""

from __future__ import annotations

from pathlib import Path

from mlp.errors import ConfigError
from mlp.experiments.config.load import load_config
from mlp.experiments.storage.run_folder import read_facts


def refit_settings(folder: Path) -> tuple[str, ...]:
    """What to set in the config of a finished run: no validation rows, and the last epoch answers, which was the best.

    The schedule stays as it was, and so do the rows for testing. Raises ConfigError for a run that cannot be refitted.
    """
    facts, config = read_facts(folder), load_config(folder / "config.yaml").config
    training, split = config.training, config.data.split
    if facts["status"] != "finished" or not facts["best_epoch"]:
        raise ConfigError(f"{folder}: is {facts['status']}; only a finished run says how many epochs are best")
    if split.folds is None and split.valid == 0:
        raise ConfigError(
            f"{folder}: its validation rows are not cut from data.path by fractions or folds: nothing to add"
        )
    if training.plateau is not None:
        raise ConfigError(f"{folder}: training.plateau followed its validation rows, which a refit has not")
    settings = [
        "data.split.valid=0",
        "data.split.folds=null",
        "data.split.fold=null",
        f"training.epochs={facts['best_epoch']}",
        "training.monitor=epoch",
        "training.early_stopping=null",
    ]
    if "epochs" in type(training.schedule).model_fields:
        settings.append(f"training.schedule.epochs={training.schedule.epochs or training.epochs}")
    return tuple(settings)

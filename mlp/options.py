"""Say what a training needs: data, network, loss and optimizer, and how they are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated

import numpy as np

from mlp.arguments import check_arguments
from mlp.evaluation import check_fit, check_metrics
from mlp.losses.loss import Loss, check_costs, check_label_smoothing
from mlp.minibatches import Alone, Workers
from mlp.monitor import Monitor, Plateau
from mlp.network import Network
from mlp.optimizers import Optimizer
from mlp.records import Progress
from mlp.schedules import Schedule, check_schedule, constant
from mlp.types import Count, Data, Fraction, Metrics, NonNegative, OneOf, Positive


@dataclass
class Options:
    """The arguments of `mlp.train`.

    `data` is (X, Y) with one example a row: X is N x D, Y is N x K (one-hot for classes); `valid` likewise. (X, Y, w)
    has N weights of the rows as well, and their costs are multiplied by these (see `mlp.losses.mean_cost`). Each epoch
    shuffles all rows with `rng` and cuts them into minibatches of `batch_size`; the last one is smaller if `batch_size`
    does not divide N. Every minibatch steps along the gradient of its own mean cost plus the L2 penalty.

    - `metrics` maps names to functions of predictions and targets (both K x N), computed on the validation set;
    - `l2` is the strength of the L2 penalty, `weight_decay` that of decoupled decay (see `mlp.penalties`);
    - `schedule` is a factor on `optimizer.learning_rate` at every step, `clip` a limit of the gradient's global norm;
    - `rate_factors` has factors of the learning rate for parameters, by their names (see `mlp.optimizers.rates_of`);
    - `label_smoothing` is the share of an even target in those that are trained on (see `cost_and_seed`);
    - `ema` is the decay of a moving average of theta (Polyak and Juditsky 1992), which is evaluated and kept instead;
    - `monitor` says by what an epoch is the best: the loss, a metric, or that it is the last (see `mlp.monitor`);
    - `plateau` lowers the learning rate where epochs get no better (see `mlp.monitor.Plateau`);
    - `patience` stops after so many epochs without a better one, and puts the best epoch's weights back;
    - `train_loss`: "running" is the mean cost of the examples as they were trained on, for free; "epoch_end" evaluates
      the training set, and the metrics on it, after the epoch;
    - `progress` is updated before each yield: with it, the network, optimizer and rng of an interrupted run, training
      goes on exactly where it was, in the middle of an epoch too;
    - `workers` are the processes that share each minibatch (see `mlp.minibatches.Workers`).

    Raises TypeError or ValueError for arguments that cannot work.
    """

    network: Network
    loss: Loss
    optimizer: Optimizer
    data: Data
    _: KW_ONLY
    rng: np.random.Generator
    epochs: Count
    batch_size: Count = 32
    valid: Data | None = None
    metrics: Metrics = field(default_factory=dict)
    l2: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    schedule: Schedule = field(default_factory=constant)
    clip: Positive | None = None
    rate_factors: Mapping[str, float] = field(default_factory=dict)
    label_smoothing: Fraction = 0.0
    ema: Fraction = 0.0
    monitor: Monitor = field(default_factory=Monitor)
    plateau: Plateau | None = None
    patience: Count | None = None
    train_loss: Annotated[str, OneOf(("running", "epoch_end"))] = "running"
    progress: Progress = field(default_factory=Progress)
    workers: Workers = field(default_factory=Alone)

    def __post_init__(self) -> None:
        check_arguments(Options, vars(self))
        check_metrics(self.metrics)
        check_schedule(self.schedule)
        check_fit("data", self.network, self.loss, self.data)
        if self.valid is not None:
            check_fit("valid", self.network, self.loss, self.valid)
        if any(data is not None and len(data) == 3 for data in (self.data, self.valid)):
            check_costs(self.loss)
        if self.patience is not None and self.valid is None:
            raise ValueError("early stopping (patience) needs a validation set (valid)")
        check_label_smoothing(self.loss, self.label_smoothing)
        self.monitor.check(self.metrics, self.valid, self.train_loss)

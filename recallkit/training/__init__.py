"""Training: a trainer that takes steps, the loop around it, and the run folder that it fills."""

from recallkit.training.baselines import BASELINE_LOSSES, make_baseline_loss
from recallkit.training.build import (
    count_steps,
    make_loss,
    make_network,
    make_optimizer,
    make_schedule,
    make_train_transform,
)
from recallkit.training.environment import choose_device, peak_memory
from recallkit.training.frozen_features import feature_splits, plain_features
from recallkit.training.loop import train
from recallkit.training.run_folder import load_run
from recallkit.training.session import AMONG_TRAINING
from recallkit.training.stopping import Stopped
from recallkit.training.trainer import Diverged, Training

__all__ = [
    "AMONG_TRAINING",
    "BASELINE_LOSSES",
    "Diverged",
    "Stopped",
    "Training",
    "choose_device",
    "count_steps",
    "feature_splits",
    "load_run",
    "make_baseline_loss",
    "make_loss",
    "make_network",
    "make_optimizer",
    "make_schedule",
    "make_train_transform",
    "peak_memory",
    "plain_features",
    "train",
]

"""The duration of a sweep, by the speed of stored runs; nothing is trained or computed."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import pandas as pd

from recallkit.config import Config
from recallkit.data import load
from recallkit.data.prefetch import Reading

# What decides the time of an image most, and what changes it too.
_NETWORK = ["network", "frozen", "image_size", "precision"]
_STEP = ["dataset", "embedding_dim", "simix", "loss", "batch_size", "per_class"]


def total_images(config: Config) -> int:
    """Return how many images a training sees; where epochs decide, the training images are counted.

    Raises:
        RecallkitError: if epochs decide, and the data set is missing.
    """
    size = _train_size(config.dataset, config.image_size, config.root) if config.epochs else 1
    return config.total_images(size)


@cache
def _train_size(dataset: str, image_size: int, root: str) -> int:
    files_stay_on_disk = Reading(workers=1)
    return len(load(dataset, image_size, root, files_stay_on_disk).train)


class Duration(NamedTuple):
    """The duration of trainings.

    Attributes:
        seconds: of training, one at a time; evaluations and starts come on top.
        images: seen in those trainings whose speed is not known, and whose seconds are missing.
        similar: whether some speeds are those of other batch sizes, losses or data sets.
    """

    seconds: float
    images: int
    similar: bool


def duration(configs: Sequence[Config], runs: pd.DataFrame, device: str, threads: int) -> Duration:
    """Return the duration of trainings, from stored runs of the same work on the same device.

    Where none did the very same work, the speed is that of all that trained the same network on
    images of the same size.

    Args:
        configs: of the trainings.
        runs: of :func:`.load_results`.
        device: its name, as in the column "device".
        threads: of each training.
    """
    here = runs[(runs["device"] == device) & (runs["threads"] == threads)]
    same, alike = _speeds(here, _NETWORK + _STEP), _speeds(here, _NETWORK)
    seconds, images, similar = 0.0, 0, False
    for config in configs:
        work = tuple(getattr(config, name) for name in _NETWORK + _STEP)
        speed = same.get(work) or alike.get(work[: len(_NETWORK)])
        if speed is None:
            images += total_images(config)
        else:
            seconds += total_images(config) / speed
            similar |= work not in same
    return Duration(seconds, images, similar)


def _speeds(runs: pd.DataFrame, work: list[str]) -> dict[Any, float]:
    """Return the images a second of each kind of work, over all runs of it."""
    sums = runs.groupby(work)[["images_seen", "seconds"]].sum()
    return (sums["images_seen"] / sums["seconds"]).to_dict()

"""The loss of a perfect ranking for the settings of a training and the sizes of its classes."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from recallkit.config import Config
from recallkit.data.class_sizes import embedded_class_sizes
from recallkit.errors import RecallkitError
from recallkit.loss_floor import NO_FLOOR, Floor, batch_floor, count_positives
from recallkit.training.baselines import BASELINE_LOSSES
from recallkit.training.build import make_loss


def count_class_sizes(labels: Tensor) -> dict[int, int]:
    """Count classes by size: (N,) integer labels → number of images → number of classes."""
    sizes, classes = labels.unique(return_counts=True)[1].unique(return_counts=True)
    return dict(zip(sizes.tolist(), classes.tolist(), strict=True))


def class_sizes_of(config: Config, result: Mapping[str, Any]) -> dict[int, int]:
    """Return the sizes of the training classes of a run.

    Args:
        config: of the run.
        result: what its file holds. Files of older versions lack "class_sizes"; of embedded data
            sets they are known nevertheless.

    Returns:
        Number of images → number of classes; nothing where it is not known.
    """
    if "class_sizes" in result:
        return {int(size): classes for size, classes in result["class_sizes"].items()}
    with suppress(RecallkitError):  # a result is worth reading without its images, too
        return Counter(embedded_class_sizes(config.dataset))
    return {}


def training_floor(config: Config, class_sizes: Mapping[int, int]) -> Floor:
    """Compute the loss of a perfect ranking in the batches of a training; see :mod:`.loss_floor`.

    It is the mean over an epoch, in which smaller groups of a class count too: with 4 images a
    class it is 0.102 if every class fills its groups, and 0.109 on glyphs, where every fourth class
    has six images and so a group of two.

    Args:
        config: the settings of the loss, SiMix and ``per_class``.
        class_sizes: of the training classes; see :func:`count_class_sizes`.

    Returns:
        The floor. NaN without class sizes; for a baseline loss, circle loss and UniLoss, which
        depend on more than the ranking; for SiMix with queries in their database, where a perfect
        ranking has no one loss: a virtual example comes anywhere among its own positives; and for
        variants of SiMix in which virtual examples have another role, whose positives are not
        counted here.
    """
    is_open = config.simix and config.query_in_database and config.loss != "smooth-ap"
    if config.loss in BASELINE_LOSSES or is_open or not class_sizes:
        return NO_FLOOR
    return _floor(config, tuple(class_sizes.items()))


@lru_cache(maxsize=10_000)  # tables of stored runs ask for hundreds, again and again
def _floor(config: Config, class_sizes: tuple[tuple[int, int], ...]) -> Floor:
    positives = count_positives(dict(class_sizes), config.per_class, config.simix)
    return batch_floor(make_loss(config, torch.empty(0)), positives)

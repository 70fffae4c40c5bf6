"""Pairs of images whose pixels are nearly the same, by the cosine of the baseline "raw pixels"."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

THRESHOLDS = (0.9, 0.95, 0.98)

_ROWS = 1024  # images that are compared with all others at once


class Near(NamedTuple):
    """Pairs of near images.

    Attributes:
        first: (P,) int64, rows of the first set.
        second: (P,) int64, rows of the second set.
        cosines: (P,) float32.
    """

    first: Tensor
    second: Tensor
    cosines: Tensor


def near_pairs(first: Tensor, second: Tensor, threshold: float = min(THRESHOLDS)) -> Near:
    """Find the pairs whose cosine reaches a threshold; of one set also each row with itself.

    Args:
        first: (N, D) float32, unit vectors.
        second: (M, D) float32, unit vectors.
        threshold: the smallest cosine.
    """
    found = []
    for start in tqdm(range(0, len(first), _ROWS), desc="pixels", delay=2, leave=False):
        cosines = first[start : start + _ROWS] @ second.T
        rows, others = torch.nonzero(cosines >= threshold, as_tuple=True)
        found.append((rows + start, others, cosines[rows, others]))
    return Near(*map(torch.cat, zip(*found, strict=True)))


def with_training(near: Near, test: Tensor, train: Tensor, threshold: float) -> set[tuple]:
    """Return the pairs (training class, test class) that have images as near as the threshold."""
    reached = near.cosines >= threshold
    labels = (train[near.second[reached]].tolist(), test[near.first[reached]].tolist())
    return set(zip(*labels, strict=True))


def within_test(near: Near, test: Tensor, threshold: float) -> set[tuple[int, int]]:
    """Return the pairs of different test classes, the lower first, that have images as near."""
    pairs = with_training(near, test, test, threshold)
    return {(low, high) for low, high in pairs if low < high}


def counts(to_train: Near, to_test: Near, test: Tensor) -> list[dict[str, Any]]:
    """Count the test images that are near an image of another set or class, for each threshold.

    Args:
        to_train: near pairs of test and training images.
        to_test: near pairs among the test images.
        test: (N,) the labels of the test images.
    """
    same = test[to_test.first] == test[to_test.second]
    own = same & (to_test.first != to_test.second)
    return [
        {
            "threshold": threshold,
            **_count("training", to_train.first[to_train.cosines >= threshold], test),
            **_count("test", to_test.first[~same & (to_test.cosines >= threshold)], test),
            **_count("own", to_test.first[own & (to_test.cosines >= threshold)], test),
        }
        for threshold in THRESHOLDS
    ]


def _count(name: str, rows: Tensor, labels: Tensor) -> dict[str, int]:
    images: Sequence[int] = rows.unique().tolist()
    return {name: len(images), f"{name} classes": len(labels[images].unique())}

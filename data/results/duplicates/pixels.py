"""Pairs of images whose pixels are nearly the same, by the cosine of the baseline "raw pixels"."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

SIDE = 32  # pixels, as for the baseline "raw pixels"
THRESHOLDS = (0.9, 0.95, 0.98)

_ROWS = 1024  # images that are compared with all others at once
_ERROR = 0.01  # more than bfloat16 can err in a cosine: 2⁻⁸ by its factors, 2⁻⁹ by its rounding


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

    A bound of the cosine proposes pairs, and the cosine decides: see :func:`_coarse`.

    Args:
        first: (N, D) float32, unit vectors, the pixels of squares channel by channel.
        second: (M, D) float32, unit vectors.
        threshold: the smallest cosine.
    """
    found, proposing, coarse = [], _coarse(first), _coarse(second)
    for start in tqdm(range(0, len(first), _ROWS), desc="pixels", delay=2, leave=False):
        bounds = proposing[start : start + _ROWS] @ coarse.T
        rows, others = torch.nonzero(bounds >= threshold - _ERROR, as_tuple=True)
        cosines = (first[rows + start] * second[others]).sum(1)
        near = cosines >= threshold
        found.append((rows[near] + start, others[near], cosines[near]))
    return Near(*map(torch.cat, zip(*found, strict=True)))


def _coarse(pixels: Tensor) -> Tensor:
    """Shorten vectors so that their products are bounds: (N, D) float32 → (N, D/4 + 1) bfloat16.

    Twice the means of 2×2 pixels are the coordinates of a projection a₁ of a; a₂ is what it leaves.
    By Cauchy and Schwarz a·b ≤ a₁·b₁ + |a₂||b₂|, the product of the vectors (a₁, |a₂|), (b₁, |b₂|).
    """
    squares = pixels.reshape(len(pixels), -1, SIDE, SIDE)
    projected = 2 * torch.nn.functional.avg_pool2d(squares, 2).flatten(1)
    left = ((pixels**2).sum(1) - (projected**2).sum(1)).clamp(min=0).sqrt()
    return torch.cat([projected, left[:, None]], dim=1).bfloat16()


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

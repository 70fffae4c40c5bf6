"""All outcomes of a few comparisons, and how many of UniLoss's anchors lie at each."""

import torch
from torch import Tensor


def corners_of(count: int) -> Tensor:
    """List all corners of the cube of some comparisons. The first is the truth.

    Args:
        count: C, at least 1; there are 2^C corners.

    Returns:
        (2^C, C) float64: +1 where a comparison is right, −1 where it is wrong. Corner i has wrong
        comparisons where i has binary digits 1, the lowest digit first.
    """
    digits = torch.arange(2**count)[:, None] >> torch.arange(count)
    return (1 - 2 * (digits % 2)).double()


def corner_counts(comparisons: Tensor, count: int = 16) -> Tensor:
    """Count the anchors of :func:`recallkit.related.draw_anchors` at each corner, on average.

    Args:
        comparisons: (C,) floating, b; above 0 is right.
        count: of the good, of the near and of the random anchors.

    Returns:
        (2^C,) float64, in the order of :func:`corners_of`; the sum is 1 + 3 · count.
    """
    corners = corners_of(len(comparisons))
    wrong = corners < 0
    single = wrong.sum(dim=1) == 1
    here = comparisons <= 0
    missing = (here & ~wrong).sum(dim=1) == 1  # one mended, and no right one lost
    near = missing & ~(wrong & ~here).any(dim=1) if here.any() else single
    kinds = [wrong.sum(dim=1) == 0, single, near, torch.ones_like(single)]
    numbers = [1, count, count, count]
    shares = [n * kind.double() / kind.sum() for n, kind in zip(numbers, kinds, strict=True)]
    return torch.stack(shares).sum(dim=0)

"""Metrics as functions of binary comparisons: is this positive before that negative?

A ranking has P positives and N negatives, and P·N comparisons, each +1 (the positive comes before
the negative, which is right) or −1. All comparisons of R rankings stand in a table (R, P, N), which
holds 0 where a ranking has fewer. Each metric here takes A such tables, (A, R, P, N), and returns
the mean over the rankings, (A,): float32 for integers, such as those of :func:`.draw_anchors`. A
ranking without any comparison counts 1: nothing in it can be wrong. The order of positives among
themselves does not matter to any of them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from recallkit.checks import check_ks, check_tensor
from recallkit.constants import PAPERS_KS


def average_precision(comparisons: Tensor) -> Tensor:
    """Compute the mean average precision of rankings that are given by their comparisons.

        AP = 1/P · Σ_i max_{j ≥ i} j / (j + n_j),    n_1 ≤ n_2 ≤ … ≤ n_P

    with n_j the number of negatives before the j-th positive. The precision is the interpolated
    one, which never rises along the list.

    Some comparisons belong to no ranking: p before n, n before q, q before m, m before p. A ranking
    whose comparisons contain such a cycle counts 0, as in the released code of UniLoss. Such
    comparisons can be anchors of an interpolation, for example random ones.

    Args:
        comparisons: (A, R, P, N) numbers: +1, −1, and 0 at padding.

    Returns:
        (A,) between 0 and 1.

    Raises:
        ValueError: for what is no tensor of numbers (A, R, P, N).
    """
    comparisons = _floating(comparisons)
    before, order = negatives_before(comparisons)
    place = _places(before)
    precision = (place / (place + before)).flip(-1).cummax(dim=-1).values  # 0 at padding
    positives = before.isfinite().sum(dim=-1)  # (A, R)
    mean = precision.sum(dim=-1) / positives.clamp(min=1)
    mean = mean.masked_fill(positives == 0, 1)
    return mean.masked_fill(_has_cycle(comparisons, before, order), 0).mean(dim=-1)


def recall_at_k(comparisons: Tensor, ks: Sequence[int] = PAPERS_KS) -> Tensor:
    """Compute recall@k of rankings that are given by their comparisons, as a mean over several k.

        recall = 1/min(k, P) · Σ_j 1[j + n_j ≤ k],    n_1 ≤ n_2 ≤ … ≤ n_P

    with n_j as in :func:`average_precision`. So j + n_j is the rank of the j-th positive, and this
    is the recall that :func:`.soft_recall_at_k` relaxes. It only counts negatives, so comparisons
    that contain a cycle need no rule.

    Args:
        comparisons: (A, R, P, N) numbers: +1, −1, and 0 at padding.
        ks: the cut-offs, each at least 1; the paper's of RS@k.

    Returns:
        (A,) between 0 and 1.

    Raises:
        ValueError: for what is no tensor of numbers (A, R, P, N), or a k below 1.
    """
    before, _ = negatives_before(_floating(comparisons))
    k = torch.tensor(check_ks(ks), dtype=before.dtype, device=before.device)  # (K,)
    found = ((_places(before) + before)[..., None] <= k).sum(dim=-2)  # (A, R, K)
    positives = before.isfinite().sum(dim=-1, keepdim=True)  # (A, R, 1)
    recall = found / torch.minimum(k, positives.clamp(min=1))
    return recall.masked_fill(positives == 0, 1).to(before.dtype).mean(dim=(-2, -1))


def accuracy(comparisons: Tensor) -> Tensor:
    """Compute the share of rankings in which no comparison is wrong.

    With one positive in each ranking, the score of the true class, and the other classes as its
    negatives, this is the accuracy of a classifier.

    Args:
        comparisons: (A, R, P, N) numbers: +1, −1, and 0 at padding.

    Returns:
        (A,) between 0 and 1.

    Raises:
        ValueError: for what is no tensor of numbers (A, R, P, N).
    """
    comparisons = _floating(comparisons)
    right = (comparisons >= 0).flatten(2).all(dim=2)  # (A, R)
    return right.to(comparisons.dtype).mean(dim=1)


def negatives_before(comparisons: Tensor) -> tuple[Tensor, Tensor]:
    """Count the negatives before each positive, and sort the positives by that.

    Args:
        comparisons: (…, P, N) floating: +1, −1, and 0 at padding.

    Returns:
        (…, P) of the same dtype, n_1 ≤ n_2 ≤ …, and +∞ at padding; and (…, P) int64, which
        positive that is.
    """
    wrong = (comparisons < 0).sum(dim=-1).to(comparisons.dtype)
    absent = (comparisons == 0).all(dim=-1)
    return wrong.masked_fill(absent, torch.inf).sort(dim=-1, stable=True)


def _floating(comparisons: Tensor) -> Tensor:
    """Return comparisons as floating point numbers; refuse what are none."""
    check_tensor(comparisons, "comparisons")
    if comparisons.ndim != 4 or comparisons.is_complex() or comparisons.dtype == torch.bool:
        raise ValueError(
            f"comparisons must be numbers (A, R, P, N), +1, −1, or 0 at padding, "
            f"not {comparisons.dtype} of shape {tuple(comparisons.shape)}"
        )
    return comparisons if comparisons.is_floating_point() else comparisons.float()


def _places(before: Tensor) -> Tensor:
    """Return 1, 2, …, P: the place of each positive among the positives."""
    return torch.arange(1, before.shape[-1] + 1, dtype=before.dtype, device=before.device)


def _has_cycle(comparisons: Tensor, before: Tensor, order: Tensor) -> Tensor:
    """Tell which rankings (A, R) contradict themselves.

    In a true ranking the negatives before a positive are also before all later positives. If each
    of these sets holds the one before it, there is no cycle; if one does not, there is.
    """
    above = (comparisons < 0).gather(-2, order[..., None].expand_as(comparisons))
    lost = (above[..., :-1, :] & ~above[..., 1:, :]).any(dim=-1)  # (A, R, P − 1)
    return (lost & before[..., 1:].isfinite()).any(dim=-1)

"""Recall@k of relaxed ranks, with a gradient."""

from collections.abc import Sequence

import torch
from torch import Tensor


def soft_recall_at_k(ranks: Tensor, ks: Sequence[int], k_temperature: float = 1.0) -> Tensor:
    r"""Relax recall@k: the share of a query's positives among its first k, with a gradient.

        recall[q,k] = min(Σ_p sigmoid((k − r[q,p]) / τ₁), k) / min(k, P_q)

    The cap at k belongs to the definition. At most k items can be among the first k, but several
    positives whose soft ranks lie just below k would add up to more.

    Args:
        ranks: (Q, P) relaxed ranks, +∞ at padding; each row has a finite entry.
        ks: the cut-offs, each at least 1.
        k_temperature: τ₁, in units of rank. 1 is the paper's choice: a positive one place beyond
            k still counts 27 % and feels the pull.

    Returns:
        (Q, K), between 0 and 1.
    """
    k = torch.tensor(ks, dtype=ranks.dtype, device=ranks.device)  # (K,)
    count = torch.minimum(soft_count(ranks, k, k_temperature), k)  # (Q, K)
    positives = (ranks < torch.inf).sum(dim=1, keepdim=True)  # (Q, 1)
    return count / torch.minimum(k, positives)


def soft_count(ranks: Tensor, k: Tensor, k_temperature: float) -> Tensor:
    """Count the positives among the first k (K,) softly: (Q, P) ranks → (Q, K)."""
    return torch.sigmoid((k - ranks[:, :, None]) / k_temperature).sum(dim=1)

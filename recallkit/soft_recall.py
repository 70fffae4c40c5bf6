"""Recall@k of relaxed ranks, with a gradient: plainly, and with its gradient written out."""

from collections.abc import Sequence
from typing import Any

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
    return count / _most(ranks, k)


def soft_count(ranks: Tensor, k: Tensor, k_temperature: float) -> Tensor:
    """Count the positives among the first k (K,) softly: (Q, P) ranks → (Q, K)."""
    return _among(ranks, k, k_temperature).sum(dim=1)


def _among(ranks: Tensor, k: Tensor, k_temperature: float) -> Tensor:
    lead = k - ranks[:, :, None]  # (Q, P, K)
    if k_temperature != 1:  # a small batch spends its time on starting operations
        lead = lead / k_temperature
    return torch.sigmoid(lead)


def _most(ranks: Tensor, k: Tensor) -> Tensor:
    """Count the positives that can be among the first k: min(k, P_q), (Q, K)."""
    return torch.minimum(k, (ranks < torch.inf).sum(dim=1, keepdim=True))


def quick_recall_at_k(ranks: Tensor, ks: Sequence[int], k_temperature: float = 1.0) -> Tensor:
    """Compute :func:`soft_recall_at_k` with its gradient written out.

    Autograd would start about twice as many operations, which is what the time of a small batch
    goes into. Differentiable any number of times, beyond once by the definition. Not for
    ``torch.func``. The arguments and the result are those of :func:`soft_recall_at_k`.
    """
    return _QuickRecall.apply(ranks, tuple(ks), k_temperature)


class _QuickRecall(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, ranks: Tensor, ks: tuple[int, ...], k_temperature: float) -> Tensor:
        ctx.ks, ctx.k_temperature = ks, k_temperature
        k = torch.tensor(ks, dtype=ranks.dtype, device=ranks.device)  # (K,)
        among = _among(ranks, k, k_temperature)
        count, most = among.sum(dim=1), _most(ranks, k)
        ctx.save_for_backward(ranks, among, (count < k) / most)  # beyond the cap the slope is 0
        return torch.minimum(count, k) / most

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        ranks, among, slope = ctx.saved_tensors
        if torch.is_grad_enabled():  # a derivative of this derivative is asked for
            recall = soft_recall_at_k(ranks, ctx.ks, ctx.k_temperature)
            return torch.autograd.grad(recall, ranks, grads[0], create_graph=True)[0], None, None
        slope = slope * (grads[0] / -ctx.k_temperature)  # (Q, K); σ falls with the rank
        return torch.ops.aten.sigmoid_backward(slope[:, None], among).sum(dim=2), None, None

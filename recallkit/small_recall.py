"""RS@k of a small batch: one function from embeddings to loss, with its gradient written out.

A small batch spends its time on starting operations. So the loss is one step of autograd, and makes
its gradient in the forward pass, where all that it needs is at hand. From then on dL/dS (Q, N) is
kept, in place of the table of comparisons (Q, P, N).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recallkit.ranks.precision import check_precision, in_single, without_autocast
from recallkit.ranks.small import SmallProblem, by_definition
from recallkit.soft_recall import soft_recall_at_k


def small_recall_loss(
    queries: Tensor,
    gallery: Tensor,
    problem: SmallProblem,
    ks: Sequence[int],
    k_temperature: float = 1.0,
) -> Tensor:
    """Compute 1 − the mean of :func:`.soft_recall_at_k` over queries and cut-offs.

    Differentiable any number of times: beyond once by the definition. Not for ``torch.func``.

    Args:
        queries: (Q, D) floating, each with at least one positive.
        gallery: (N, D), type and device as ``queries``; may be the same tensor.
        problem: what is ranked, and how.
        ks: the cut-offs.
        k_temperature: τ₁.

    Returns:
        A scalar. Memory O(Q·N·P) on the way, O(Q·N) until the backward pass.
    """
    check_precision(problem.precision)
    queries, gallery = in_single(queries, gallery)
    others = None if gallery is queries else gallery
    with without_autocast(queries.device.type):
        return _SmallRecallLoss.apply(queries, others, problem, tuple(ks), k_temperature)


class _SmallRecallLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        gallery: Tensor | None,
        problem: SmallProblem,
        ks: tuple[int, ...],
        k_temperature: float,
    ) -> Tensor:
        ctx.problem, ctx.settings = problem, (ks, k_temperature)
        steps = problem.steps(queries, gallery)
        recall, grad = _mean_recall(problem, problem.ranks(steps), *ctx.settings)
        wanted = any(ctx.needs_input_grad)
        weights = problem.weights(grad, steps) if wanted else None
        ctx.save_for_backward(queries, gallery, weights)
        return 1 - recall

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        queries, gallery, weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # a derivative of this derivative is asked for

            def loss(*tensors: Tensor) -> Tensor:
                ranks = ctx.problem.ranks_by_definition(*tensors)
                return 1 - soft_recall_at_k(ranks, *ctx.settings).mean()

            found = by_definition(ctx.problem, loss, queries, gallery, grads[0])
            return *found, None, None, None
        weights = weights * grads[0]
        parts = ctx.problem.gradients(weights, queries, gallery, ctx.needs_input_grad[:2])
        return *parts, None, None, None


def _mean_recall(
    problem: SmallProblem, ranks: Tensor, ks: tuple[int, ...], k_temperature: float
) -> tuple[Tensor, Tensor]:
    """Compute the mean recall of ranks (Q, P), and the gradient (Q, P) of one minus it."""
    k = torch.tensor(ks, dtype=ranks.dtype, device=ranks.device)  # (K,)
    lead = k - ranks[:, :, None]  # (Q, P, K)
    among = (lead if k_temperature == 1 else lead.div_(k_temperature)).sigmoid_()
    count = among.sum(dim=1)  # (Q, K)
    most = _most(problem, k)
    recall = (torch.minimum(count, k) / most).mean()
    slope = (count < k) / (count.numel() * k_temperature * most)  # beyond the cap it is 0
    # The lead falls with the rank, and the loss with the recall: the signs cancel.
    return recall, torch.ops.aten.sigmoid_backward(slope[:, None], among).sum(dim=2)


def _most(problem: SmallProblem, k: Tensor) -> Tensor:
    """Count the positives that can be among the first k: min(k, P_q), (Q, K) or (K,) if alike."""
    if problem.full:
        return k.clamp(max=problem.positives.shape[1])
    return torch.minimum(k, (problem.positives >= 0).sum(dim=1, keepdim=True))

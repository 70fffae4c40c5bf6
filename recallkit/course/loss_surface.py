"""The loss of one query as a function of its similarities, and as a function of one rank."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recallkit.constants import PAPERS_KS
from recallkit.ranks import relaxed_ranks
from recallkit.soft_recall import soft_recall_at_k

PAPERS_SETTINGS: dict[str, Any] = {
    "ks": PAPERS_KS,
    "k_temperature": 1.0,
    "rank_temperature": 0.01,
}


def query_losses(
    similarities: Tensor,
    positives: int,
    ks: Sequence[int],
    k_temperature: float,
    rank_temperature: float,
) -> Tensor:
    """RS@k of queries that are given by their similarities.

    Args:
        similarities: (Q, N) of each query to its own N items; the first columns are positives.
        positives: P, their number.
        ks: the cut-offs.
        k_temperature: τ₁.
        rank_temperature: τ₂.

    Returns:
        (Q,) with a gradient.
    """
    queries, items = similarities.shape
    index = torch.arange(positives, device=similarities.device).expand(queries, positives)
    gallery = torch.eye(items, dtype=similarities.dtype, device=similarities.device)
    # Against unit vectors along the axes, the similarities are the entries of the query.
    ranks = relaxed_ranks(
        similarities, gallery, index, temperature=rank_temperature, engine="dense"
    )
    return 1 - soft_recall_at_k(ranks, ks, k_temperature).mean(dim=1)


def pull(similarities: Tensor, positives: int, **settings: Any) -> Tensor:
    """The pull on each positive: −dL/ds.

    Args:
        similarities: (Q, N), as in :func:`query_losses`.
        positives: P.
        settings: ks, k_temperature and rank_temperature.

    Returns:
        (Q, P).
    """
    similarities = similarities.detach().requires_grad_()
    total = query_losses(similarities, positives, **settings).sum()
    return -torch.autograd.grad(total, similarities)[0][:, :positives]


def rank_pull(ranks: Tensor, ks: Sequence[int], k_temperature: float) -> Tensor:
    """The fall of the loss for each place that a single positive moves up: dL/dr.

    Args:
        ranks: (M,) of the positive.
        ks: the cut-offs.
        k_temperature: τ₁.

    Returns:
        (M,).
    """
    ranks = ranks.detach().requires_grad_()
    losses = 1 - soft_recall_at_k(ranks[:, None], ks, k_temperature).mean(dim=1)
    return torch.autograd.grad(losses.sum(), ranks)[0]


def loss_and_pull(
    grid: Tensor,
    negatives: Tensor,
    ks: Sequence[int],
    k_temperature: float,
    rank_temperature: float,
) -> tuple[Tensor, Tensor]:
    """Loss and pull for all pairs of places of two positives, with the same negatives.

    Args:
        grid: (G,) similarities.
        negatives: (N,) similarities.
        ks: the cut-offs.
        k_temperature: τ₁.
        rank_temperature: τ₂.

    Returns:
        (G, G) losses, the first positive along the rows, and (G, G, 2) pulls.
    """
    pairs = torch.cartesian_prod(grid, grid)  # (G², 2)
    similarities = torch.cat([pairs, negatives.expand(len(pairs), -1)], dim=1)
    settings: dict[str, Any] = {"ks": ks, "k_temperature": k_temperature}
    settings["rank_temperature"] = rank_temperature
    side = len(grid)
    losses = query_losses(similarities, 2, **settings)
    return losses.view(side, side), pull(similarities, 2, **settings).view(side, side, 2)

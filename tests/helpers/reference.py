"""The definitions once more, in loops over scalars, sharing no code with the package."""

import torch
from torch import Tensor


def dot(a: Tensor, b: Tensor) -> Tensor:
    return sum((a[d] * b[d] for d in range(len(a))), start=torch.zeros((), dtype=a.dtype))


def step(difference: Tensor, temperature: float) -> Tensor:
    """The logistic function, by tanh rather than by torch.sigmoid."""
    return (1 + torch.tanh(difference / (2 * temperature))) / 2


def relaxed_rank(query: Tensor, gallery: Tensor, p: int, absent: set[int], tau: float) -> Tensor:
    own = dot(query, gallery[p])
    rank = 1 + 0 * own
    for z in range(len(gallery)):
        if z != p and z not in absent:
            rank = rank + step(dot(query, gallery[z]) - own, tau)
    return rank


def positives_of(q: int, labels: Tensor, gallery_labels: Tensor | None) -> list[int]:
    among = labels if gallery_labels is None else gallery_labels
    return [
        z
        for z in range(len(among))
        if among[z].item() == labels[q].item() and not (gallery_labels is None and z == q)
    ]


def recall_at_k_loss(
    queries: Tensor,
    labels: Tensor,
    gallery: Tensor | None = None,
    gallery_labels: Tensor | None = None,
    *,
    ks=(1, 2, 4, 8, 16),
    k_temperature: float = 1.0,
    rank_temperature: float = 0.01,
    query_in_database: bool = False,
) -> Tensor:
    within = gallery is None
    database = queries if within else gallery
    terms = []
    for q in range(len(queries)):
        positives = positives_of(q, labels, gallery_labels)
        absent = {q} if within and not query_in_database else set()
        ranks = [relaxed_rank(queries[q], database, p, absent, rank_temperature) for p in positives]
        for k in ks if positives else ():
            count = sum(step(k - rank, k_temperature) for rank in ranks)
            if count > k:
                count = 0 * count + k
            terms.append(1 - count / min(k, len(positives)))
    return sum(terms) / len(terms)


def smooth_ap_loss(
    queries: Tensor,
    labels: Tensor,
    gallery: Tensor | None = None,
    gallery_labels: Tensor | None = None,
    *,
    rank_temperature: float = 0.01,
) -> Tensor:
    within = gallery is None
    database = queries if within else gallery
    terms = []
    for q in range(len(queries)):
        positives = positives_of(q, labels, gallery_labels)
        others = set(range(len(database))) - set(positives)
        precisions = [
            relaxed_rank(queries[q], database, p, others, rank_temperature)
            / relaxed_rank(queries[q], database, p, {q} if within else set(), rank_temperature)
            for p in positives
        ]
        if positives:
            terms.append(1 - sum(precisions) / len(positives))
    return sum(terms) / len(terms)


def hard_ranks(similarity: list[float], positives: list[int], absent: set[int]) -> list[int]:
    """Ranks 1, 2, … of the positives; equal similarities in the order of their indices."""
    order = sorted(
        (z for z in range(len(similarity)) if z not in absent),
        key=lambda z: (-similarity[z], z),
    )
    return [order.index(p) + 1 for p in positives]

"""The metrics of retrieval, each a small function of the ranks of the positives.

For a query q and its positive p, over the gallery without the query itself:

    rank[q,p] = 1 + number of z that come before p in the order of the gallery

This is the hard counterpart of the relaxed rank in ``recallkit.ranks``, where each comparison is
a sigmoid. With the ranks r₁ < r₂ < … < r_R of a query's R positives:

    R@k   = 1 if r₁ ≤ k, else 0         (the benchmarks' definition: *any* positive in the top k)
    P@1   = 1 if r₁ = 1, else 0
    mAP@R = 1/R · Σ_{i: r_i ≤ R} i / r_i    (Musgrave et al., 2020: precision where relevant)
    mAP   = 1/R · Σ_i i / r_i

and each metric is the mean over the queries that have a positive.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from recallkit.checks import check_ks, check_labels
from recallkit.evaluation.similarity import (
    LEFT_OUT,
    checked_operands,
    keys_from,
    ranking_keys,
    similarity_blocks,
)
from recallkit.ranks.positives import find_positives


@torch.no_grad()
def retrieval_metrics(
    queries: Tensor,
    query_labels: Tensor,
    gallery: Tensor | None = None,
    gallery_labels: Tensor | None = None,
    ks: Sequence[int] = (1, 10, 100),
) -> dict[str, float]:
    """R@k, P@1, mAP@R and mAP of embeddings, from the ranks of all positives.

    The order of the gallery is that of ``search``, ties included.

    Args:
        queries: (Q, D) floating point, unit vectors or not.
        query_labels: (Q,) integers, any numbers in any order.
        gallery: (N, D). None: all against all, each query left out of its own ranking.
        gallery_labels: (N,) integers; with ``gallery``, and only then.
        ks: the k of R@k. Default (1, 10, 100): what Stanford Online Products reports.

    Returns:
        ``{"R@1": …, "R@10": …, "R@100": …, "P@1": …, "mAP@R": …, "mAP": …}``, from 0 to 1, means
        over the queries that have a positive.

    Raises:
        ValueError: no query has a positive; shapes that disagree; an empty or non-finite input;
            labels that are not integers; a k below 1.
    """
    if (gallery is None) != (gallery_labels is None):
        raise ValueError("gallery and gallery_labels must be given together, or neither")
    ks = check_ks(ks)
    checked_operands(queries, gallery)
    query_labels = _labels_on(queries.device, query_labels, len(queries), "query_labels")
    if gallery is not None:
        gallery_labels = _labels_on(queries.device, gallery_labels, len(gallery), "gallery_labels")
    ranks = positive_ranks(queries, find_positives(query_labels, gallery_labels), gallery)
    return _means(ranks, ranks.isfinite().sum(dim=1), ks, searched=torch.inf)


@torch.no_grad()
def positive_ranks(
    queries: Tensor,
    positives: Tensor,
    gallery: Tensor | None = None,
    distractors: Tensor | None = None,
) -> Tensor:
    """The rank of each positive in its query's ordering of the gallery, from 1.

    Found by counting what comes before it, a block of queries at a time: nothing is sorted but
    the few positives, and the Q×N similarities are never kept.

    Args:
        queries: (Q, D) floating point.
        positives: (Q, P) int64, the gallery index of each query's positives, padded with −1.
        gallery: (N, D). None: all against all, each query left out of its own ranking; a query
            must then not be among its own positives.
        distractors: (M, D), further items of the gallery, of which none is a positive. They count
            behind the gallery where similarities are equal.

    Returns:
        (Q, P) float64 in the order of ``positives``, inf where that is −1: so padding is in no
        top k and adds i/∞ = 0 to a precision.

    Raises:
        ValueError: shapes that disagree, an empty or non-finite input.
    """
    itself = torch.arange(len(queries), device=queries.device) if gallery is None else None
    queries, gallery = checked_operands(queries, gallery)
    _check_positives(positives, queries, gallery)
    ranks = queries.new_ones(positives.shape, dtype=torch.float64)
    if positives.shape[1] == 0:
        return ranks
    padding, places = positives < 0, positives.clamp(min=0)
    values = queries.new_empty(positives.shape, dtype=torch.float32)
    for rows, similarities in similarity_blocks(queries, gallery, itself, "metrics"):
        values[rows] = similarities.gather(1, places[rows])  # (rows, N) → (rows, P)
        own = ranking_keys(values[rows], places[rows]).masked_fill_(padding[rows], LEFT_OUT)
        ranks[rows] += _number_above(_competing(similarities, values[rows], padding[rows]), own)
    if distractors is not None:
        queries, distractors = checked_operands(queries, distractors)
        behind = torch.zeros_like(places)  # of equal similarity, the gallery's index is lower
        for rows, similarities in similarity_blocks(queries, distractors, None, "distractors"):
            own = ranking_keys(values[rows], behind[rows] - 1).masked_fill_(padding[rows], LEFT_OUT)
            ranks[rows] += _number_above(_competing(similarities, values[rows], padding[rows]), own)
    return ranks.masked_fill_(padding, torch.inf)


def _competing(similarities: Tensor, values: Tensor, padding: Tensor) -> Tensor:
    """The keys of what can come before a positive: nothing farther than the farthest of them."""
    return keys_from(similarities, values.masked_fill(padding, torch.inf).amin(dim=1))


@torch.no_grad()
def metrics_of_neighbours(
    neighbours: Tensor,
    query_labels: Tensor,
    gallery_labels: Tensor | None = None,
    ks: Sequence[int] = (1, 10),
) -> dict[str, float]:
    """R@k, P@1 and, where the search went far enough, mAP@R of neighbours that any engine found.

    Args:
        neighbours: (Q, K) int64 gallery indices, nearest first, no index twice in a row.
        query_labels: (Q,) integers, any numbers in any order.
        gallery_labels: (N,) integers. None: the queries are the gallery, and each query has been
            left out of its own neighbours, as ``search`` does.
        ks: the k of R@k, at most K. Default (1, 10): ``search`` finds 10 by default.

    Returns:
        ``{"R@1": …, "R@10": …, "P@1": …, "mAP@R": …}``. mAP@R is left out if a query has more
        positives than K, because it looks at as many neighbours as there are positives.

    Raises:
        ValueError: a k above K; no query has a positive; a query among its own neighbours; an
            index out of range; shapes that disagree; labels that are not integers.
    """
    if not isinstance(neighbours, Tensor) or neighbours.ndim != 2 or 0 in neighbours.shape:
        raise ValueError("neighbours must be a tensor of shape (Q, K) with Q and K at least 1")
    device = neighbours.device
    ks = check_ks(ks)
    if max(ks) > neighbours.shape[1]:
        raise ValueError(
            f"ks must not go beyond the {neighbours.shape[1]} neighbours searched, "
            f"not {max(ks)}: search with a larger k"
        )
    query_labels = _labels_on(device, query_labels, len(neighbours), "query_labels")
    within = gallery_labels is None
    if within:
        _check_query_left_out(neighbours)
        gallery_labels = query_labels
    gallery_labels = _labels_on(device, gallery_labels, len(gallery_labels), "gallery_labels")
    _check_indices("neighbours", neighbours, 0, len(gallery_labels))
    relevant = gallery_labels[neighbours] == query_labels[:, None]  # (Q, K)
    places = torch.arange(1, neighbours.shape[1] + 1, device=device, dtype=torch.float64)
    ranks = places.where(relevant, torch.inf)  # (Q, K)
    number = _number_of_positives(query_labels, gallery_labels) - int(within)
    return _means(ranks, number, ks, searched=neighbours.shape[1])


def _number_above(keys: Tensor, own: Tensor) -> Tensor:
    """For each of ``own`` (Q, P) the number of ``keys`` (Q, N) that are larger, (Q, P) int64.

    Each key is put between two of the sorted positives and the places are counted: N log P steps
    for a query where comparing each with each takes N·P and sorting all N log N.
    """
    ascending, order = own.sort(dim=1)
    place = torch.searchsorted(ascending, keys)  # (Q, N), how many positives are smaller
    one = place.new_ones(1).expand_as(place)
    in_place = place.new_zeros(len(own), own.shape[1] + 1).scatter_add_(1, place, one)  # (Q, P+1)
    below = in_place.cumsum(dim=1)[:, :-1]  # (Q, P), keys not larger than each positive, itself too
    return torch.empty_like(below).scatter_(1, order, keys.shape[1] - below)


def _means(ranks: Tensor, number: Tensor, ks: Sequence[int], searched: float) -> dict[str, float]:
    """The means of the metrics over the queries with a positive.

    Args:
        ranks: (Q, M) float64, those of the positives found, in any order, padded with inf.
        number: (Q,) how many positives each query has, found or not.
        ks: the k of R@k.
        searched: how many neighbours were looked at; what needs more is left out.
    """
    if not (number > 0).any():
        raise ValueError(
            "no query has a positive: query_labels must share a class with gallery_labels, or, "
            "all against all, hold a class twice"
        )
    ranks, number = ranks[number > 0].sort(dim=1).values, number[number > 0]
    per_query = {f"R@{k}": _recall_at_k(ranks, k) for k in ks} | {"P@1": _recall_at_k(ranks, 1)}
    if number.max() <= searched:
        per_query["mAP@R"] = _average_precision_at_r(ranks, number)
    if searched == torch.inf:
        per_query["mAP"] = _average_precision(ranks, number)
    return {name: values.mean().item() for name, values in per_query.items()}


def _recall_at_k(ranks: Tensor, k: int) -> Tensor:
    """1 where any positive is in the top k, (Q, M) → (Q,)."""
    return (ranks <= k).any(dim=1).double()


def _average_precision(ranks: Tensor, number: Tensor) -> Tensor:
    """1/R · Σ_i i / r_i of ascending ranks, (Q, M) → (Q,)."""
    i = torch.arange(1, ranks.shape[1] + 1, device=ranks.device)
    return (i / ranks).sum(dim=1) / number


def _average_precision_at_r(ranks: Tensor, number: Tensor) -> Tensor:
    """The same over the ranks up to R, (Q, M) → (Q,)."""
    return _average_precision(ranks.masked_fill(ranks > number[:, None], torch.inf), number)


def _number_of_positives(query_labels: Tensor, gallery_labels: Tensor) -> Tensor:
    """How many of the gallery have the label of each query, (Q,) int64."""
    ordered = gallery_labels.sort().values
    first = torch.searchsorted(ordered, query_labels)
    return torch.searchsorted(ordered, query_labels, right=True) - first


def _labels_on(device: torch.device, labels: Tensor, length: int, name: str) -> Tensor:
    check_labels(labels, length, name)
    return labels.to(device=device, dtype=torch.int64)


def _check_positives(positives: Tensor, queries: Tensor, gallery: Tensor) -> None:
    if positives.ndim != 2 or len(positives) != len(queries):
        raise ValueError(
            f"positives must be a table ({len(queries)}, P), a row for each query, "
            f"not {tuple(positives.shape)}"
        )
    _check_indices("positives", positives, -1, len(gallery))


def _check_indices(name: str, indices: Tensor, lowest: int, end: int) -> None:
    if indices.dtype != torch.int64:
        raise ValueError(f"{name} must be gallery indices of type int64, not {indices.dtype}")
    if indices.numel() and not (lowest <= indices.min() and indices.max() < end):
        raise ValueError(
            f"{name} must be gallery indices from {lowest} to {end - 1}, not from "
            f"{indices.min().item()} to {indices.max().item()}"
        )


def _check_query_left_out(neighbours: Tensor) -> None:
    itself = torch.arange(len(neighbours), device=neighbours.device)[:, None]
    if (neighbours == itself).any():
        raise ValueError(
            "neighbours must not hold the query itself when gallery_labels is None: "
            "search(queries) without a gallery leaves it out"
        )

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

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import pad

from recallkit.checks import check_indices, check_ks, check_labels
from recallkit.metrics.ranking_keys import checked_operands
from recallkit.metrics.ranks import counted_ranks
from recallkit.ranks.positives import find_positives

TABLE = 2**22  # entries of a table of queries and positives: below 300 MB with all temporaries


@torch.no_grad()
def retrieval_metrics(
    queries: Tensor,
    query_labels: Tensor,
    gallery: Tensor | None = None,
    gallery_labels: Tensor | None = None,
    ks: Sequence[int] = (1, 10, 100),
) -> dict[str, float]:
    """Compute R@k, P@1, mAP@R and mAP of embeddings, from the ranks of all positives.

    The order of the gallery is that of ``search``, ties included.

    Memory: below 1 GB beside the inputs (CPU; on a GPU 4 GB), for any sizes of classes. Queries
    with similar numbers of positives are taken together, as many as fit a table of 4 million
    positives.

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
    if gallery is not None and gallery_labels is not None:
        gallery_labels = _labels_on(queries.device, gallery_labels, len(gallery), "gallery_labels")
    number = _number_of_positives(query_labels, gallery_labels)
    order, values = [], []
    for rows, title in _groups(number, queries.shape[1]):
        positives = _positives_of(rows, query_labels, gallery_labels)
        searched, left_out = (queries, rows) if gallery is None else (gallery, None)
        ranks = counted_ranks(queries[rows], positives, searched, left_out, title=title)
        order.append(rows)
        values += _values_of_queries(ranks, number[rows], ks, int(number.max()))
    back = torch.cat(order).argsort()  # so that the means are summed in the order of the queries
    return {name: torch.cat([v[name] for v in values])[back].mean().item() for name in values[0]}


def _groups(number: Tensor, dim: int) -> Iterator[tuple[Tensor, str]]:
    """Yield groups of queries with similar ``number`` (Q,) of positives, and a title for each.

    Queries without a positive are in none. The table of positives of a group and its embeddings
    have at most about ``TABLE`` entries.
    """
    _check_any_positive(number)
    order = number.argsort(descending=True, stable=True)[: int((number > 0).sum())]
    starts, widths = [0], number[order].tolist()
    while starts[-1] < len(order):
        starts.append(starts[-1] + max(1, TABLE // (widths[starts[-1]] + dim)))
    for i, (start, end) in enumerate(pairwise(starts), start=1):
        yield order[start:end].sort().values, f"metrics, group {i} of {len(starts) - 1}"


def _positives_of(rows: Tensor, query_labels: Tensor, gallery_labels: Tensor | None) -> Tensor:
    """Make the table of positives of some queries; all against all without the query itself."""
    if gallery_labels is not None:
        return find_positives(query_labels[rows], gallery_labels)  # (rows, P)
    table = find_positives(query_labels[rows], query_labels)  # (rows, P + 1)
    return table[table != rows[:, None]].view(len(rows), -1)


def _values_of_queries(
    ranks: Tensor, number: Tensor, ks: Sequence[int], width: int
) -> list[dict[str, Tensor]]:
    """Compute the metrics of each query, a few at a time, their ranks (Q, P) padded to one width.

    The last digit of a floating-point sum depends on how many numbers are added. With one width
    the metrics do not depend on which queries are taken together.
    """
    rows, ranks = max(1, TABLE // width), ranks.sort(dim=1).values
    return [
        _per_query(pad(some, (0, width - some.shape[1]), value=torch.inf), number_of_some, ks)
        for some, number_of_some in zip(ranks.split(rows), number.split(rows), strict=True)
    ]


@torch.no_grad()
def metrics_of_neighbours(
    neighbours: Tensor,
    query_labels: Tensor,
    gallery_labels: Tensor | None = None,
    ks: Sequence[int] = (1, 10),
) -> dict[str, float]:
    """Compute R@k, P@1 and, where K is large enough, mAP@R of neighbours from any search.

    Args:
        neighbours: (Q, K) int64 gallery indices, nearest first, no index twice in a row.
        query_labels: (Q,) integers, any numbers in any order.
        gallery_labels: (N,) integers. None: the queries are the gallery, and each query has been
            left out of its own neighbours, as ``search`` does.
        ks: the k of R@k, at most K. Default (1, 10): ``search`` returns 10 by default.

    Returns:
        ``{"R@1": …, "R@10": …, "P@1": …, "mAP@R": …}``. mAP@R is left out if a query has more
        positives than K, because it takes as many neighbours as there are positives.

    Raises:
        ValueError: a k above K; no query has a positive; a query among its own neighbours; an
            index out of range; shapes that disagree; labels that are not integers.
    """
    ks = check_ks(ks)
    _check_neighbours(neighbours, max(ks))
    device = neighbours.device
    query_labels = _labels_on(device, query_labels, len(neighbours), "query_labels")
    if gallery_labels is None:
        _check_query_left_out(neighbours)
    else:
        gallery_labels = _labels_on(device, gallery_labels, len(gallery_labels), "gallery_labels")
    ranks = _ranks_among_neighbours(neighbours, query_labels, gallery_labels)
    number = _number_of_positives(query_labels, gallery_labels)
    _check_any_positive(number)
    values = _per_query(ranks[number > 0], number[number > 0], ks)
    del values["mAP"]  # needs the ranks of all positives
    if number.max() > neighbours.shape[1]:
        del values["mAP@R"]
    return {name: of_queries.mean().item() for name, of_queries in values.items()}


def _check_neighbours(neighbours: Tensor, largest_k: int) -> None:
    if not isinstance(neighbours, Tensor) or neighbours.ndim != 2 or 0 in neighbours.shape:
        raise ValueError("neighbours must be a tensor of shape (Q, K) with Q and K at least 1")
    if largest_k > neighbours.shape[1]:
        raise ValueError(
            f"ks must not go beyond the {neighbours.shape[1]} neighbours searched, "
            f"not {largest_k}: search with a larger k"
        )


def _check_query_left_out(neighbours: Tensor) -> None:
    itself = torch.arange(len(neighbours), device=neighbours.device)[:, None]
    if (neighbours == itself).any():
        raise ValueError(
            "neighbours must not hold the query itself when gallery_labels is None: "
            "search(queries) without a gallery leaves it out"
        )


def _ranks_among_neighbours(
    neighbours: Tensor, query_labels: Tensor, gallery_labels: Tensor | None
) -> Tensor:
    """Return the ranks of the positives among neighbours, (Q, K), ascending, padded with inf."""
    labels = query_labels if gallery_labels is None else gallery_labels
    check_indices(neighbours, tuple(neighbours.shape), len(labels), "neighbours")
    relevant = labels[neighbours] == query_labels[:, None]  # (Q, K)
    places = torch.arange(1, neighbours.shape[1] + 1, device=labels.device, dtype=torch.float64)
    return places.where(relevant, torch.inf).sort(dim=1).values


def _per_query(ranks: Tensor, number: Tensor, ks: Sequence[int]) -> dict[str, Tensor]:
    """Compute the metrics of each query, (Q,) float64.

    Args:
        ranks: (Q, M) float64, those of the known positives, ascending, padded with inf.
        number: (Q,) how many positives each query has in all, at least 1.
        ks: the k of R@k.
    """
    return {f"R@{k}": _recall_at_k(ranks, k) for k in ks} | {
        "P@1": _recall_at_k(ranks, 1),
        "mAP@R": _average_precision_at_r(ranks, number),
        "mAP": _average_precision(ranks, number),
    }


def _recall_at_k(ranks: Tensor, k: int) -> Tensor:
    """Return 1 where any positive is in the top k, else 0, (Q, M) → (Q,)."""
    return (ranks <= k).any(dim=1).double()


def _average_precision(ranks: Tensor, number: Tensor) -> Tensor:
    """Compute 1/R · Σ_i i / r_i of ascending ranks, (Q, M) → (Q,)."""
    i = torch.arange(1, ranks.shape[1] + 1, device=ranks.device)
    return (i / ranks).sum(dim=1) / number


def _average_precision_at_r(ranks: Tensor, number: Tensor) -> Tensor:
    """Compute the same over the ranks up to R, (Q, M) → (Q,)."""
    return _average_precision(ranks.masked_fill(ranks > number[:, None], torch.inf), number)


def _number_of_positives(query_labels: Tensor, gallery_labels: Tensor | None) -> Tensor:
    """Count the positives of each query, (Q,) int64; without a gallery all others of its class."""
    ordered = (query_labels if gallery_labels is None else gallery_labels).sort().values
    first = torch.searchsorted(ordered, query_labels)
    same = torch.searchsorted(ordered, query_labels, right=True) - first
    return same - 1 if gallery_labels is None else same


def _labels_on(device: torch.device, labels: Tensor, length: int, name: str) -> Tensor:
    check_labels(labels, length, name)
    return labels.to(device=device, dtype=torch.int64).contiguous()


def _check_any_positive(number: Tensor) -> None:
    if not (number > 0).any():
        raise ValueError(
            "no query has a positive: query_labels must share a class with gallery_labels, or, "
            "all against all, hold a class twice"
        )

"""The metrics of retrieval, each a small function of the ranks of the positives.

For a query q and its positive p, over the gallery without the query itself:

    rank[q,p] = 1 + number of z that come before p in the order of the gallery

This is the hard counterpart of the relaxed rank in ``recallkit.ranks``, where each comparison is
a sigmoid. R@k, P@k, MRR, mAP, NDCG and others are small functions of these ranks, see
:mod:`.formulas`, and each metric is the mean over the queries that have a positive. The mean over
classes takes the mean of each class first, so that a class of many images does not count more than
one of few:

    1/C · Σ_c 1/|Q_c| · Σ_{q ∈ Q_c} m(q)      Q_c: the queries of class c that have a positive
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from recallkit.checks import check_indices, check_ks
from recallkit.labels import plain_labels
from recallkit.metrics.distances import Distance
from recallkit.metrics.formulas import Metric, metrics_by_name, usual_metrics
from recallkit.metrics.relevance import Relevance
from recallkit.metrics.task import RetrievalTask, number_of_equals
from recallkit.metrics.task_arguments import labels_on, retrieval_task

TABLE = 2**22  # entries of a table of queries and positives: below 300 MB with all temporaries


@dataclass(frozen=True)
class Retrieval:
    """The metrics of a retrieval, and over what they are means.

    Attributes:
        metrics: name → mean over the queries that count, from 0 to 1.
        class_metrics: the same names → mean over the classes that count.
        queries: Q, how many queries were given.
        counted: how many of them have a positive, and so count.
        classes: how many classes have a query that counts; 0 where relevance tells the positives,
            and then there are no ``class_metrics``.
        searched: how many items a query is searched among, at most: the gallery without the query
            and, with groups, without the query's group.
        of_queries: name → (Q,) float64 on the CPU, the value of each query; NaN where it does not
            count.
    """

    metrics: dict[str, float]
    class_metrics: dict[str, float]
    queries: int
    counted: int
    classes: int
    searched: int
    of_queries: dict[str, Tensor]

    def per_class(self, query_labels: Any) -> dict[Any, dict[str, float]]:
        """Average the values of each class.

        Args:
            query_labels: (Q,), as they were given.

        Returns:
            Class → name → mean over its queries that count, classes in the order of their first
            such query.
        """
        labels = plain_labels(query_labels, "query_labels").tolist()
        if len(labels) != self.queries:
            raise ValueError(
                f"query_labels must be those of the {self.queries} queries, not {len(labels)}"
            )
        rows: dict[Any, list[int]] = {}
        for row in (~next(iter(self.of_queries.values())).isnan()).nonzero().flatten().tolist():
            rows.setdefault(labels[row], []).append(row)
        return {
            label: {name: values[some].mean().item() for name, values in self.of_queries.items()}
            for label, some in rows.items()
        }


def retrieval_metrics(
    queries: Any,
    query_labels: Any = None,
    gallery: Any = None,
    gallery_labels: Any = None,
    ks: Sequence[int] = (1, 10, 100),
    distance: Distance = "dot",
    groups: Any = None,
    gallery_groups: Any = None,
    itself: Any = None,
    metrics: Sequence[str] | None = None,
    relevance: Relevance | None = None,
) -> dict[str, float]:
    """Compute R@k, P@1, mAP@R and mAP of embeddings, or the metrics asked for, from one ranking.

    The order of the gallery is that of ``search``, ties included.

    Memory: below 1 GB beside the inputs (CPU; on a GPU 4 GB), for any sizes of classes. Queries
    with similar numbers of positives are taken together, as many as fit a table of 4 million
    positives.

    Args:
        queries: (Q, D) floating point, unit vectors or not: a tensor, an array, lists of numbers.
        query_labels: (Q,) integers or text, of any kind that :func:`.canonical_labels` takes; see
            ``relevance`` for others.
        gallery: (N, D). None: all against all, each query left out of its own ranking.
        gallery_labels: (N,) of the kind of ``query_labels``; with ``gallery``, and only then.
        ks: the k of R@k. Default (1, 10, 100): what Stanford Online Products reports. Not used with
            ``metrics``.
        distance: "dot", "cosine" or "l2"; see :func:`.search`. Default: the dot product, as
            networks are trained with it.
        groups: (Q,), of any kind that labels are: the camera or session of each query. The images
            of a query's own group, of whatever class, are left out of its ranking, and are not
            positives. To leave out only images of the same class *and* camera, as Market-1501
            does, number these pairs. None: no group is left out.
        gallery_groups: (N,); with ``groups`` and ``gallery``, and only then.
        itself: (Q,) integers, with ``gallery``: the gallery index of each query that stands in the
            gallery, −1 for one that does not. It is left out of its query's ranking. None: no
            query stands there.
        relevance: what is a positive, where equal labels do not tell. A function of the labels of
            some queries and of those of the gallery, which returns (q, N) bool; it is asked a few
            times for each query, so that no table Q×N is held. Labels may then be of any shape and
            type: (Q, L) bool of L tags, say, with ``lambda q, g: q.float() @ g.float().T > 0``. Or
            a table (Q, N) bool, without labels. The query itself and its group are left out of
            what it tells.
        metrics: their names, as in ``("R@1", "P@10", "MRR", "NDCG@10", "mAP@10", "R-precision")``;
            see :mod:`.formulas`. None: R@k for ``ks``, P@1, mAP@R and mAP.

    Returns:
        ``{"R@1": …, "R@10": …, "R@100": …, "P@1": …, "mAP@R": …, "mAP": …}``, from 0 to 1, means
        over the queries that have a positive. Each k comes once, in ascending order. R@k is 1 for
        a k of at least the number of items that are searched. With ``metrics`` these names.
        :func:`measure_retrieval` tells how many queries that were, too.

    Raises:
        ValueError: no query has a positive; shapes that disagree; an empty or non-finite input;
            labels that are missing, floats, or integers beside text; a k below 1; the name of no
            metric.
    """
    return measure_retrieval(
        queries,
        query_labels,
        gallery,
        gallery_labels,
        ks,
        distance,
        groups,
        gallery_groups,
        itself,
        metrics,
        relevance,
    ).metrics


@torch.no_grad()
def measure_retrieval(
    queries: Any,
    query_labels: Any = None,
    gallery: Any = None,
    gallery_labels: Any = None,
    ks: Sequence[int] = (1, 10, 100),
    distance: Distance = "dot",
    groups: Any = None,
    gallery_groups: Any = None,
    itself: Any = None,
    metrics: Sequence[str] | None = None,
    relevance: Relevance | None = None,
) -> Retrieval:
    """Compute the same as :func:`retrieval_metrics`, and tell over how many queries.

    The arguments and errors are those of :func:`retrieval_metrics`.

    Returns:
        The means over queries and over classes, the counts, and the values of each query.
    """
    chosen = metrics_by_name(
        usual_metrics(sorted(set(check_ks(ks)))) if metrics is None else metrics
    )
    task = retrieval_task(
        queries,
        gallery,
        distance,
        query_labels,
        gallery_labels,
        groups,
        gallery_groups,
        itself,
        relevance,
    )
    number = task.number_of_positives()
    _check_any_positive(number, task.groups is not None, relevance is not None)
    order, values, width = [], [], int(number.max())
    for rows, title in _taken_together(task.width(), number, task.queries.shape[1]):
        order.append(rows)
        values += _values_of_queries(task.ranks(rows, title), number[rows], chosen, width)
    back = torch.cat(order).argsort()  # so that the means are summed in the order of the queries
    ordered = {name: torch.cat([v[name] for v in values])[back] for name in values[0]}
    return _summary(ordered, number > 0, task)


def _taken_together(sizes: Tensor, number: Tensor, dim: int) -> Iterator[tuple[Tensor, str]]:
    """Yield sets of queries with similar ``sizes`` (Q,) of their classes, and a title for each.

    Queries without a positive are in none. The table of positives of a set and its embeddings have
    at most about ``TABLE`` entries.
    """
    order = sizes.argsort(descending=True, stable=True)
    order = order[number[order] > 0]
    starts, widths = [0], sizes[order].tolist()
    while starts[-1] < len(order):
        starts.append(starts[-1] + max(1, TABLE // (widths[starts[-1]] + dim)))
    for i, (start, end) in enumerate(pairwise(starts), start=1):
        yield order[start:end].sort().values, f"metrics, group {i} of {len(starts) - 1}"


def _summary(values: dict[str, Tensor], counts: Tensor, task: RetrievalTask) -> Retrieval:
    """Average the values of the queries that count, in their order."""
    of_queries = {
        name: torch.full(counts.shape, torch.nan, dtype=torch.float64).masked_scatter_(
            counts.cpu(), value.cpu()
        )
        for name, value in values.items()
    }
    of_classes = _class_means(values, counts, task.classes())
    return Retrieval(
        metrics={name: value.mean().item() for name, value in values.items()},
        class_metrics={name: value.mean().item() for name, value in of_classes.items()},
        queries=len(counts),
        counted=int(counts.sum()),
        classes=len(next(iter(of_classes.values()), ())),
        searched=task.searched(),
        of_queries=of_queries,
    )


def _class_means(
    values: dict[str, Tensor], counts: Tensor, classes: Tensor | None
) -> dict[str, Tensor]:
    """Average the values of each class, (C,) for each metric; {} without classes."""
    if classes is None:
        return {}
    _, numbers = classes[counts].unique(return_inverse=True)
    sizes = numbers.bincount()
    return {name: numbers.bincount(value) / sizes for name, value in values.items()}


def _values_of_queries(
    ranks: Tensor, number: Tensor, metrics: Mapping[str, Metric], width: int
) -> list[dict[str, Tensor]]:
    """Compute the metrics of each query, a few at a time, their ranks (Q, P) padded to one width.

    The last digit of a floating-point sum depends on how many numbers are added. With one width
    the metrics do not depend on which queries are taken together.
    """
    rows, ranks = max(1, TABLE // width), ranks.sort(dim=1).values
    return [
        _per_query(pad(some, (0, width - some.shape[1]), value=torch.inf), number_of_some, metrics)
        for some, number_of_some in zip(ranks.split(rows), number.split(rows), strict=True)
    ]


@torch.no_grad()
def metrics_of_neighbours(
    neighbours: Any,
    query_labels: Any,
    gallery_labels: Any = None,
    ks: Sequence[int] = (1, 10),
) -> dict[str, float]:
    """Compute R@k, P@1 and, where K is large enough, mAP@R of neighbours from any search.

    Args:
        neighbours: (Q, K) int64 gallery indices, nearest first, no index twice in a row.
        query_labels: (Q,) integers or text, of any kind that :func:`.canonical_labels` takes.
        gallery_labels: (N,) of the same kind. None: the queries are the gallery, and each query has
            been left out of its own neighbours, as ``search`` does.
        ks: the k of R@k, at most K. Default (1, 10): ``search`` returns 10 by default.

    Returns:
        ``{"R@1": …, "R@10": …, "P@1": …, "mAP@R": …}``. mAP@R is left out if a query has more
        positives than K, because it takes as many neighbours as there are positives.

    Raises:
        ValueError: a k above K; no query has a positive; a query among its own neighbours; an
            index out of range; shapes that disagree; labels as for :func:`retrieval_metrics`.
    """
    ks = sorted(set(check_ks(ks)))
    neighbours = torch.as_tensor(neighbours)
    _check_neighbours(neighbours, max(ks))
    alone = gallery_labels is None
    if alone:
        _check_query_left_out(neighbours)
    sizes = (len(neighbours), len(query_labels if alone else gallery_labels))
    labels = labels_on(
        neighbours.device, sizes, query_labels=query_labels, gallery_labels=gallery_labels
    )
    ranks = _ranks_among_neighbours(neighbours, *labels)
    number = number_of_equals(*labels) - int(alone)
    _check_any_positive(number)
    metrics = metrics_by_name(usual_metrics(ks))
    del metrics["mAP"]  # needs the ranks of all positives
    if number.max() > neighbours.shape[1]:
        del metrics["mAP@R"]
    values = _per_query(ranks[number > 0], number[number > 0], metrics)
    return {name: of_queries.mean().item() for name, of_queries in values.items()}


def _check_neighbours(neighbours: Tensor, largest_k: int) -> None:
    if neighbours.ndim != 2 or 0 in neighbours.shape:
        raise ValueError("neighbours must be of shape (Q, K) with Q and K at least 1")
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
    neighbours: Tensor, query_labels: Tensor, gallery_labels: Tensor
) -> Tensor:
    """Return the ranks of the positives among neighbours, (Q, K), ascending, padded with inf."""
    check_indices(neighbours, tuple(neighbours.shape), len(gallery_labels), "neighbours")
    relevant = gallery_labels[neighbours] == query_labels[:, None]  # (Q, K)
    device = neighbours.device
    places = torch.arange(1, neighbours.shape[1] + 1, device=device, dtype=torch.float64)
    return places.where(relevant, torch.inf).sort(dim=1).values


def _per_query(ranks: Tensor, number: Tensor, metrics: Mapping[str, Metric]) -> dict[str, Tensor]:
    """Compute the metrics of each query, (Q,) float64.

    Args:
        ranks: (Q, M) float64, those of the known positives, ascending, padded with inf.
        number: (Q,) how many positives each query has in all, at least 1.
        metrics: name → metric.
    """
    return {name: metric(ranks, number) for name, metric in metrics.items()}


def _check_any_positive(number: Tensor, groups: bool = False, told: bool = False) -> None:
    if told and not (number > 0).any():
        raise ValueError("no query has a positive: relevance must be True for one item at least")
    if not (number > 0).any():
        raise ValueError(
            "no query has a positive: query_labels must share a class with gallery_labels, or, "
            "all against all, hold a class twice" + (", in another group" if groups else "")
        )

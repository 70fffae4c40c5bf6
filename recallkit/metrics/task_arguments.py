"""The arguments of ``retrieval_metrics``, checked and put into a task."""

from typing import Any

import torch
from torch import Tensor

from recallkit.checks import check_indices, check_labels
from recallkit.labels import canonical_labels
from recallkit.metrics.distances import Distance
from recallkit.metrics.ranking_keys import checked_operands
from recallkit.metrics.relevance import Relevance, RelevanceTask
from recallkit.metrics.task import LabelTask, RetrievalTask


def retrieval_task(
    queries: Any,
    gallery: Any,
    distance: Distance,
    query_labels: Any,
    gallery_labels: Any,
    groups: Any,
    gallery_groups: Any,
    itself: Any = None,
    relevance: Relevance | None = None,
) -> RetrievalTask:
    """Check the arguments of :func:`retrieval_metrics`."""
    alone = gallery is None
    _check_given_together(alone, query_labels, gallery_labels, relevance)
    if (gallery_groups is None) != (alone or groups is None):
        raise ValueError("gallery_groups must be given with gallery and groups, and only then")
    if alone and itself is not None:
        raise ValueError("itself needs a gallery: without one each query is left out already")
    queries, gallery = checked_operands(queries, gallery, distance)
    sides = (len(queries), len(gallery))
    if groups is not None:
        groups = labels_on(queries.device, sides, groups=groups, gallery_groups=gallery_groups)
    own = torch.arange(len(queries)) if alone else itself
    if own is not None:
        own = torch.as_tensor(own)
        check_indices(own, (len(queries),), len(gallery), "itself", lowest=-1)
        own = own.to(queries.device)
    task = (queries, gallery, distance, groups, own)
    if relevance is not None:
        others = query_labels if gallery_labels is None else gallery_labels
        if query_labels is not None:
            _check_lengths(sides, query_labels=query_labels, gallery_labels=others)
        return RelevanceTask(*task, relevance, (query_labels, others))
    labels = labels_on(
        queries.device, sides, query_labels=query_labels, gallery_labels=gallery_labels
    )
    return LabelTask(*task, labels)


def _check_given_together(
    alone: bool, query_labels: Any, gallery_labels: Any, relevance: Relevance | None
) -> None:
    if relevance is not None and not callable(relevance):
        if query_labels is not None or gallery_labels is not None:
            raise ValueError("labels have no use where relevance is a table: give one of them")
    elif query_labels is None:
        raise ValueError("query_labels must be given, unless relevance is a table")
    elif alone != (gallery_labels is None):
        raise ValueError("gallery and gallery_labels must be given together, or neither")


def _check_lengths(sizes: tuple[int, int], **labels: Any) -> None:
    for (name, given), size in zip(labels.items(), sizes, strict=True):
        if len(given) != size:
            raise ValueError(f"{name} must have {size} entries, one a row, not {len(given)}")


def labels_on(device: torch.device, sizes: tuple[int, int], **labels: Any) -> tuple[Tensor, Tensor]:
    """Make labels of queries and gallery canonical; the gallery's are the queries' if None."""
    given = {name: value for name, value in labels.items() if value is not None}
    numbers = canonical_labels(given)
    for name, number, size in zip(given, numbers, sizes, strict=False):
        check_labels(number, size, name)
    ours, *others = [number.to(device).contiguous() for number in numbers]
    return ours, others[0] if others else ours

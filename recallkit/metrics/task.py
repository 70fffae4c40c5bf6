"""Queries, what each is searched among, and which of it are its positives."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recallkit.checks import check_labels
from recallkit.labels import canonical_labels
from recallkit.metrics.distances import Distance
from recallkit.metrics.ranking_keys import checked_operands
from recallkit.metrics.ranks import counted_ranks
from recallkit.ranks.positives import find_positives


@dataclass(frozen=True)
class RetrievalTask:
    """Queries and what they are searched in, checked, with labels as int64.

    Attributes:
        queries: (Q, D).
        gallery: (N, D): the queries themselves where ``alone``.
        distance: see :func:`.search`.
        labels: (Q,) and (N,).
        groups: (Q,) and (N,), or None.
        alone: whether all are searched among all, each query left out of its own ranking.
    """

    queries: Tensor
    gallery: Tensor
    distance: Distance
    labels: tuple[Tensor, Tensor]
    groups: tuple[Tensor, Tensor] | None
    alone: bool

    def size_of_class(self) -> Tensor:
        """Count the gallery items of each query's class, itself not, (Q,) int64."""
        return number_of_equals(*self.labels) - int(self.alone)

    def number_of_positives(self) -> Tensor:
        """Count the positives of each query, (Q,): of its class, but not of its group."""
        if self.groups is None:
            return self.size_of_class()
        pairs = [torch.stack(pair, dim=1) for pair in zip(self.labels, self.groups, strict=True)]
        _, numbers = torch.cat(pairs).unique(dim=0, return_inverse=True)
        query_pairs, gallery_pairs = numbers.split([len(pair) for pair in pairs])
        return number_of_equals(*self.labels) - number_of_equals(query_pairs, gallery_pairs)

    def searched(self) -> int:
        """Return how many items the query is searched among that has most."""
        if self.groups is None:
            return len(self.gallery) - int(self.alone)
        return len(self.gallery) - int(number_of_equals(*self.groups).min())

    def ranks(self, rows: Tensor, title: str) -> Tensor:
        """Count the ranks of the positives of some queries, (rows, P) float64, inf at padding."""
        groups = None if self.groups is None else (self.groups[0][rows], self.groups[1])
        return counted_ranks(
            self.queries[rows],
            self._positives(rows, groups),
            self.gallery,
            rows if self.alone else None,
            title=title,
            distance=self.distance,
            groups=groups,
        )

    def _positives(self, rows: Tensor, groups: tuple[Tensor, Tensor] | None) -> Tensor:
        """Make the table of positives of some queries, (rows, P) int64, −1 at padding."""
        table = find_positives(self.labels[0][rows], self.labels[1])
        if self.alone:  # each row holds its query once
            table = table[table != rows[:, None]].view(len(rows), -1)
        if groups is not None:
            table[groups[1][table.clamp(min=0)] == groups[0][:, None]] = -1
        return table


def retrieval_task(
    queries: Any,
    gallery: Any,
    distance: Distance,
    query_labels: Any,
    gallery_labels: Any,
    groups: Any,
    gallery_groups: Any,
) -> RetrievalTask:
    """Check the arguments of :func:`retrieval_metrics`."""
    alone = gallery is None
    if alone != (gallery_labels is None):
        raise ValueError("gallery and gallery_labels must be given together, or neither")
    if (gallery_groups is None) != (alone or groups is None):
        raise ValueError("gallery_groups must be given with gallery and groups, and only then")
    queries, gallery = checked_operands(queries, gallery, distance)
    sides = (len(queries), len(gallery))
    labels = labels_on(
        queries.device, sides, query_labels=query_labels, gallery_labels=gallery_labels
    )
    if groups is not None:
        groups = labels_on(queries.device, sides, groups=groups, gallery_groups=gallery_groups)
    return RetrievalTask(queries, gallery, distance, labels, groups, alone)


def labels_on(device: torch.device, sizes: tuple[int, int], **labels: Any) -> tuple[Tensor, Tensor]:
    """Make labels of queries and gallery canonical; the gallery's are the queries' if None."""
    given = {name: value for name, value in labels.items() if value is not None}
    numbers = canonical_labels(given)
    for name, number, size in zip(given, numbers, sizes, strict=False):
        check_labels(number, size, name)
    ours, *others = [number.to(device).contiguous() for number in numbers]
    return ours, others[0] if others else ours


def number_of_equals(queries: Tensor, gallery: Tensor) -> Tensor:
    """Count the numbers of the gallery (N,) that equal each of the queries, (Q,) int64."""
    ordered = gallery.sort().values
    first = torch.searchsorted(ordered, queries)
    return torch.searchsorted(ordered, queries, right=True) - first

"""Queries, what each is searched among, and which of it are its positives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recallkit.checks import check_indices, check_labels
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
        gallery: (N, D): the queries themselves, all against all.
        distance: see :func:`.search`.
        labels: (Q,) and (N,).
        groups: (Q,) and (N,), or None.
        itself: (Q,) int64, the gallery index of each query, which is left out of its ranking; −1
            for a query that is not in the gallery. None: no query is. All against all it is 0, 1, …
    """

    queries: Tensor
    gallery: Tensor
    distance: Distance
    labels: tuple[Tensor, Tensor]
    groups: tuple[Tensor, Tensor] | None
    itself: Tensor | None

    def size_of_class(self) -> Tensor:
        """Count the gallery items of each query's class, itself not, (Q,) int64."""
        return number_of_equals(*self.labels) - self._is_own(self.labels)

    def number_of_positives(self) -> Tensor:
        """Count the positives of each query, (Q,): of its class, but not of its group."""
        if self.groups is None:
            return self.size_of_class()
        pairs = [torch.stack(pair, dim=1) for pair in zip(self.labels, self.groups, strict=True)]
        _, numbers = torch.cat(pairs).unique(dim=0, return_inverse=True)
        of_pairs = numbers.split([len(pair) for pair in pairs])
        number = number_of_equals(*self.labels) - number_of_equals(*of_pairs)
        return number - self._is_own(self.labels) + self._is_own(of_pairs)

    def _is_own(self, numbers: Sequence[Tensor]) -> Tensor:
        """Tell for which queries the item that is itself has their number, (Q,) int64, 0 or 1."""
        if self.itself is None:
            return torch.zeros_like(numbers[0])
        own = numbers[1][self.itself.clamp(min=0)] == numbers[0]
        return (own & (self.itself >= 0)).long()

    def searched(self) -> int:
        """Return how many items the query is searched among that has most."""
        left_out = torch.zeros_like(self.labels[0])
        if self.groups is not None:
            left_out = number_of_equals(*self.groups) - self._is_own(self.groups)
        if self.itself is not None:
            left_out = left_out + (self.itself >= 0)
        return len(self.gallery) - int(left_out.min())

    def ranks(self, rows: Tensor, title: str) -> Tensor:
        """Count the ranks of the positives of some queries, (rows, P) float64, inf at padding."""
        groups = None if self.groups is None else (self.groups[0][rows], self.groups[1])
        return counted_ranks(
            self.queries[rows],
            self._positives(rows, groups),
            self.gallery,
            None if self.itself is None else self.itself[rows],
            title=title,
            distance=self.distance,
            groups=groups,
        )

    def _positives(self, rows: Tensor, groups: tuple[Tensor, Tensor] | None) -> Tensor:
        """Make the table of positives of some queries, (rows, P) int64, −1 at padding."""
        table = find_positives(self.labels[0][rows], self.labels[1])
        if self.itself is not None:
            own = (table == self.itself[rows, None]) & (table >= 0)
            always = own.any(dim=1).all()  # as all against all: then no column is left for it
            table = table[~own].view(len(rows), -1) if always else table.masked_fill(own, -1)
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
    itself: Any = None,
) -> RetrievalTask:
    """Check the arguments of :func:`retrieval_metrics`."""
    alone = gallery is None
    if alone != (gallery_labels is None):
        raise ValueError("gallery and gallery_labels must be given together, or neither")
    if (gallery_groups is None) != (alone or groups is None):
        raise ValueError("gallery_groups must be given with gallery and groups, and only then")
    if alone and itself is not None:
        raise ValueError("itself needs a gallery: without one each query is left out already")
    queries, gallery = checked_operands(queries, gallery, distance)
    sides = (len(queries), len(gallery))
    labels = labels_on(
        queries.device, sides, query_labels=query_labels, gallery_labels=gallery_labels
    )
    if groups is not None:
        groups = labels_on(queries.device, sides, groups=groups, gallery_groups=gallery_groups)
    own = torch.arange(len(queries)) if alone else itself
    if own is not None:
        own = torch.as_tensor(own)
        check_indices(own, (len(queries),), len(gallery), "itself", lowest=-1)
        own = own.to(queries.device)
    return RetrievalTask(queries, gallery, distance, labels, groups, own)


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

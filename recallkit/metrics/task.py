"""Queries, what each is searched among, and which of it are its positives."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recallkit.metrics.distances import Distance
from recallkit.metrics.ranks import counted_ranks
from recallkit.ranks.positives import find_positives


@dataclass(frozen=True)
class RetrievalTask(ABC):
    """Queries and what they are searched in, checked.

    Attributes:
        queries: (Q, D).
        gallery: (N, D): the queries themselves, all against all.
        distance: see :func:`.search`.
        groups: (Q,) and (N,) int64, or None. The items of a query's group are left out.
        itself: (Q,) int64, the gallery index of each query, which is left out of its ranking; −1
            for a query that is not in the gallery. None: no query is. All against all it is 0, 1, …
    """

    queries: Tensor
    gallery: Tensor
    distance: Distance
    groups: tuple[Tensor, Tensor] | None
    itself: Tensor | None

    @abstractmethod
    def number_of_positives(self) -> Tensor:
        """Count the positives of each query, (Q,) int64."""

    @abstractmethod
    def width(self) -> Tensor:
        """Return how many columns the table of positives needs for each query, (Q,) int64."""

    @abstractmethod
    def positives(self, rows: Tensor) -> Tensor:
        """Make the table of positives of some queries, (rows, P) int64, −1 at padding."""

    @abstractmethod
    def classes(self) -> Tensor | None:
        """Return the class of each query, (Q,) int64; None where there are no classes."""

    def searched(self) -> int:
        """Return how many items the query is searched among that has most."""
        left_out = torch.zeros(len(self.queries), dtype=torch.int64, device=self.queries.device)
        if self.groups is not None:
            left_out += number_of_equals(*self.groups) - self.is_own(self.groups)
        if self.itself is not None:
            left_out += self.itself >= 0
        return len(self.gallery) - int(left_out.min())

    def is_own(self, numbers: Sequence[Tensor]) -> Tensor:
        """Tell for which queries the item that is itself has their number, (Q,) int64, 0 or 1."""
        if self.itself is None:
            return torch.zeros_like(numbers[0])
        own = numbers[1][self.itself.clamp(min=0)] == numbers[0]
        return (own & (self.itself >= 0)).long()

    def groups_of(self, rows: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return the groups of some queries and of the gallery."""
        return None if self.groups is None else (self.groups[0][rows], self.groups[1])

    def ranks(self, rows: Tensor, title: str) -> Tensor:
        """Count the ranks of the positives of some queries, (rows, P) float64, inf at padding."""
        return counted_ranks(
            self.queries[rows],
            self.positives(rows),
            self.gallery,
            None if self.itself is None else self.itself[rows],
            title=title,
            distance=self.distance,
            groups=self.groups_of(rows),
        )


@dataclass(frozen=True)
class LabelTask(RetrievalTask):
    """A retrieval whose positives are the items of the query's class.

    Attributes:
        labels: (Q,) and (N,) int64.
    """

    labels: tuple[Tensor, Tensor]

    def width(self) -> Tensor:
        """Count the gallery items of each query's class, itself not, (Q,) int64."""
        return number_of_equals(*self.labels) - self.is_own(self.labels)

    def number_of_positives(self) -> Tensor:
        """Count the positives of each query, (Q,): of its class, but not of its group."""
        if self.groups is None:
            return self.width()
        pairs = [torch.stack(pair, dim=1) for pair in zip(self.labels, self.groups, strict=True)]
        _, numbers = torch.cat(pairs).unique(dim=0, return_inverse=True)
        of_pairs = numbers.split([len(pair) for pair in pairs])
        return self.width() - number_of_equals(*of_pairs) + self.is_own(of_pairs)

    def positives(self, rows: Tensor) -> Tensor:
        """Make the table of positives of some queries, (rows, P) int64, −1 at padding."""
        table, groups = find_positives(self.labels[0][rows], self.labels[1]), self.groups_of(rows)
        if self.itself is not None:
            own = (table == self.itself[rows, None]) & (table >= 0)
            always = own.any(dim=1).all()  # as all against all: then no column is left for it
            table = table[~own].view(len(rows), -1) if always else table.masked_fill(own, -1)
        if groups is not None:
            table[groups[1][table.clamp(min=0)] == groups[0][:, None]] = -1
        return table

    def classes(self) -> Tensor:
        """Return the class of each query, (Q,) int64."""
        return self.labels[0]


def number_of_equals(queries: Tensor, gallery: Tensor) -> Tensor:
    """Count the numbers of the gallery (N,) that equal each of the queries, (Q,) int64."""
    ordered = gallery.sort().values
    first = torch.searchsorted(ordered, queries)
    return torch.searchsorted(ordered, queries, right=True) - first

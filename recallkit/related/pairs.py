"""All pairs of a batch, or of queries and a gallery: similarities, and which are of one class."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recallkit.checks import check_indices
from recallkit.loss_inputs import NO_POSITIVE, Gallery, checked_labels
from recallkit.ranks.precision import products_in


@dataclass(frozen=True)
class Pairs:
    """Each query with each item of its gallery.

    Attributes:
        similarities: (Q, N) dot products, in float32 or float64.
        positive: (Q, N) bool, pairs of one class; a query is not its own positive.
        negative: (Q, N) bool, pairs of two classes.
    """

    similarities: Tensor
    positive: Tensor
    negative: Tensor

    def of_queries_with_positives(self) -> "Pairs":
        """Keep the rows of queries that have a positive: (Q', N)."""
        kept = self.positive.any(dim=1)
        if kept.all():
            return self
        return Pairs(self.similarities[kept], self.positive[kept], self.negative[kept])

    def in_one_row(self, symmetric: bool) -> "Pairs":
        """Put all pairs into one row, (1, Q·N).

        Args:
            symmetric: the queries are their own gallery, so that each pair stands here twice; it is
                kept once.
        """
        positive, negative = self.positive, self.negative
        if symmetric:
            positive, negative = positive.triu(1), negative.triu(1)
        return Pairs(*(x.reshape(1, -1) for x in (self.similarities, positive, negative)))


def all_pairs(queries: Tensor, labels: Any, given: Gallery) -> Pairs:
    """Compare every query with every item of the gallery.

    Half precision is computed in float32, and float64 stays float64.

    Args:
        queries: (Q, D).
        labels: (Q,) integers or text, in any order, classes of any size.
        given: gallery, its labels, and the place of each query in it; without a gallery the queries
            are their own.

    Raises:
        ValueError: as :func:`.checked_labels`, for places out of the gallery, and if no query has a
            positive.
    """
    of_queries, *others = checked_labels(queries, labels, given.gallery, given.gallery_labels)
    gallery = queries if given.gallery is None else given.gallery
    same = of_queries[:, None] == (others or [of_queries])[0]  # (Q, N)
    positive = _without_itself(same, given)
    if not positive.any():
        raise ValueError(NO_POSITIVE)
    dtype = torch.promote_types(queries.dtype, torch.float32)
    with products_in("float32", queries.device.type):
        similarities = queries.to(dtype) @ gallery.to(dtype).T
    return Pairs(similarities, positive, ~same)


def _without_itself(same: Tensor, given: Gallery) -> Tensor:
    """Take each query out of its own positives."""
    itself = given.itself
    if given.gallery is None:
        itself = torch.arange(len(same), device=same.device)
    if itself is None:
        return same
    check_indices(itself, (len(same),), same.shape[1], "itself")
    return same.scatter(1, itself.to(same.device)[:, None], False)

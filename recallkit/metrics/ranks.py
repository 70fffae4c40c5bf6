"""Ranks by counting: the hard counterpart of the relaxed rank in ``recallkit.ranks``.

The rank of a positive is one more than the number of gallery items that come before it, so only
the few positives are sorted. Where float32 products tell enough, as nearly always,
:mod:`.rough_ranks` counts. Here float64 counts, in one of two ways with the same result:

    in lists    the items as near as the farthest positive are listed, and each is placed between
                two of the sorted positives: about 60 ns for each listed item
    in passes   the whole row is compared with each positive: about 1 ns for each comparison

The first suits embeddings that are good, or classes that are large; the second the others.
"""

import torch
from torch import Tensor

from recallkit.checks import check_indices
from recallkit.metrics.distances import Distance
from recallkit.metrics.ranking_keys import (
    checked_operands,
    keys_where,
    ranking_keys,
    row_blocks,
    similarities_of,
    similarity_blocks,
)
from recallkit.metrics.rough import RoughGallery
from recallkit.metrics.rough_ranks import LISTED_ITEM_COST, MOST_ROWS, Positives, number_before

PAIR_COST = 16  # of a pair measured alone in float64, in float64 products of a matrix
_EXACT = 2**24  # float32 counts exactly up to this number


@torch.no_grad()
def positive_ranks(
    queries: Tensor,
    positives: Tensor,
    gallery: Tensor | None = None,
    distractors: Tensor | None = None,
    distance: Distance = "dot",
) -> Tensor:
    """Count the rank of each positive in its query's ordering of the gallery, from 1.

    The items before it are counted, a block of queries at a time: only the few positives are
    sorted, and the Q×N similarities are never kept.

    Args:
        queries: (Q, D) floating point.
        positives: (Q, P) int64, the gallery index of each query's positives, padded with −1.
        gallery: (N, D). None: all against all, each query left out of its own ranking; a query
            must then not be among its own positives.
        distractors: (M, D), further items of the gallery, none of them a positive. Where
            similarities are equal they come after the gallery.
        distance: "dot", "cosine" or "l2"; see :func:`.search`.

    Returns:
        (Q, P) float64 in the order of ``positives``, inf where that is −1. So padding is in no
        top k and adds i/∞ = 0 to a precision.

    Raises:
        ValueError: shapes that disagree, an empty or non-finite input, an index out of range.
    """
    alone = gallery is None
    queries, gallery = checked_operands(queries, gallery, distance)
    left_out = torch.arange(len(queries), device=queries.device) if alone else None
    _check_positives(positives, queries, gallery)
    if distractors is not None:
        _, distractors = checked_operands(queries, distractors, distance, "distractors")
    return counted_ranks(queries, positives, gallery, left_out, distractors, distance=distance)


def counted_ranks(
    queries: Tensor,
    positives: Tensor,
    gallery: Tensor,
    left_out: Tensor | None,
    distractors: Tensor | None = None,
    title: str = "metrics",
    distance: str = "dot",
    groups: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Do the same as :func:`positive_ranks` with arguments that have been checked.

    Args:
        queries: (Q, D).
        positives: (Q, P) int64.
        gallery: (N, D).
        left_out: (Q,) int64, the place of each query in the gallery; None if it is not there.
        distractors: (M, D) or None.
        title: of the progress bar.
        distance: one of :data:`.DISTANCES`.
        groups: (Q,) and (N,) int64, of queries and gallery: a query's own group is left out of its
            ranking, and holds none of its positives. None: no group is left out.

    Memory: about 30 bytes for each of the Q·P entries, and what ``similarity_blocks`` takes.
    """
    if positives.shape[1] == 0:
        return queries.new_ones(positives.shape, dtype=torch.float64)
    values = similarities_of(queries, gallery, positives.clamp(min=0), distance)
    values.masked_fill_(positives < 0, torch.inf)
    known = Positives(queries, values, positives.clamp(min=0), left_out, groups)
    before = _counted(known, gallery, title, distance)
    if distractors is not None:  # of equal similarity, the gallery's index is lower
        ahead = Positives(queries, values, torch.full_like(positives, -1))
        before += _counted(ahead, distractors, "distractors", distance)
    return (before + 1.0).double().masked_fill_(positives < 0, torch.inf)


def _counted(known: Positives, gallery: Tensor, title: str, distance: str) -> Tensor:
    """Count the gallery items before each positive, (Q, P) int64."""
    if known.values.shape[1] * PAIR_COST > len(gallery):
        return _counted_in_float64(known, gallery, title, distance)
    before = torch.zeros_like(known.places)
    rough = RoughGallery.of(gallery, distance, known.queries)
    for rows in row_blocks(len(before), MOST_ROWS, title):
        some = known.some(rows)
        counted = number_before(some, rough)
        if counted is None:
            counted = _counted_in_float64(some, gallery, title, distance)
        before[rows] = counted
    return before


def _counted_in_float64(known: Positives, gallery: Tensor, title: str, distance: str) -> Tensor:
    """Do the same with all products in float64."""
    before = torch.zeros_like(known.places)
    for rows, similarities in similarity_blocks(
        known.queries, gallery, known.left_out, title, distance, known.groups
    ):
        before[rows] = _number_before(similarities, known.values[rows], known.places[rows])
    return before


def _number_before(similarities: Tensor, values: Tensor, places: Tensor) -> Tensor:
    """Count the items of a row that come before each of its positives, (rows, P) int64.

    Args:
        similarities: (rows, N) float32.
        values: (rows, P) float32, the similarities of the positives; inf for padding, whose count
            is not used.
        places: (rows, P) int64, their indices, from −1: of equal items those with a lower index
            are counted.
    """
    near = similarities >= values.amin(dim=1, keepdim=True)  # (rows, N)
    listed = near.sum(dim=1, dtype=torch.int32).sum()
    in_lists = listed * LISTED_ITEM_COST <= values.shape[1] * near.numel()
    if in_lists or near.shape[1] > _EXACT:
        return _number_above(keys_where(near, similarities), ranking_keys(values, places))
    return _number_before_in_passes(similarities, values, places)


def _number_above(keys: Tensor, positives: Tensor) -> Tensor:
    """Count for each key of a positive (Q, P) the ``keys`` (Q, N) that are larger, (Q, P) int64.

    Each key is placed between two of the sorted positives, and the keys at each place are counted.
    That is N log P steps a query. Comparing all pairs takes N·P, and sorting all keys N log N.
    """
    ascending, order = positives.sort(dim=1)
    place = torch.searchsorted(ascending, keys)  # (Q, N), how many positives are smaller
    one = place.new_ones(1).expand_as(place)
    in_place = place.new_zeros(len(place), positives.shape[1] + 1)  # (Q, P + 1)
    in_place.scatter_add_(1, place, one)
    below = in_place.cumsum(dim=1)[:, :-1]  # (Q, P), keys not larger than each positive, itself too
    return torch.empty_like(below).scatter_(1, order, keys.shape[1] - below)


def _number_before_in_passes(similarities: Tensor, values: Tensor, places: Tensor) -> Tensor:
    """Do the same as :func:`_number_before`, one positive of each row at a time."""
    before, mask = torch.empty_like(places), torch.empty_like(similarities)
    for column in range(places.shape[1]):
        value, place = values[:, column, None], places[:, column]
        # Masks of float32 are filled and summed twice as fast as masks of booleans.
        above = torch.gt(similarities, value, out=mask).sum(dim=1)
        equal = torch.ge(similarities, value, out=mask).sum(dim=1) - above
        [tied] = (equal > 1).nonzero(as_tuple=True)  # with more than itself
        before[:, column] = above
        before[tied, column] += _equals_before(similarities[tied], value[tied], place[tied])
    return before


def _equals_before(similarities: Tensor, value: Tensor, place: Tensor) -> Tensor:
    """Count the items of each row (rows, N) equal to ``value`` (rows, 1) and of lower index."""
    lower = torch.arange(similarities.shape[1], device=place.device) < place[:, None]
    return (lower & (similarities == value)).sum(dim=1)


def _check_positives(positives: Tensor, queries: Tensor, gallery: Tensor) -> None:
    if positives.ndim != 2 or len(positives) != len(queries):
        raise ValueError(
            f"positives must be a table ({len(queries)}, P), one row for each query, "
            f"not {tuple(positives.shape)}"
        )
    check_indices(positives, tuple(positives.shape), len(gallery), "positives", lowest=-1)

"""Ranks by counting: the hard counterpart of the relaxed rank in ``recallkit.ranks``.

The rank of a positive is one more than the number of gallery items that come before it, so nothing
but the few positives is ever sorted. There are two ways to count, with one answer:

    in lists    what is as near as the farthest positive is listed, and each item put between two
                of the sorted positives: about 60 ns an item listed
    in passes   the whole row is compared with each positive: about 1 ns an item and positive

The first suits embeddings that are good, or classes that are large; the second the others.
"""

import torch
from torch import Tensor

from recallkit.checks import check_indices
from recallkit.metrics.ranking_keys import (
    checked_operands,
    keys_where,
    ranking_keys,
    similarity_blocks,
)

_A_LISTED_ITEM = 64  # what it costs, in comparisons of one item with one positive


_EXACT = 2**24  # whole numbers to which float32 counts exactly


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
        ValueError: shapes that disagree, an empty or non-finite input, an index out of range.
    """
    itself = torch.arange(len(queries), device=queries.device) if gallery is None else None
    queries, gallery = checked_operands(queries, gallery)
    _check_positives(positives, queries, gallery)
    if distractors is not None:
        checked_operands(queries, distractors, "distractors")
    return counted_ranks(queries, positives, gallery, itself, distractors)


def counted_ranks(
    queries: Tensor,
    positives: Tensor,
    gallery: Tensor,
    itself: Tensor | None,
    distractors: Tensor | None = None,
    title: str = "metrics",
) -> Tensor:
    """What :func:`positive_ranks` returns, of arguments that have been checked.

    Args:
        queries: (Q, D).
        positives: (Q, P) int64.
        gallery: (N, D).
        itself: (Q,) int64, where each query stands in the gallery; None if it does not.
        distractors: (M, D) or None.
        title: what the progress bar says.

    Memory: about 30 bytes for each of the Q·P entries, and what ``similarity_blocks`` takes.
    """
    ranks = queries.new_ones(positives.shape, dtype=torch.float64)
    if positives.shape[1] == 0:
        return ranks
    padding, places = positives < 0, positives.clamp(min=0)
    values = queries.new_empty(positives.shape, dtype=torch.float32)
    for rows, similarities in similarity_blocks(queries, gallery, itself, title):
        values[rows] = similarities.gather(1, places[rows])  # (rows, N) → (rows, P)
        values[rows] = values[rows].masked_fill_(padding[rows], torch.inf)
        ranks[rows] += _number_before(similarities, values[rows], places[rows])
    if distractors is not None:
        ahead = torch.full_like(places, -1)  # of equal similarity, the gallery's index is lower
        for rows, similarities in similarity_blocks(queries, distractors, None, "distractors"):
            ranks[rows] += _number_before(similarities, values[rows], ahead[rows])
    return ranks.masked_fill_(padding, torch.inf)


def _number_before(similarities: Tensor, values: Tensor, places: Tensor) -> Tensor:
    """How many of a row come before each of its positives, (rows, P) int64.

    Args:
        similarities: (rows, N) float32.
        values: (rows, P) float32, the similarities of the positives; inf for padding, before which
            nothing comes that counts.
        places: (rows, P) int64, their indices, from −1: of equals, those with a lower index count.
    """
    near = similarities >= values.amin(dim=1, keepdim=True)  # (rows, N)
    listed = near.sum(dim=1, dtype=torch.int32).sum()
    in_lists = listed * _A_LISTED_ITEM <= values.shape[1] * near.numel()
    if in_lists or near.shape[1] > _EXACT:
        return _number_above(keys_where(near, similarities), ranking_keys(values, places))
    return _number_before_in_passes(similarities, values, places)


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


def _number_before_in_passes(similarities: Tensor, values: Tensor, places: Tensor) -> Tensor:
    """The same as :func:`_number_before`, one positive of each row at a time."""
    before, mask = torch.empty_like(places), torch.empty_like(similarities)
    for column in range(places.shape[1]):
        value, place = values[:, column, None], places[:, column]
        # Masks of float32 are made, and summed, at twice the speed of booleans.
        above = torch.gt(similarities, value, out=mask).sum(dim=1)
        equal = torch.ge(similarities, value, out=mask).sum(dim=1) - above
        [tied] = (equal > (place >= 0)).nonzero(as_tuple=True)  # with more than itself
        before[:, column] = above
        before[tied, column] += _equals_before(similarities[tied], value[tied], place[tied])
    return before


def _equals_before(similarities: Tensor, value: Tensor, place: Tensor) -> Tensor:
    """How many of each row (rows, N) are equal to ``value`` (rows, 1) and of lower index."""
    lower = torch.arange(similarities.shape[1], device=place.device) < place[:, None]
    return (lower & (similarities == value)).sum(dim=1)


def _check_positives(positives: Tensor, queries: Tensor, gallery: Tensor) -> None:
    if positives.ndim != 2 or len(positives) != len(queries):
        raise ValueError(
            f"positives must be a table ({len(queries)}, P), a row for each query, "
            f"not {tuple(positives.shape)}"
        )
    check_indices(positives, tuple(positives.shape), len(gallery), "positives", lowest=-1)

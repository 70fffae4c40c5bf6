"""The k nearest of a gallery: candidates by float32 products, which float64 then orders.

How this works: a sample of the gallery tells what similarity a little more than k items reach.
With t that or less, rough similarities off by at most e, and at least k items with r ≥ t, every one
of the k nearest has r ≥ t − 2e. So only these are kept, and of them only those within 2e of the
k-th are measured in float64. A query of which too many are left is not settled.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from recallkit.metrics.ranking_keys import LEFT_OUT, ranking_keys, row_blocks, similarities_of
from recallkit.metrics.rough import RoughGallery, RoughQueries, places_reaching
from recallkit.ranks.precision import products_in

SAMPLE = 8192  # similarities of a row that tell about where its k-th largest lies
MOST_ROWS = 1024  # queries that read the gallery once
MOST_CANDIDATES = 2**21  # of these queries together, 120 MB; beyond, float64 alone costs less

_ROWS = 128  # of a sample that are selected from at once

Candidates = tuple[Tensor, Tensor, Tensor, Tensor]  # rows, places in them, columns, similarities


def nearest_by_candidates(
    queries: Tensor, gallery: Tensor, k: int, left_out: Tensor | None, distance: str
) -> tuple[Tensor, Tensor]:
    """Find the ranking keys of the k nearest, where float32 tells enough.

    Returns:
        Keys (Q, k) int64, largest first, and for which queries (Q,) they hold.
    """
    keys = queries.new_full((len(queries), k), LEFT_OUT, dtype=torch.int64)
    settled = queries.new_zeros(len(queries), dtype=torch.bool)
    rough = RoughGallery.of(gallery, distance, queries)
    at_once = max(1, min(MOST_ROWS, MOST_CANDIDATES // (4 * k)))
    with products_in("float32", queries.device.type):
        for rows in row_blocks(len(queries), at_once, "search"):
            some = RoughQueries.of(queries[rows], rough)
            out = None if left_out is None else left_out[rows, None]
            keys[rows], settled[rows] = _nearest(queries[rows], some, k, out)
    return keys, settled


def sampled_threshold(sample: Tensor, k: int, size: int) -> Tensor:
    """Return a similarity (Q,) that probably at least k of ``size`` items reach.

    Of a sample of S of N similarities about k·S/N are among the k largest of the row, with a
    standard deviation of at most the square root of that. The threshold is the similarity in the
    sample that stands four standard deviations, and four places, behind.

    Args:
        sample: (Q, S), the similarities of some items.
        k: how many items are wanted.
        size: N, of all items.
    """
    expected = k * sample.shape[1] / size
    place = math.ceil(expected + 4 * math.sqrt(expected) + 4)
    if place >= sample.shape[1]:
        return sample.new_full((len(sample),), -torch.inf)
    return sample.kthvalue(sample.shape[1] - place + 1, dim=1).values


def sample_of(size: int) -> slice:
    """Return the places of a sample of N items: every sixteenth, or fewer."""
    return slice(None, None, max(16, size // SAMPLE))


def _nearest(
    queries: Tensor, rough: RoughQueries, k: int, left_out: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the keys (Q, k) of some queries, and for which they hold, (Q,)."""
    gallery = rough.gallery
    size = len(gallery.rows)
    sample = rough.similarities(gallery.rows[sample_of(size)])
    lowest = torch.cat([sampled_threshold(some, k, size) for some in sample.split(_ROWS)])  # (Q,)
    found = _reaching(rough, (lowest.double() - 2 * rough.error).float())
    empty = queries.new_full((len(queries), k), LEFT_OUT, dtype=torch.int64)
    if found is None:
        return empty, queries.new_zeros(len(queries), dtype=torch.bool)
    similarities, columns = _table(found, len(queries), k)
    if left_out is not None:
        similarities.masked_fill_(columns == left_out, -torch.inf)
    kth = similarities.topk(k).values[:, -1]  # (Q,)
    near = similarities >= (kth.double() - 2 * rough.error).float()[:, None]
    near &= similarities > -torch.inf  # what is left out stays out, however large the error
    number = near.sum(dim=1)
    settled = (kth >= lowest) & (kth > -torch.inf) & (number <= 2 * k + 64)
    width = int(number.where(settled, k).max())
    order = similarities.topk(width).indices
    near, columns = near.gather(1, order), columns.gather(1, order)
    exact = similarities_of(queries, gallery.rows, columns, gallery.distance)
    keys = ranking_keys(exact, columns).masked_fill_(~near, LEFT_OUT)
    return keys.topk(k).values, settled


def _reaching(rough: RoughQueries, lowest: Tensor) -> Candidates | None:
    """List the pairs whose rough similarity reaches ``lowest`` (Q,); None if they are too many."""
    filled = torch.zeros_like(lowest, dtype=torch.int64)
    found, total = [], 0
    for rows, columns, block in rough.blocks():
        flat = places_reaching(block, lowest[rows, None])
        total += len(flat)
        if total > MOST_CANDIDATES:
            return None
        row = flat // block.shape[1]
        counts = torch.bincount(row, minlength=len(block))
        first = counts.cumsum(0) - counts  # of each row, in this list
        place = torch.arange(len(row), device=row.device) + (filled[rows] - first)[row]
        filled[rows] += counts
        column = flat - row * block.shape[1] + columns.start
        found.append((row + rows.start, place, column, block.flatten()[flat]))
    return _joined(found)


def _joined(found: Sequence[Candidates]) -> Candidates:
    row, place, column, similarity = (torch.cat(parts) for parts in zip(*found, strict=True))
    return row, place, column, similarity


def _table(found: Candidates, queries: int, k: int) -> tuple[Tensor, Tensor]:
    """Arrange candidates as similarities and columns, (Q, W) both, W ≥ k, padded with −inf."""
    row, place, column, similarity = found
    width = max(k, int(place.max()) + 1 if len(place) else 0)
    similarities = similarity.new_full((queries, width), -torch.inf)
    similarities[row, place] = similarity
    columns = column.new_zeros(queries, width)
    columns[row, place] = column
    return similarities, columns

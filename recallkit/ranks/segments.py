"""Segments of a block of similarities: which of them matter, and the sums over their sigmoids.

A block holds the similarities of a few queries to some items. Most items are so much less similar
than every positive that their sigmoids are 0. Each row of a block is cut into segments, and a
segment in which all items are that far is skipped: see :func:`find_alive`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from recallkit.ranks.cells import CACHED_ITEMS, in_cache

SEGMENT = 64  # items tested together: testing shorter segments costs as much as it saves
WORTH_SKIPPING = 0.4  # share of segments that matter: above it, copying them costs what it saves


def empty_block(count: int, items: int, like: Tensor) -> Tensor:
    """Make room for ``count`` rows of similarities to ``items`` items, in whole segments.

    Columns beyond the items are −∞: σ(−∞) = 0, and so is its slope. Others are not filled in.
    """
    block = like.new_empty(count, math.ceil(items / SEGMENT) * SEGMENT)
    block[:, items:] = -torch.inf
    return block


@dataclass(frozen=True)
class Alive:
    """The segments of a block that matter.

    Attributes:
        segments: (L, W), or whole rows of the block, if most of its segments matter.
        row: (L,) the row of the block that each comes from.
        place: (L,) where each segment lies in the block; None for whole rows.
    """

    segments: Tensor
    row: Tensor
    place: Tensor | None


def find_alive(block: Tensor, own: Tensor, positives: Tensor, items: int, skip: bool) -> Alive:
    """Find the segments in which an item comes near a positive of its query, or before it.

    In the others every (s[q,z] − s[q,p]) / τ is below −c with c = ln(N / ε), ε the resolution of
    the type. The sigmoids of all N items together are then below ε, less than the rounding of a
    rank, and so are their slopes. For N = 4,000 and float32, c = 24.

    Args:
        block: (q, W) similarities over τ, W whole segments.
        own: (q, P) similarities over τ to the positives.
        positives: (q, P), −1 at padding.
        items: N, of the gallery, of which the block may hold a part.
        skip: False to leave nothing out.
    """
    rows = torch.arange(len(block), device=block.device)
    if not skip or block.numel() * own.shape[1] <= CACHED_ITEMS:  # little to be saved
        return Alive(block, rows, None)
    near = nearness(block, own, positives, items)
    place = near.flatten().nonzero().squeeze(1)  # (L,)
    if len(place) > WORTH_SKIPPING * near.numel():
        return Alive(block, rows, None)
    segments = block.view(-1, SEGMENT).index_select(0, place)
    return Alive(segments, place // near.shape[1], place)


def nearness(block: Tensor, own: Tensor, positives: Tensor, items: int) -> Tensor:
    """Mark the segments that matter: (q, W / SEGMENT) bool. See :func:`find_alive`."""
    farthest = own.masked_fill(positives < 0, torch.inf).amin(dim=1, keepdim=True)  # (q, 1)
    nearest = block.unflatten(1, (-1, SEGMENT)).amax(dim=2)  # (q, W / SEGMENT)
    return nearest > farthest - far_behind(items, block.dtype)


def far_behind(items: int, dtype: torch.dtype) -> float:
    """Return c: sigmoids of ``items`` at −c are together below the resolution of ``dtype``."""
    return math.log(items / torch.finfo(dtype).eps)


def add_sigmoids(ranks: Tensor, alive: Alive, own: Tensor) -> None:
    """Add Σ_z σ to ranks (q, P), over the items of some segments."""
    for items, row in in_cache(alive.segments, alive.row):
        for some in _columns(items, own):
            step = torch.sub(items[:, None], own[row, some, None]).sigmoid_()  # (L, p, W)
            _add_rows(ranks[:, some], row, step.sum(dim=2))


def slopes(alive: Alive, own: Tensor, grad_ranks: Tensor) -> tuple[Tensor, Tensor]:
    """Compute w of the segments (L, W), and g · Σ_z σ' (q, P), from g = dL/dr over τ.

    The similarities of the segments are overwritten.
    """
    back = torch.zeros_like(grad_ranks)
    for items, row in in_cache(alive.segments, alive.row):
        weights = torch.zeros_like(items)
        for some in _columns(items, own):
            slope = torch.sub(items[:, None], own[row, some, None]).sigmoid_()  # (L, p, W)
            grad = grad_ranks[row, some, None]
            torch.ops.aten.sigmoid_backward(grad, slope, grad_input=slope)
            _add_rows(back[:, some], row, slope.sum(dim=2))
            weights += slope[:, 0] if slope.shape[1] == 1 else slope.sum(dim=1)
        items.copy_(weights)  # the similarities are no longer needed
    return alive.segments, back


def placed(segments: Tensor, alive: Alive, block: Tensor) -> Tensor:
    """Put segments where they come from, into the memory of the block (q, W); elsewhere 0."""
    if alive.place is None:
        return segments
    block.zero_().view(-1, SEGMENT).index_copy_(0, alive.place, segments)
    return block


def _add_rows(total: Tensor, row: Tensor, values: Tensor) -> None:
    """Add values (L, p) to the rows (L,) of a table: not by the slow ``index_add_``."""
    total.scatter_add_(0, row[:, None].expand_as(values), values)


def _columns(items: Tensor, own: Tensor) -> Iterator[slice]:
    """Yield some positives at a time: one, or more where there are few items (L, W)."""
    count = max(1, CACHED_ITEMS // max(1, items.numel()))
    for start in range(0, own.shape[1], count):
        yield slice(start, start + count)

"""Ranks at any batch size: blocks of the similarity matrix, made twice and never kept.

A block is a few queries against the whole gallery. The forward pass makes each block once and
keeps only its ranks, and the last block. The backward pass begins with the last block and makes the
others again. With g = dL/dr and σ' = σ(1 − σ), the
derivative of the loss with respect to the similarities is

    w[q,z] = Σ_p g[q,p] · σ'((s[q,z] − s[q,p]) / τ) / τ,
    dS[q,z] = w[q,z],   and for each positive   dS[q,p] −= g[q,p] · Σ_z σ'(…) / τ,

and then dQ = dS · G, dG = dSᵀ · Q. These are four products of Q·N·D in all: two to make the blocks,
two for the gradients. A method that does not keep the similarities needs at least these four. If
they are one block, three do, and two if the batch is its own gallery: dL/dE = (w + wᵀ) · E.

Most items are so much less similar than every positive that their sigmoids are 0. Each row of a
block is cut into segments, and a segment in which all items are that far is skipped: see
:func:`_alive`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recallkit.ranks.cells import (
    CACHED_ITEMS,
    Cells,
    cells_that_pay,
    in_cache,
    sigmoid_sums,
    weighted_slopes,
)
from recallkit.ranks.precision import products_in

BLOCK_BYTES = 5 * 2**20  # one or two live at once; larger gained nothing on a CPU
WHOLE_BYTES = 64 * 2**20  # of similarities that may be kept: of 4,096 by 4,096 in float32
CUDA_BLOCK_BYTES = 128 * 2**20  # enough rows to fill a large GPU
SEGMENT = 64  # items tested together: testing shorter segments costs as much as it saves
WORTH_SKIPPING = 0.4  # share of segments that matter: above it, copying them costs what it saves


def blocks_ranks(
    queries: Tensor,
    gallery: Tensor,
    positives: Tensor,
    left_out: Tensor | None,
    temperature: float,
    precision: str,
    skip: bool = True,
    whole: bool = False,
) -> Tensor:
    """Compute relaxed ranks block by block; see :func:`.relaxed_ranks`.

    Memory besides inputs and their gradients: O(Q·P) and two blocks; one is kept from the forward
    to the backward pass. Differentiable once.

    With ``whole``, all similarities are one block; see :func:`fit_whole`.

    With ``skip``, segments whose items are all far behind every positive are left out, in blocks
    where that saves time. The result is the same up to rounding. Without it nothing is left out, to
    measure what skipping saves.
    """
    height = len(queries) if whole else block_height(len(gallery), queries)
    return _BlocksRanks.apply(
        queries, gallery, positives, left_out, temperature, precision, skip, height
    )


def fit_whole(queries: Tensor, gallery: Tensor) -> bool:
    """Tell whether all similarities are few enough to be kept: fewer products, more memory."""
    return len(queries) * len(gallery) * queries.element_size() <= WHOLE_BYTES


class _BlocksRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx, queries, gallery, positives, left_out, temperature, precision, skip, height):
        ctx.save_for_backward(queries, gallery, positives, left_out)
        ctx.temperature, ctx.precision, ctx.skip, ctx.height = temperature, precision, skip, height
        ctx.sums = []  # of each block: its cells, where they pay, and Σ_z σ' (q, P)
        ranks = torch.zeros_like(positives, dtype=queries.dtype)
        with products_in(precision, queries.device.type):
            for rows in block_rows(len(queries), height):
                block, own = _block(queries, gallery, positives, left_out, temperature, rows)
                alive = _alive(block, own, positives[rows], skip)
                cells = _cells(alive, block, own, positives[rows])
                ctx.sums.append((cells, _add_sigmoids(ranks[rows], alive, own, cells)))
        ctx.last = block, own, alive
        ctx.alone = gallery is queries and len(block) == len(queries)
        # p itself was counted with σ(0) = ½, in place of the 1 of the definition.
        return ranks.add_(0.5).masked_fill_(positives < 0, torch.inf)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_ranks):
        queries, gallery, positives, _ = ctx.saved_tensors
        grad_ranks = grad_ranks.masked_fill(positives < 0, 0) / ctx.temperature
        wants_queries, wants_gallery = ctx.needs_input_grad[:2]
        grad_queries = torch.empty_like(queries) if wants_queries else None
        grad_gallery = torch.zeros_like(gallery) if wants_gallery else None
        with products_in(ctx.precision, queries.device.type):
            rows_of = block_rows(len(queries), ctx.height)
            for rows, sums in reversed([*zip(rows_of, ctx.sums, strict=True)]):
                block, own, alive = _taken(ctx) or _made_again(ctx, rows)
                slopes, back = _slopes(alive, own, grad_ranks[rows], *sums)
                weights = _placed(slopes, alive, block)[:, : len(gallery)]
                # Padding has gradient 0: adding it at item 0 changes nothing.
                weights.scatter_add_(1, positives[rows].clamp(min=0), -back)
                if ctx.alone:  # both gradients in one product
                    return _with_transpose(weights, queries), *(None,) * 7
                if grad_queries is not None:
                    torch.mm(weights, gallery, out=grad_queries[rows])
                if grad_gallery is not None:
                    grad_gallery.addmm_(weights.T, queries[rows])
        return grad_queries, grad_gallery, *(None,) * 6


def _with_transpose(weights: Tensor, queries: Tensor) -> Tensor:
    """Compute (w + wᵀ) · E a few rows at a time, so that the sum needs no memory of its own."""
    grad = torch.empty_like(queries)
    height = block_height(len(queries), queries)
    for some, across, out in zip(
        weights.split(height), weights.T.split(height), grad.split(height), strict=True
    ):
        torch.mm(some + across, queries, out=out)
    return grad


def block_rows(count: int, height: int) -> Iterator[slice]:
    """Yield the rows of each block of ``count`` queries, ``height`` at a time."""
    for start in range(0, count, height):
        yield slice(start, min(start + height, count))


def block_height(width: int, like: Tensor) -> int:
    """Count the rows of ``width`` numbers that fit a block, of the type and device of ``like``."""
    budget = CUDA_BLOCK_BYTES if like.is_cuda else BLOCK_BYTES
    return max(1, budget // (width * like.element_size()))


def _block(
    queries: Tensor,
    gallery: Tensor,
    positives: Tensor,
    left_out: Tensor | None,
    temperature: float,
    rows: slice,
) -> tuple[Tensor, Tensor]:
    """Similarities over τ of some queries to all items (q, N), and to their positives (q, P).

    The width is rounded up to whole segments. Columns beyond N and items left out are −∞.
    """
    count, items = rows.stop - rows.start, len(gallery)
    block = queries.new_empty(count, math.ceil(items / SEGMENT) * SEGMENT)  # (q, ≥ N)
    torch.mm(queries[rows] / temperature, gallery.T, out=block[:, :items])
    block[:, items:] = -torch.inf  # σ(−∞) = 0, and so is its slope
    own = block.gather(1, positives[rows].clamp(min=0))
    if left_out is not None:
        block.scatter_(1, left_out[rows, None], -torch.inf)
    return block, own


@dataclass(frozen=True)
class _Alive:
    """The segments of a block that matter.

    Attributes:
        segments: (L, W), or whole rows of the block, if most of its segments matter.
        row: (L,) the row of the block that each comes from.
        place: (L,) where each segment lies in the block; None for whole rows.
    """

    segments: Tensor
    row: Tensor
    place: Tensor | None


_Made = tuple[Tensor, Tensor, _Alive]  # a block (q, ≥ N), its positives (q, P), what matters in it


def _taken(ctx: Any) -> _Made | None:
    """Take the last block of the forward pass, once: the backward pass writes into it."""
    last, ctx.last = ctx.last, None
    return last


def _made_again(ctx: Any, rows: slice) -> _Made:
    queries, gallery, positives, left_out = ctx.saved_tensors
    block, own = _block(queries, gallery, positives, left_out, ctx.temperature, rows)
    return block, own, _alive(block, own, positives[rows], ctx.skip)


def _alive(block: Tensor, own: Tensor, positives: Tensor, skip: bool) -> _Alive:
    """Find the segments in which an item comes near a positive of its query, or before it.

    In the others every (s[q,z] − s[q,p]) / τ is below −c with c = ln(N / ε), ε the resolution of
    the type. The sigmoids of all N items together are then below ε, less than the rounding of a
    rank, and so are their slopes. For N = 4,000 and float32, c = 24.
    """
    rows = torch.arange(len(block), device=block.device)
    if not skip or block.numel() * own.shape[1] <= CACHED_ITEMS:  # little to be saved
        return _Alive(block, rows, None)
    near = _nearness(block, own, positives)
    place = near.flatten().nonzero().squeeze(1)  # (L,)
    if len(place) > WORTH_SKIPPING * near.numel():
        return _Alive(block, rows, None)
    segments = block.view(-1, SEGMENT).index_select(0, place)
    return _Alive(segments, place // near.shape[1], place)


def _nearness(block: Tensor, own: Tensor, positives: Tensor) -> Tensor:
    """Mark the segments that matter: (q, N / SEGMENT) bool."""
    farthest = own.masked_fill(positives < 0, torch.inf).amin(dim=1, keepdim=True)  # (q, 1)
    nearest = block.unflatten(1, (-1, SEGMENT)).amax(dim=2)  # (q, N / SEGMENT)
    return nearest > farthest - _limit(block)


def _limit(block: Tensor) -> float:
    """c: sigmoids of all items of a block at −c together are below the resolution of its type."""
    return math.log(block.shape[1] / torch.finfo(block.dtype).eps)


def share_alive(
    queries: Tensor,
    gallery: Tensor,
    positives: Tensor,
    left_out: Tensor | None = None,
    temperature: float = 0.01,
) -> float:
    """Measure the share of segments that come near enough to a positive to matter, 0 … 1.

    A block skips the others if at most ``WORTH_SKIPPING`` of its segments matter. The arguments are
    those of :func:`.relaxed_ranks`.
    """
    alive = total = 0
    for rows in block_rows(len(queries), block_height(len(gallery), queries)):
        block, own = _block(queries, gallery, positives, left_out, temperature, rows)
        near = _nearness(block, own, positives[rows])
        alive, total = alive + int(near.sum()), total + near.numel()
    return alive / total


def _cells(alive: _Alive, block: Tensor, own: Tensor, positives: Tensor) -> Cells | None:
    return cells_that_pay(alive.segments, own, positives, _limit(block), block.shape[1])


def _add_sigmoids(ranks: Tensor, alive: _Alive, own: Tensor, cells: Cells | None) -> Tensor | None:
    """Add Σ_z σ to ranks (q, P), and return Σ_z σ' if cells give it along the way."""
    if cells is not None:
        sums, slopes = sigmoid_sums(cells, alive.segments, alive.row, own)
        ranks += sums
        return slopes
    for items, row in in_cache(alive.segments, alive.row):
        for some in _columns(items, own):
            step = torch.sub(items[:, None], own[row, some, None]).sigmoid_()  # (L, p, W)
            _add_rows(ranks[:, some], row, step.sum(dim=2))
    return None


def _add_rows(total: Tensor, row: Tensor, values: Tensor) -> None:
    """Add values (L, p) to the rows (L,) of a table: not by the slow ``index_add_``."""
    total.scatter_add_(0, row[:, None].expand_as(values), values)


def _columns(items: Tensor, own: Tensor) -> Iterator[slice]:
    """Yield some positives at a time: one, or more where there are few items (L, W)."""
    count = max(1, CACHED_ITEMS // items.numel())
    for start in range(0, own.shape[1], count):
        yield slice(start, start + count)


def _slopes(
    alive: _Alive, own: Tensor, grad_ranks: Tensor, cells: Cells | None, sums: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Compute w of the segments (L, W), and g · Σ_z σ' (q, P), from g = dL/dr over τ."""
    if cells is not None and sums is not None:
        weights = weighted_slopes(cells, alive.segments, alive.row, own, grad_ranks)
        return weights, grad_ranks * sums
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


def _placed(segments: Tensor, alive: _Alive, block: Tensor) -> Tensor:
    """Put segments where they come from, into the memory of the block (q, ≥ N); elsewhere 0."""
    if alive.place is None:
        return segments
    block.zero_().view(-1, SEGMENT).index_copy_(0, alive.place, segments)
    return block

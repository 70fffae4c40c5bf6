"""Ranks at any batch size: blocks of the similarity matrix, made twice, all but the last.

A block is a few queries against the whole gallery. The forward pass makes each block once and
keeps only its ranks, and the last block. The backward pass begins with the last block and makes the
others again. With g = dL/dr and σ' = σ(1 − σ), the derivative of the loss with respect to the
similarities is

    w[q,z] = Σ_p g[q,p] · σ'((s[q,z] − s[q,p]) / τ) / τ,
    dS[q,z] = w[q,z],   and for each positive   dS[q,p] −= g[q,p] · Σ_z σ'(…) / τ,

and then dQ = dS · G, dG = dSᵀ · Q. These are four products of Q·N·D in all: two to make the blocks,
two for the gradients. If they are one block, three do, and two if the batch is its own gallery:
dL/dE = (w + wᵀ) · E. In many blocks, such a batch needs two as well, since its similarities are
symmetric; see :mod:`recallkit.ranks.tiles`.

Items that are far behind every positive are skipped; see :mod:`recallkit.ranks.segments`.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recallkit.ranks.cells import Cells, cells_that_pay, sigmoid_sums, weighted_slopes
from recallkit.ranks.precision import products_in
from recallkit.ranks.segments import (
    Alive,
    add_sigmoids,
    empty_block,
    far_behind,
    find_alive,
    nearness,
    placed,
    slopes,
)

BLOCK_BYTES = 5 * 2**20  # one or two live at once; larger gained nothing on a CPU
WHOLE_BYTES = 64 * 2**20  # of similarities that may be kept: of 4,096 by 4,096 in float32
CUDA_BLOCK_BYTES = 128 * 2**20  # enough rows to fill a large GPU


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
                alive = find_alive(block, own, positives[rows], len(gallery), skip)
                cells = _cells(alive, own, positives[rows], len(gallery))
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
                found, back = _slopes(alive, own, grad_ranks[rows], *sums)
                weights = placed(found, alive, block)[:, : len(gallery)]
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
    return max(1, block_budget(like) // (width * like.element_size()))


def block_budget(like: Tensor) -> int:
    """Return the bytes of a block on the device of ``like``."""
    return CUDA_BLOCK_BYTES if like.is_cuda else BLOCK_BYTES


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
    block = empty_block(count, items, queries)  # (q, ≥ N)
    torch.mm(queries[rows] / temperature, gallery.T, out=block[:, :items])
    own = block.gather(1, positives[rows].clamp(min=0))
    if left_out is not None:
        block.scatter_(1, left_out[rows, None], -torch.inf)
    return block, own


_Made = tuple[Tensor, Tensor, Alive]  # a block (q, ≥ N), its positives (q, P), what matters in it


def _taken(ctx: Any) -> _Made | None:
    """Take the last block of the forward pass, once: the backward pass writes into it."""
    last, ctx.last = ctx.last, None
    return last


def _made_again(ctx: Any, rows: slice) -> _Made:
    queries, gallery, positives, left_out = ctx.saved_tensors
    block, own = _block(queries, gallery, positives, left_out, ctx.temperature, rows)
    return block, own, find_alive(block, own, positives[rows], len(gallery), ctx.skip)


def share_alive(
    queries: Tensor,
    gallery: Tensor,
    positives: Tensor,
    left_out: Tensor | None = None,
    temperature: float = 0.01,
) -> float:
    """Measure the share of segments that come near enough to a positive to matter, 0 … 1.

    The arguments are those of :func:`.relaxed_ranks`. A block skips the others if they are many;
    see :func:`.find_alive`.
    """
    alive = total = 0
    for rows in block_rows(len(queries), block_height(len(gallery), queries)):
        block, own = _block(queries, gallery, positives, left_out, temperature, rows)
        near = nearness(block, own, positives[rows], len(gallery))
        alive, total = alive + int(near.sum()), total + near.numel()
    return alive / total


def _cells(alive: Alive, own: Tensor, positives: Tensor, items: int) -> Cells | None:
    return cells_that_pay(alive.segments, own, positives, far_behind(items, own.dtype), items)


def _add_sigmoids(ranks: Tensor, alive: Alive, own: Tensor, cells: Cells | None) -> Tensor | None:
    """Add Σ_z σ to ranks (q, P), and return Σ_z σ' if cells give it along the way."""
    if cells is None:
        return add_sigmoids(ranks, alive, own)
    sums, of_slopes = sigmoid_sums(cells, alive.segments, alive.row, own)
    ranks += sums
    return of_slopes


def _slopes(
    alive: Alive, own: Tensor, grad_ranks: Tensor, cells: Cells | None, sums: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Compute w of the segments (L, W), and g · Σ_z σ' (q, P), from g = dL/dr over τ."""
    if cells is None or sums is None:
        return slopes(alive, own, grad_ranks)
    weights = weighted_slopes(cells, alive.segments, alive.row, own, grad_ranks)
    return weights, grad_ranks * sums

"""Ranks at any batch size: strips of the similarity matrix, made twice and never kept.

A strip is a few queries against the whole gallery. The forward pass makes each strip once and
keeps of it the ranks alone. The backward pass makes it again: with g = dL/dr and
σ' = σ(1 − σ), the derivative of the loss in the similarities is

    w[q,z] = Σ_p g[q,p] · σ'((s[q,z] − s[q,p]) / τ) / τ,
    dS[q,z] = w[q,z],   and for each positive   dS[q,p] −= g[q,p] · Σ_z σ'(…) / τ,

and then dQ = dS · G, dG = dSᵀ · Q. Four products of Q·N·D in all: two to make the strips, two for
the gradients. No method that does not keep the similarities can do with fewer.

Most items are so much less similar than every positive that their sigmoids are 0. A strip is looked
at in pieces of a row, and pieces in which all items are so far are skipped: see :func:`_alive`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recallkit.ranks.precision import products_in

STRIP_BYTES = 5 * 2**20  # three strips of this size live at once; larger gained nothing on a CPU


CUDA_STRIP_BYTES = 128 * 2**20  # enough rows to fill a large GPU


PIECE = 64  # items looked at together: shorter ones cost as much to look at as they save


WORTH_SKIPPING = 0.4  # of the pieces alive: with more, copying them costs what skipping saves


def blocks_ranks(
    queries: Tensor,
    gallery: Tensor,
    positives: Tensor,
    left_out: Tensor | None,
    temperature: float,
    precision: str,
) -> Tensor:
    """Relaxed ranks strip by strip; see :func:`.relaxed_ranks`.

    Memory besides inputs and their gradients: O(Q·P) and three strips. Differentiable once.
    """
    return _BlocksRanks.apply(queries, gallery, positives, left_out, temperature, precision)


class _BlocksRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx, queries, gallery, positives, left_out, temperature, precision):
        ctx.save_for_backward(queries, gallery, positives, left_out)
        ctx.temperature, ctx.precision = temperature, precision
        ranks = torch.zeros_like(positives, dtype=queries.dtype)
        with products_in(precision, queries.device.type):
            for rows in strips(queries, gallery):
                strip, own = _strip(queries, gallery, positives, left_out, temperature, rows)
                alive = _alive(strip, own, positives[rows])
                step = torch.empty_like(alive.parts)
                for p in range(positives.shape[1]):
                    torch.sub(alive.parts, own[alive.row, p, None], out=step).sigmoid_()
                    ranks[rows, p].index_add_(0, alive.row, step.sum(dim=1))
        # p itself was counted with σ(0) = ½, in place of the 1 of the definition.
        return ranks.add_(0.5).masked_fill_(positives < 0, torch.inf)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_ranks):
        queries, gallery, positives, left_out = ctx.saved_tensors
        grad_ranks = grad_ranks.masked_fill(positives < 0, 0) / ctx.temperature
        wants_queries, wants_gallery = ctx.needs_input_grad[:2]
        grad_queries = torch.empty_like(queries) if wants_queries else None
        grad_gallery = torch.zeros_like(gallery) if wants_gallery else None
        with products_in(ctx.precision, queries.device.type):
            for rows in strips(queries, gallery):
                strip, own = _strip(queries, gallery, positives, left_out, ctx.temperature, rows)
                weights = _strip_gradient(strip, own, positives[rows], grad_ranks[rows])
                weights = weights[:, : len(gallery)]
                if wants_queries:
                    torch.mm(weights, gallery, out=grad_queries[rows])
                if wants_gallery:
                    grad_gallery.addmm_(weights.T, queries[rows])
        return grad_queries, grad_gallery, None, None, None, None


def strips(queries: Tensor, gallery: Tensor) -> Iterator[slice]:
    """Rows of the similarity matrix, as many at a time as the budget of bytes allows."""
    budget = CUDA_STRIP_BYTES if queries.is_cuda else STRIP_BYTES
    height = max(1, budget // (len(gallery) * queries.element_size()))
    for start in range(0, len(queries), height):
        yield slice(start, min(start + height, len(queries)))


def _strip(
    queries: Tensor,
    gallery: Tensor,
    positives: Tensor,
    left_out: Tensor | None,
    temperature: float,
    rows: slice,
) -> tuple[Tensor, Tensor]:
    """Similarities over τ of some queries to all (q, N), and to their positives (q, P).

    The strip is as wide as whole pieces make it; what is beyond N, and what is left out, is −∞.
    """
    count, items = rows.stop - rows.start, len(gallery)
    strip = queries.new_empty(count, math.ceil(items / PIECE) * PIECE)  # (q, ≥ N)
    torch.mm(queries[rows] / temperature, gallery.T, out=strip[:, :items])
    strip[:, items:] = -torch.inf  # σ(−∞) = 0, and so is its slope
    own = strip.gather(1, positives[rows].clamp(min=0))
    if left_out is not None:
        strip.scatter_(1, left_out[rows, None], -torch.inf)
    return strip, own


@dataclass(frozen=True)
class _Alive:
    """The parts of a strip that matter.

    Attributes:
        parts: (L, W), pieces; or whole rows of the strip, if most of its pieces matter.
        row: (L,) the row of the strip that each comes from.
        place: (L,) where each piece lies in the strip; None for whole rows.
    """

    parts: Tensor
    row: Tensor
    place: Tensor | None


def _alive(strip: Tensor, own: Tensor, positives: Tensor) -> _Alive:
    """Find the pieces in which an item comes near a positive of its query, or before it.

    In the others every (s[q,z] − s[q,p]) / τ is below −c with c = ln(N / ε), ε the resolution of
    the type: the sigmoids of all N items together are below ε, less than the rounding of a rank,
    and so are their slopes. For N = 4,000 and float32, c = 24.
    """
    near = _nearness(strip, own, positives)
    place = near.flatten().nonzero().squeeze(1)  # (L,)
    if len(place) > WORTH_SKIPPING * near.numel():
        return _Alive(strip, torch.arange(len(strip), device=strip.device), None)
    pieces = strip.view(-1, PIECE).index_select(0, place)
    return _Alive(pieces, place // near.shape[1], place)


def _nearness(strip: Tensor, own: Tensor, positives: Tensor) -> Tensor:
    """Which pieces are alive: (q, N / PIECE) bool."""
    limit = math.log(strip.shape[1] / torch.finfo(strip.dtype).eps)
    farthest = own.masked_fill(positives < 0, torch.inf).amin(dim=1, keepdim=True)  # (q, 1)
    nearest = strip.unflatten(1, (-1, PIECE)).amax(dim=2)  # (q, N / PIECE)
    return nearest > farthest - limit


def share_alive(
    queries: Tensor,
    gallery: Tensor,
    positives: Tensor,
    left_out: Tensor | None = None,
    temperature: float = 0.01,
) -> float:
    """The share of the pieces that come near enough to a positive to matter, 0 … 1.

    Pieces are skipped in strips of which at most ``WORTH_SKIPPING`` is alive. Arguments as those of
    :func:`.relaxed_ranks`.
    """
    alive = total = 0
    for rows in strips(queries, gallery):
        strip, own = _strip(queries, gallery, positives, left_out, temperature, rows)
        near = _nearness(strip, own, positives[rows])
        alive, total = alive + int(near.sum()), total + near.numel()
    return alive / total


def _strip_gradient(strip: Tensor, own: Tensor, positives: Tensor, grad_ranks: Tensor) -> Tensor:
    """The derivative in the similarities of one strip (q, ≥ N), from dL/dr over τ (q, P)."""
    alive = _alive(strip, own, positives)
    weights, slope = torch.zeros_like(alive.parts), torch.empty_like(alive.parts)
    back = torch.zeros_like(grad_ranks)  # (q, P): what each positive gets from its own rank
    for p in range(own.shape[1]):
        torch.sub(alive.parts, own[alive.row, p, None], out=slope).sigmoid_()
        grad = grad_ranks[alive.row, p, None]
        torch.ops.aten.sigmoid_backward(grad, slope, grad_input=slope)
        back[:, p].index_add_(0, alive.row, slope.sum(dim=1))
        weights += slope
    if alive.place is not None:  # the similarities are no longer needed, their memory is
        strip.zero_().view(-1, PIECE).index_copy_(0, alive.place, weights)
        weights = strip
    # Padding has no gradient: added at item 0 it changes nothing.
    return weights.scatter_add_(1, positives.clamp(min=0), -back)

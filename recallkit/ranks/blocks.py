"""Ranks at any batch size: strips of the similarity matrix, made twice and never kept.

A strip is a few queries against the whole gallery. The forward pass makes each strip once and
keeps of it the ranks alone. The backward pass makes it again: with g = dL/dr and
σ' = σ(1 − σ), the derivative of the loss in the similarities is

    w[q,z] = Σ_p g[q,p] · σ'((s[q,z] − s[q,p]) / τ) / τ,
    dS[q,z] = w[q,z],   and for each positive   dS[q,p] −= g[q,p] · Σ_z σ'(…) / τ,

and then dQ = dS · G, dG = dSᵀ · Q. Four products of Q·N·D in all: two to make the strips, two for
the gradients. No method that does not keep the similarities can do with fewer.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recallkit.ranks.precision import full_precision

STRIP_BYTES = 8 * 2**20  # three strips of this size live at once; larger gained nothing on a CPU
CUDA_STRIP_BYTES = 128 * 2**20  # enough rows to fill a large GPU


def blocks_ranks(
    queries: Tensor, gallery: Tensor, positives: Tensor, left_out: Tensor | None, temperature: float
) -> Tensor:
    """Relaxed ranks strip by strip; see :func:`.relaxed_ranks`.

    Memory besides inputs and their gradients: O(Q·P) and three strips. Differentiable once.
    """
    return _BlocksRanks.apply(queries, gallery, positives, left_out, temperature)


class _BlocksRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx, queries, gallery, positives, left_out, temperature):
        ctx.save_for_backward(queries, gallery, positives, left_out)
        ctx.temperature = temperature
        ranks = queries.new_empty(positives.shape)
        for rows in _strips(queries, gallery):
            strip, own = _strip(queries, gallery, positives, left_out, temperature, rows)
            step = torch.empty_like(strip)
            for p in range(positives.shape[1]):
                torch.sub(strip, own[:, p, None], out=step).sigmoid_()
                torch.sum(step, dim=1, out=ranks[rows, p])
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
        with full_precision(queries.device.type):
            for rows in _strips(queries, gallery):
                strip, own = _strip(queries, gallery, positives, left_out, ctx.temperature, rows)
                weights = _strip_gradient(strip, own, positives[rows], grad_ranks[rows])
                if wants_queries:
                    torch.mm(weights, gallery, out=grad_queries[rows])
                if wants_gallery:
                    grad_gallery.addmm_(weights.T, queries[rows])
        return grad_queries, grad_gallery, None, None, None


def _strips(queries: Tensor, gallery: Tensor) -> Iterator[slice]:
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
    """Similarities over τ of some queries to all (q, N), and to their positives (q, P)."""
    strip = (queries[rows] / temperature) @ gallery.T
    own = strip.gather(1, positives[rows].clamp(min=0))
    if left_out is not None:
        strip.scatter_(1, left_out[rows, None], -torch.inf)  # σ(−∞) = 0, and so is its slope
    return strip, own


def _strip_gradient(strip: Tensor, own: Tensor, positives: Tensor, grad_ranks: Tensor) -> Tensor:
    """The derivative in the similarities of one strip (q, N), from dL/dr over τ (q, P)."""
    weights, slope = torch.zeros_like(strip), torch.empty_like(strip)
    back = torch.empty_like(grad_ranks)  # (q, P): what each positive gets from its own rank
    for p in range(own.shape[1]):
        torch.sub(strip, own[:, p, None], out=slope).sigmoid_()
        torch.ops.aten.sigmoid_backward(grad_ranks[:, p, None], slope, grad_input=slope)
        torch.sum(slope, dim=1, out=back[:, p])
        weights += slope
    # Padding has no gradient: added at item 0 it changes nothing.
    return weights.scatter_add_(1, positives.clamp(min=0), -back)

"""Ranks of a small problem: few operations, since each costs more to start than to compute.

The table of all comparisons is kept from the forward to the backward pass, as autograd would keep
it. The derivative is that of :mod:`recallkit.ranks.blocks`, written out. A batch that is its own
gallery has dL/dE = (w + wᵀ) E, one product in place of two.
"""

from typing import Any

import torch
from torch import Tensor

from recallkit.ranks.dense import dense_ranks
from recallkit.ranks.precision import products_in


def small_ranks(
    queries: Tensor,
    gallery: Tensor,
    positives: Tensor,
    left_out: Tensor | None,
    temperature: float,
    precision: str,
    full: bool = False,
) -> Tensor:
    """Compute relaxed ranks from the whole Q×P×N table of comparisons; see :func:`.relaxed_ranks`.

    Memory O(Q·N·P). Differentiable any number of times: beyond once by the engine ``dense``. With
    ``full`` no entry of ``positives`` is padding, and nothing is done about it.
    """
    others = None if gallery is queries else gallery
    return _SmallRanks.apply(queries, others, positives, left_out, temperature, precision, full)


class _SmallRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx, queries, gallery, positives, left_out, temperature, precision, full):
        ctx.temperature, ctx.precision = temperature, precision
        with products_in(precision, queries.device.type):
            similarity = queries @ (queries if gallery is None else gallery).T
        similarity /= temperature  # (Q, N)
        ctx.index = positives if full else positives.clamp(min=0)
        ctx.padding = None if full else positives < 0
        own = similarity.gather(1, ctx.index)  # (Q, P)
        if left_out is not None:
            similarity.scatter_(1, left_out[:, None], -torch.inf)  # σ(−∞) = 0
        steps = (similarity[:, None] - own[:, :, None]).sigmoid_()  # (Q, P, N)
        ctx.save_for_backward(queries, gallery, positives, left_out, steps)
        # p itself was counted with σ(0) = ½, in place of the 1 of the definition.
        return _with_padding(steps.sum(dim=2).add_(0.5), ctx.padding, torch.inf)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        if torch.is_grad_enabled():  # a derivative of this derivative is asked for
            return *_of_definition(ctx, grads[0]), *_CONSTANT
        queries, gallery, _, _, steps = ctx.saved_tensors
        weights = _weights(ctx, grads[0], steps)
        with products_in(ctx.precision, queries.device.type):
            if gallery is None:
                return (weights + weights.T) @ queries, None, *_CONSTANT
            wants_queries, wants_gallery = ctx.needs_input_grad[:2]
            of_queries = weights @ gallery if wants_queries else None
            of_gallery = weights.T @ queries if wants_gallery else None
        return of_queries, of_gallery, *_CONSTANT


_CONSTANT = (None,) * 5  # the arguments of forward, queries and gallery excepted


def _with_padding(values: Tensor, padding: Tensor | None, value: float) -> Tensor:
    return values if padding is None else values.masked_fill_(padding, value)


def _weights(ctx: Any, grad: Tensor, steps: Tensor) -> Tensor:
    """Compute dL/dS (Q, N) from dL/dr (Q, P) and the table of comparisons (Q, P, N)."""
    grad = _with_padding(grad / ctx.temperature, ctx.padding, 0)
    slopes = torch.ops.aten.sigmoid_backward(grad[:, :, None], steps)  # (Q, P, N)
    # Padding has slope 0: taking it from item 0 changes nothing.
    return slopes.sum(dim=1).scatter_add_(1, ctx.index, slopes.sum(dim=2).neg_())


def _of_definition(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
    queries, gallery, positives, left_out, _ = ctx.saved_tensors
    # As views: queries may be rows of the gallery, whose own gradient must not be in it twice.
    ours = queries.view_as(queries)
    others = ours if gallery is None else gallery.view_as(gallery)
    ranks = dense_ranks(ours, others, positives, left_out, ctx.temperature, ctx.precision)
    ranks = ranks if ctx.padding is None else ranks.masked_fill(ctx.padding, 0)
    parts = (ours, None if gallery is None else others)
    wanted = [part for part in parts if part is not None and part.requires_grad]
    found = iter(torch.autograd.grad(ranks, wanted, grad, create_graph=True))
    first, second = (
        next(found) if part is not None and part.requires_grad else None for part in parts
    )
    return first, second

"""Similarities of chosen pairs, without a copy of the gallery for each."""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def pair_similarities(queries: Tensor, gallery: Tensor, index: Tensor) -> Tensor:
    """Compute the similarity of each query to the items chosen for it.

    Memory besides inputs and their gradients: O(Q·D), whatever P. Differentiable once.

    Args:
        queries: (Q, D).
        gallery: (N, D).
        index: (Q, P) int64 indices into the gallery.

    Returns:
        (Q, P): ``out[q, p] = ⟨queries[q], gallery[index[q, p]]⟩``.
    """
    return _PairSimilarities.apply(queries, gallery, index)


class _PairSimilarities(torch.autograd.Function):
    @staticmethod
    def forward(ctx, queries, gallery, index):
        ctx.save_for_backward(queries, gallery, index)
        columns = [(queries * gallery[chosen]).sum(dim=1) for chosen in index.T]
        return torch.stack(columns, dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        queries, gallery, index = ctx.saved_tensors
        grad_queries, grad_gallery = torch.zeros_like(queries), torch.zeros_like(gallery)
        for chosen, weight in zip(index.T, grad.T, strict=True):
            grad_queries.addcmul_(gallery[chosen], weight[:, None])
            grad_gallery.index_add_(0, chosen, queries * weight[:, None])
        return grad_queries, grad_gallery, None

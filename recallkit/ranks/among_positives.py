"""The relaxed rank of each positive among the positives of its query alone.

    r⁺[q,p] = 1 + Σ_{z ≠ p} sigmoid((s[q,z] − s[q,p]) / τ),    z over the positives of q

It depends on the similarities of a query to its positives only. So they are computed once, (Q, P),
and compared a block of queries by one positive at a time: Q·P² numbers never exist together.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recallkit.ranks.blocks import block_height
from recallkit.ranks.pairs import pair_similarities
from recallkit.ranks.precision import in_single, without_autocast

DENSE_COMPARISONS = {"cpu": 2**18, "cuda": 2**22}  # largest Q·P² to be compared in one table


def ranks_among_positives(
    queries: Tensor, gallery: Tensor, positives: Tensor, temperature: float, engine: str = "auto"
) -> Tensor:
    """Rank each positive among the positives of its query alone.

    Args:
        queries: (Q, D) floating. Half precision is computed in float32.
        gallery: (N, D).
        positives: (Q, P) int64, −1 at padding.
        temperature: τ, in units of similarity.
        engine: as for :func:`.relaxed_ranks`. ``"dense"`` compares all in one table of Q·P²
            numbers; ``"blocks"`` and ``"fused"`` need O(Q·P + Q·D) memory; ``"auto"`` is dense for
            small tables.

    Returns:
        (Q, P), float32 or float64; 1 at padding. Differentiable once.
    """
    queries, gallery = in_single(queries, gallery)
    index = positives.clamp(min=0)
    with without_autocast(queries.device.type):
        own = pair_similarities(queries, gallery, index) / temperature
        own = own.masked_fill(positives < 0, -torch.inf)  # (Q, P)
        return _dense(own) if _is_dense(own, engine) else _Blocks.apply(own)


def _is_dense(own: Tensor, engine: str) -> bool:
    small = own.numel() * own.shape[1] <= DENSE_COMPARISONS["cuda" if own.is_cuda else "cpu"]
    return engine == "dense" or (engine == "auto" and small)


def _dense(own: Tensor) -> Tensor:
    """Write out the definition for similarities over τ (Q, P), −∞ at padding."""
    centre = own.masked_fill(own.isinf(), 0)
    steps = torch.sigmoid(own[:, None, :] - centre[:, :, None])  # (Q, p, z)
    real = own.isfinite()
    competes = real[:, None, :] & real[:, :, None]
    competes &= ~torch.eye(len(own.T), dtype=torch.bool, device=own.device)  # z ≠ p
    return 1 + torch.where(competes, steps, 0).sum(dim=2)


class _Blocks(torch.autograd.Function):
    """Similarities over τ (Q, P), −∞ at padding → ranks among positives (Q, P)."""

    @staticmethod
    def forward(ctx, own):
        ctx.save_for_backward(own)
        ranks = torch.empty_like(own)
        for block, result in zip(_split(own), _split(ranks), strict=True):
            step, centre = torch.empty_like(block), block.masked_fill(block.isinf(), 0)
            for p in range(block.shape[1]):
                torch.sub(block, centre[:, p, None], out=step).sigmoid_()  # σ(−∞) = 0: padding
                torch.sum(step, dim=1, out=result[:, p])
        # p itself was counted with σ(0) = ½, in place of the 1 of the definition.
        return ranks.add_(0.5).masked_fill_(own.isinf(), 1)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_ranks):
        """Multiply by ∂r⁺[q,p] / ∂s[q,z] = σ', and by −Σ_z σ' for z = p."""
        (own,) = ctx.saved_tensors
        grad_ranks = grad_ranks.masked_fill(own.isinf(), 0)
        grad = torch.zeros_like(own)
        for block, weight, total in zip(*map(_split, (own, grad_ranks, grad)), strict=True):
            slope, centre = torch.empty_like(block), block.masked_fill(block.isinf(), 0)
            for p in range(block.shape[1]):
                torch.sub(block, centre[:, p, None], out=slope).sigmoid_()
                torch.ops.aten.sigmoid_backward(weight[:, p, None], slope, grad_input=slope)
                total += slope
                total[:, p] -= slope.sum(dim=1)
        return grad


def _split(table: Tensor) -> tuple[Tensor, ...]:
    """Cut a table (Q, P) into blocks of queries."""
    return table.split(block_height(table.shape[1], table))

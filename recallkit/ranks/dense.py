"""The engine to read first: the definition written out; autograd does the rest."""

import torch
from torch import Tensor

from recallkit.ranks.precision import products_in


def dense_ranks(
    queries: Tensor,
    gallery: Tensor,
    positives: Tensor,
    left_out: Tensor | None,
    temperature: float,
    precision: str,
) -> Tensor:
    """Compute relaxed ranks from the whole Q×P×N table of comparisons; see :func:`.relaxed_ranks`.

    Memory O(Q·N·P). Differentiable any number of times.
    """
    with products_in(precision, queries.device.type):
        similarity = (queries / temperature) @ gallery.T  # (Q, N), over τ
    own = similarity.gather(1, positives.clamp(min=0))  # (Q, P); padding is overwritten below
    if left_out is not None:
        similarity = similarity.scatter(1, left_out[:, None], -torch.inf)  # σ(−∞) = 0
    steps = torch.sigmoid(similarity[:, None, :] - own[:, :, None])  # (Q, P, N)
    # p itself was counted with σ(0) = ½, in place of the 1 of the definition.
    return (0.5 + steps.sum(dim=2)).masked_fill(positives < 0, torch.inf)

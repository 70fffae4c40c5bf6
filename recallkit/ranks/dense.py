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
        similarity = queries @ gallery.T  # (Q, N)
    item = positives.clamp(min=0)  # padding points at item 0 and is overwritten below
    own = similarity.gather(1, item)  # (Q, P)
    steps = torch.sigmoid((similarity[:, None, :] - own[:, :, None]) / temperature)  # (Q, P, N)

    competes = torch.ones_like(steps, dtype=torch.bool)
    competes.scatter_(2, item[:, :, None], False)  # z ≠ p
    if left_out is not None:
        absent = left_out[:, None, None].expand(-1, positives.shape[1], 1)
        competes.scatter_(2, absent, False)
    ranks = 1 + torch.where(competes, steps, 0).sum(dim=2)  # (Q, P)
    return ranks.masked_fill(positives < 0, torch.inf)

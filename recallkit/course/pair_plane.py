"""One positive and one negative of a query: what a loss does at each place of the two.

The plane of the two similarities is where circle loss has its name from.
"""

import math

import torch
from torch import Tensor

from recallkit.course.pair_gradients import Loss, list_gradient


def circle_boundary(margin: float, count: int = 61) -> Tensor:
    """Find where circle loss balances a pair of each kind, α_n (s_n − m) = α_p (s_p − 1 + m).

    It is the part of s_n² + (s_p − 1)² = 2 m² from (s_p, s_n) = (1 − m, −m), where the weight of
    the negative begins, to s_p = 1.

    Args:
        margin: m, at least 0.
        count: of points, at least 2.

    Returns:
        (count, 2) float64: s_p and s_n.
    """
    angle = torch.linspace(-0.75 * math.pi, 0, count, dtype=torch.float64)
    centre = torch.tensor([1.0, 0.0], dtype=torch.float64)
    return centre + margin * math.sqrt(2) * torch.stack([angle.sin(), angle.cos()], dim=1)


def pushes_in_plane(loss: Loss, grid: Tensor) -> Tensor:
    """Compute −dL/ds of the positive and of the negative, for each place of the two.

    Args:
        loss: as for :func:`.pair_gradients`.
        grid: (G,) similarities.

    Returns:
        (G, G, 2): the positive's similarity along the rows, the negative's along the columns; the
        push on the positive first.
    """
    own = torch.tensor([True, False])
    rows = [[list_gradient(loss, torch.stack([p, n]), own) for n in grid] for p in grid]
    return -torch.stack([torch.stack(row) for row in rows])

"""One positive and one negative: the boundary of circle loss, and the push in the plane."""

import math

import pytest
import torch
from torch.nn.functional import softplus

from recallkit.course.pair_gradients import losses_to_compare
from recallkit.course.pair_plane import circle_boundary, pushes_in_plane
from recallkit.related import CircleLoss


@pytest.mark.parametrize("margin", [0.1, 0.25, 0.4])
def test_on_the_boundary_circle_loss_is_log_2_at_any_scale(margin):
    boundary = circle_boundary(margin, 9)
    assert boundary[0].tolist() == pytest.approx([1 - margin, -margin])
    assert boundary[-1].tolist() == pytest.approx([1, margin * math.sqrt(2)])
    for gamma in (1, 80, 256):
        for row in boundary:
            gallery, labels = torch.eye(2, dtype=torch.float64), torch.tensor([1, 0])
            loss = CircleLoss(margin, gamma)(row[None], torch.tensor([1]), gallery, labels)
            assert loss.item() == pytest.approx(math.log(2), abs=1e-9)


def test_pushes_are_slopes_with_the_positive_along_the_rows():
    grid = torch.tensor([-0.1, 0.3, 0.8], dtype=torch.float64)
    pushes = pushes_in_plane(CircleLoss(0.4, 2.0), grid)
    assert pushes.shape == (3, 3, 2)
    for i, p in enumerate(grid):
        for j, n in enumerate(grid):
            weights = torch.stack([1.4 - p, n + 0.4])
            leaf = torch.stack([p, n]).requires_grad_()
            parts = weights * torch.stack([0.6 - leaf[0], leaf[1] - 0.4])
            [slope] = torch.autograd.grad(softplus(2 * parts.sum()), leaf)
            assert torch.allclose(pushes[i, j], -slope)


def test_triplet_pushes_alike_up_to_its_margin_and_not_beyond():
    grid = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    pushes = pushes_in_plane(losses_to_compare()["triplet"], grid)
    violated = grid[None] - grid[:, None] + 0.1 > 0
    assert torch.equal(pushes[..., 0], violated.double())
    assert torch.equal(pushes[..., 1], -violated.double())

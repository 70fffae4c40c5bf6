"""A toy batch between random and solved: what SiMix still asks for at the floor of the loss."""

import pytest
import torch

from recallkit import RecallAtKLoss
from recallkit.course.solved_batch import (
    loss_and_push,
    partly_solved,
    perfect_rankings,
    random_alphas,
    random_start,
)
from recallkit.loss_floor import batch_floor

PLAIN, MIXED = (batch_floor(RecallAtKLoss(), {positives: 1}).perfect for positives in (3, 9))


def test_the_share_goes_from_the_start_to_perfect_rankings():
    start = random_start()
    points, labels = partly_solved(start, 0.0)
    torch.testing.assert_close(points, torch.nn.functional.normalize(start, dim=1))
    assert perfect_rankings(points, labels) < 4
    solved, _ = partly_solved(start, 1.0)
    assert perfect_rankings(solved, labels) == 16
    similarities = solved @ solved.T
    for q in range(16):
        own = similarities[q, (labels == labels[q]) & (torch.arange(16) != q)].sort().values
        assert own.diff().min() > 0.06  # τ₂ is 0.01
        assert own.min() > 0.3
        assert similarities[q, labels != labels[q]].abs().max() < 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_a_solved_batch_is_at_its_floor_without_simix_and_above_it_with(seed):
    points, labels = partly_solved(random_start(seed), 1.0)
    loss, push = loss_and_push(points, labels)
    assert loss == pytest.approx(PLAIN, abs=1e-4)
    assert push < 1e-4
    mixed, mixed_push = loss_and_push(points, labels, random_alphas(seed))
    assert mixed > MIXED + 0.003
    assert mixed_push > 50 * push


def test_the_push_is_that_of_finite_differences():
    points, labels = partly_solved(random_start(), 0.5)
    alphas, loss = random_alphas(), RecallAtKLoss(rank_temperature=0.2)
    step, lengths = 1e-6, []
    for i in range(16):
        slopes = torch.zeros(8, dtype=torch.float64)
        for d in range(8):
            values = []
            for sign in (1, -1):
                moved = points.clone()
                moved[i, d] += sign * step
                moved[i] /= moved[i].norm()  # back to the sphere: along it, the slope is the same
                values.append(loss_and_push(moved, labels, alphas, loss)[0])
            slopes[d] = (values[0] - values[1]) / (2 * step)
        lengths.append(slopes.norm().item())
    _, push = loss_and_push(points, labels, alphas, loss)
    assert push == pytest.approx(sum(lengths) / 16, rel=1e-4)

"""Corners of a cube of comparisons, and the anchors that are drawn at them."""

import pytest
import torch

from recallkit.course.corners import corner_counts, corners_of
from recallkit.related import draw_anchors


def test_corners_are_all_outcomes_once_and_the_first_is_the_truth():
    corners = corners_of(4)
    assert corners.shape == (16, 4)
    assert corners.unique(dim=0).shape == (16, 4)
    assert corners[0].tolist() == [1, 1, 1, 1]
    assert corners[2].tolist() == [1, -1, 1, 1]


@pytest.mark.parametrize("b", [[0.4, -0.2, -0.9], [0.1, 0.2, 0.3], [-0.5, 0.0, 0.7], [-0.1]])
def test_counts_are_those_of_many_draws(b):
    comparisons, many = torch.tensor(b), 20_000
    real, draw = torch.ones(len(b), dtype=torch.bool), torch.Generator().manual_seed(1)
    anchors = draw_anchors(comparisons, real, many, draw).double()
    found = (anchors[:, None] == corners_of(len(b))).all(dim=2).sum(dim=0)
    expected = corner_counts(comparisons, many)
    assert expected.sum() == pytest.approx(1 + 3 * many)
    assert (found - expected).abs().max() < 6 * many**0.5

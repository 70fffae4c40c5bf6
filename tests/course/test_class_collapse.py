"""The toy classes are what they are said to be, and collapse is measured right."""

import math

import pytest
import torch

from recallkit import RecallAtKLoss
from recallkit.course.class_collapse import RULER, arc_classes, arc_losses, within_class_similarity


def test_within_class_similarity_by_hand():
    embeddings = torch.tensor([[1.0, 0], [0, 1], [0.6, 0.8], [1, 0]])
    labels = torch.tensor([7, 3, 7, 7])  # the 3 is alone
    pairs = [0.6, 1.0, 0.6]  # 0-2, 0-3, 2-3
    expected = (
        (pairs[0] + pairs[1]) / 2 + (pairs[0] + pairs[2]) / 2 + (pairs[1] + pairs[2]) / 2
    ) / 3
    assert within_class_similarity(embeddings, labels) == pytest.approx(expected)


def test_within_class_similarity_needs_a_pair():
    with pytest.raises(ValueError, match="each label occurs once"):
        within_class_similarity(torch.eye(3), torch.arange(3))


@pytest.mark.parametrize("per_class", range(2, len(RULER) + 1))
def test_arcs_have_distinct_similarities_and_the_width_asked_for(per_class):
    embeddings, labels = arc_classes(60, per_class, classes=3)
    similarities = embeddings @ embeddings.T
    same = labels == labels[:, None]
    assert similarities[~same].abs().max() == 0
    pairs = similarities[:per_class, :per_class][*torch.triu_indices(per_class, per_class, 1)]
    assert pairs.min().item() == pytest.approx(0.5)
    gaps = pairs.sort().values.diff()
    assert (gaps > 1e-6).all()


def test_arc_of_no_width_is_a_point():
    embeddings, labels = arc_classes(0)
    assert within_class_similarity(embeddings, labels) == 1


def test_arcs_refuse_other_sizes():
    with pytest.raises(ValueError, match="per_class must be 2 to 8"):
        arc_classes(10, per_class=9)


def test_arc_losses_are_those_of_the_loss():
    left_out, inside = arc_losses((0.0, 30.0), (1, 2), 3)
    for at, width in enumerate((0.0, 30.0)):
        batch = arc_classes(width, 3)
        assert left_out[at] == RecallAtKLoss((1, 2))(*batch).item()
        assert inside[at] == RecallAtKLoss((1, 2), query_in_database=True)(*batch).item()


def test_collapsed_classes_of_four_at_k_1():
    left_out, inside = arc_losses((0.0,), (1,), 4)
    sigmoid = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
    assert inside[0] == pytest.approx(1 - 3 * sigmoid(1 - 2.5))
    assert left_out[0] == pytest.approx(1 - 3 * sigmoid(1 - 2.0))

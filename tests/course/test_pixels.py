"""The weight of each pixel is the one that the formulas of the losses give."""

import pytest
import torch
from helpers.pixel_maps import make_maps

from recallkit.course.pixels import pixel_weights
from recallkit.related.segmentation import (
    FocalLoss,
    InverseFrequencyCrossEntropy,
    RecallCrossEntropy,
    StructuralSimilarityLoss,
    recall_weights,
)

LOGITS, LABELS = make_maps(5, ignored=0)


def weights_of(loss):
    return pixel_weights(loss, LOGITS, LABELS)


def test_cross_entropy_weights_all_alike():
    assert torch.allclose(
        weights_of(torch.nn.CrossEntropyLoss()), torch.ones(LABELS.shape).double()
    )


def test_inverse_frequency_gives_each_class_the_same():
    weights = weights_of(InverseFrequencyCrossEntropy())
    sums = [weights[label == LABELS].sum().item() for label in LABELS.unique()]
    assert sums == pytest.approx(len(sums) * [LABELS.numel() / len(sums)])


def test_recall_loss_weights_by_the_share_that_is_missed():
    assert torch.allclose(weights_of(RecallCrossEntropy()), recall_weights(LOGITS, LABELS)[LABELS])


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_focal_loss_weights_by_doubt_and_its_slope(gamma):
    p = LOGITS.softmax(dim=1).gather(1, LABELS[:, None])[:, 0]
    through = gamma * p * (1 - p) ** (gamma - 1) * p.log()
    assert torch.allclose(weights_of(FocalLoss(gamma)), (1 - p) ** gamma - through)


def test_structure_adds_to_an_even_share():
    loss = StructuralSimilarityLoss(share=0.25)
    errors = loss.errors(LOGITS, LABELS)
    kept = errors * (errors > 0.1 * errors.max())
    own = kept.gather(1, LABELS[:, None])[:, 0]
    right = 0.25 + 0.75 * LABELS.numel() * own / kept.count_nonzero()
    assert torch.allclose(weights_of(loss), right)


def test_a_pixel_of_which_the_network_is_sure_keeps_its_weight():
    logits = torch.zeros(1, 3, 1, 2, dtype=torch.float64)
    logits[0, 0] = 60  # softmax rounds to 1 in float64
    labels = torch.zeros(1, 1, 2, dtype=torch.int64)
    weights = pixel_weights(RecallCrossEntropy(), logits, labels)
    assert torch.allclose(weights, torch.full((1, 1, 2), 0.5).double())

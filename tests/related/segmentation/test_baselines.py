"""Inverse frequency and focal loss against loops, with their limits."""

import pytest
import torch
import torch.nn.functional as F
from helpers import pixel_losses as loops
from helpers.pixel_maps import IGNORED, make_maps, same_gradient, value_and_gradient

from recallkit.related import FocalLoss, InverseFrequencyCrossEntropy


def of_frequencies(frequencies, classes):
    return lambda logits: loops.weighted(logits, classes, [1 / f for f in frequencies], "weights")


@pytest.mark.parametrize("frequencies", [[100.0, 10.0, 1.0, 0.5], [1, 2, 3, 4]])
def test_inverse_frequency_is_that_of_the_loops(frequencies):
    logits, labels = make_maps(0)
    loss = InverseFrequencyCrossEntropy(frequencies)
    value, gradient = value_and_gradient(loss, logits, labels)
    expected = of_frequencies(frequencies, labels.tolist())
    assert value == pytest.approx(expected(logits.tolist()), abs=1e-10)
    assert same_gradient(gradient, loops.gradient(expected, logits.tolist()))


def test_frequencies_of_the_batch_make_a_mean_over_classes():
    logits, labels = make_maps(0)
    losses = F.cross_entropy(logits, labels.where(labels != IGNORED, 0), reduction="none")
    means = [losses[labels == c].mean() for c in range(3)]  # class 3 is absent
    value, gradient = value_and_gradient(InverseFrequencyCrossEntropy(), logits, labels)
    assert value == pytest.approx(torch.stack(means).mean().item(), abs=1e-12)
    expected = of_frequencies(
        [max((labels == c).sum().item(), 1) for c in range(4)], labels.tolist()
    )
    assert same_gradient(gradient, loops.gradient(expected, logits.tolist()))


@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2, 5])
def test_focal_loss_is_that_of_the_loops(gamma):
    """The weight carries a gradient."""
    logits, labels = make_maps(0)

    def loss(logits):
        return loops.focal(logits, labels.tolist(), gamma)

    value, gradient = value_and_gradient(FocalLoss(gamma), logits, labels)
    assert value == pytest.approx(loss(logits.tolist()), abs=1e-10)
    assert same_gradient(gradient, loops.gradient(loss, logits.tolist()))


@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2])
def test_focal_loss_of_certain_pixels_has_a_finite_gradient(gamma):
    logits = torch.tensor([100.0, -100.0])[None, :, None, None]
    for label in (0, 1):
        classes = torch.full((1, 1, 1), label)
        value, gradient = value_and_gradient(FocalLoss(gamma), logits, classes)
        assert value == pytest.approx(200 * label)
        assert gradient.isfinite().all()


def test_two_classes_agree_with_the_sigmoid_focal_loss_of_torchvision():
    from torchvision.ops import sigmoid_focal_loss

    logits, labels = make_maps(0, (2, 2, 4, 5), ignored=0)
    labels = labels % 2
    difference = logits[:, 1] - logits[:, 0]
    expected = sigmoid_focal_loss(difference, labels.double(), alpha=-1, reduction="mean")
    assert FocalLoss()(logits, labels).item() == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize("loss", [InverseFrequencyCrossEntropy(), FocalLoss()], ids=str)
def test_ignored_logits_do_not_matter(loss):
    logits, labels = make_maps(1)
    ignored = (labels == IGNORED)[:, None].expand_as(logits)
    value, gradient = value_and_gradient(loss, logits, labels)
    again = value_and_gradient(loss, logits.masked_fill(ignored, torch.nan), labels)
    assert again[0] == value
    assert torch.equal(again[1], gradient)
    assert (gradient[ignored] == 0).all()


@pytest.mark.parametrize(
    "frequencies", [[1, 0], [1, -1.0], [1, torch.nan], [1, torch.inf], [[1, 2]]]
)
def test_wrong_frequencies_are_refused(frequencies):
    with pytest.raises(ValueError, match="frequencies must be finite numbers above 0"):
        InverseFrequencyCrossEntropy(frequencies)


def test_too_few_frequencies_are_refused():
    with pytest.raises(ValueError, match="frequencies must be 4, one for each class"):
        InverseFrequencyCrossEntropy([1, 2])(*make_maps(0))


@pytest.mark.parametrize("gamma", [-1, torch.inf, torch.nan])
def test_a_wrong_gamma_is_refused(gamma):
    with pytest.raises(ValueError, match="gamma must be a finite number of at least 0"):
        FocalLoss(gamma)

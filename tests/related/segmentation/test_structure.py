"""The structural similarity loss against loops, and where it has no gradient."""

import pytest
import torch
import torch.nn.functional as F
from helpers import pixel_losses as loops
from helpers.pixel_maps import IGNORED, make_maps, same_gradient, value_and_gradient

from recallkit.related import StructuralSimilarityLoss

SETTINGS = {
    "default": {},
    "alone": {"share": 0.0},
    "all kept": {"threshold": 0.0, "share": 0.0},
    "wide": {"window": 5, "sigma": 0.8, "constant": 0.1, "threshold": 0.4, "share": 0.25},
    "one pixel": {"window": 1},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("seed", range(2))
def test_value_and_gradient_are_those_of_the_loops(settings, seed):
    """With the errors held fixed: they carry no gradient."""
    logits, labels = make_maps(seed)
    nested, classes = logits.tolist(), labels.tolist()
    loss = StructuralSimilarityLoss(**settings)
    errors = loops.structural_errors(nested, classes, loss.window, loss.sigma, loss.constant)
    value, gradient = value_and_gradient(loss, logits, labels)
    ours = loss.errors(logits, labels)
    assert all(ours[place].item() == pytest.approx(e, abs=1e-10) for place, e in errors.items())
    assert ours.count_nonzero() <= len(errors)

    def fixed(logits):
        return loops.structural(logits, classes, errors, loss.threshold, loss.share)

    assert value == pytest.approx(fixed(nested), abs=1e-10)
    assert same_gradient(gradient, loops.gradient(fixed, nested))


def test_a_gradient_through_the_errors_would_be_another():
    logits, labels = make_maps(0, (1, 3, 3, 3))
    loss = StructuralSimilarityLoss(threshold=0.0, share=0.0)

    def through(logits):
        errors = loops.structural_errors(logits, labels.tolist(), 3, 1.5, 0.01)
        return loops.structural(logits, labels.tolist(), errors, 0.0, 0.0)

    _, gradient = value_and_gradient(loss, logits, labels)
    other = torch.tensor(loops.gradient(through, logits.tolist()))
    assert (gradient.flatten() - other).abs().max() > 1e-2


def test_ignored_pixels_are_left_out_exactly():
    """They do not count in the windows of their neighbours either."""
    logits, labels = make_maps(1)
    ignored = (labels == IGNORED)[:, None].expand_as(logits)
    loss = StructuralSimilarityLoss()
    value, gradient = value_and_gradient(loss, logits, labels)
    again = value_and_gradient(loss, logits.masked_fill(ignored, torch.nan), labels)
    assert again[0] == value
    assert torch.equal(again[1], gradient)
    assert (gradient[ignored] == 0).all()


def test_a_border_of_the_image_is_like_a_border_of_ignored_pixels():
    logits, labels = make_maps(2, ignored=0)
    padded = F.pad(labels, (2, 2, 2, 2), value=IGNORED)
    loss = StructuralSimilarityLoss()
    assert loss(F.pad(logits, (2, 2, 2, 2), value=3.0), padded).item() == pytest.approx(
        loss(logits, labels).item(), abs=1e-12
    )


def test_a_flat_region_has_no_error_however_wrong_it_is():
    """The structural part alone has no gradient there; cross-entropy has."""
    logits = torch.zeros(1, 2, 6, 6, dtype=torch.float64)
    logits[:, 1] = 5.0
    labels = torch.zeros(1, 6, 6, dtype=torch.int64)
    value, gradient = value_and_gradient(StructuralSimilarityLoss(share=0.0), logits, labels)
    assert value == 0
    assert not gradient.any()
    value, gradient = value_and_gradient(StructuralSimilarityLoss(share=0.5), logits, labels)
    assert value == pytest.approx(0.5 * F.cross_entropy(logits, labels).item())
    assert gradient.abs().max() > 0


def test_the_weight_lies_at_the_border_of_a_thing():
    labels = torch.zeros(1, 9, 9, dtype=torch.int64)
    labels[:, 3:6, 3:6] = 1
    logits = torch.zeros(1, 2, 9, 9, dtype=torch.float64)
    errors = StructuralSimilarityLoss().errors(logits, labels)
    near = F.max_pool2d((labels != 0).double(), 3, 1, 1) != 0
    inside = labels[:, 4:5, 4:5]
    assert inside.item() == 1
    assert (errors[0, 0, 4, 4], errors[0, 1, 4, 4]) == (0, 0)  # its window is flat
    assert not errors[:, :, ~near[0]].any()
    assert errors[0, 1, 2, 4] > 1  # just outside


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 2}, "window must be odd"),
        ({"window": -1}, "window must be odd"),
        ({"sigma": 0.0}, "sigma must be a finite number above 0"),
        ({"constant": 0.0}, "constant must be a finite number above 0"),
        ({"threshold": 1.5}, "threshold must lie between 0 and 1"),
        ({"share": -0.1}, "share must lie between 0 and 1"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        StructuralSimilarityLoss(**settings)

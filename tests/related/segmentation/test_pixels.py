"""What every loss of segmentation takes and refuses."""

import pytest
import torch
from helpers.pixel_maps import IGNORED, make_maps, value_and_gradient

from recallkit.related import (
    FocalLoss,
    InverseFrequencyCrossEntropy,
    RecallCrossEntropy,
    StructuralSimilarityLoss,
)

LOSSES = [
    RecallCrossEntropy(),
    RecallCrossEntropy("weighted"),
    InverseFrequencyCrossEntropy(),
    FocalLoss(),
    StructuralSimilarityLoss(),
]
logits, labels = make_maps(0)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_sums_in_float32(loss, half):
    """70,000 pixels: a sum of them in float16 is infinite, in bfloat16 off by percents."""
    many = torch.randn(1, 3, 260, 270, generator=torch.Generator().manual_seed(0)) * 4
    classes = torch.randint(0, 3, (1, 260, 270), generator=torch.Generator().manual_seed(1))
    value, gradient = value_and_gradient(loss, many.to(half), classes)
    expected, its_gradient = value_and_gradient(loss, many.to(half).float(), classes)
    assert value == expected
    assert gradient.dtype == half
    assert torch.allclose(gradient, its_gradient.to(half))
    assert loss(many.to(half), classes).dtype == torch.float32


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("kind", [torch.uint8, torch.int16, torch.int32])
def test_labels_of_any_integer_type(loss, kind):
    assert loss(logits, labels.to(kind)) == loss(logits, labels)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_one_pixel_and_every_layout(loss, memory_format):
    assert loss(logits.contiguous(memory_format=memory_format), labels) == loss(logits, labels)
    assert loss(torch.zeros(1, 2, 1, 1), torch.ones(1, 1, 1, dtype=torch.int64)) >= 0


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize(
    ("given", "classes", "message"),
    [
        (logits, torch.full_like(labels, IGNORED), "labels must not all be ignore_index 255"),
        (logits.numpy(), labels, "logits must be a tensor, not ndarray"),
        (logits, labels.tolist(), "labels must be a tensor, not list"),
        (logits[0], labels, "logits must be a non-empty floating"),
        (logits[:0], labels[:0], "logits must be a non-empty floating"),
        (logits.long(), labels, "logits must be a non-empty floating"),
        (logits, labels[:, :-1], r"labels must be of shape \(2, 4, 5\)"),
        (logits, labels.double(), "labels must be integers, not torch.float64"),
        (logits, labels == 0, "labels must be integers, not torch.bool"),
        (logits, labels + 4, "labels must lie between 0 and 3"),
        (logits, labels - 1, "labels must lie between 0 and 3"),
        (logits / 0, labels, "logits must be finite"),
    ],
)
def test_bad_input_is_named(loss, given, classes, message):
    with pytest.raises(ValueError, match=message):
        loss(given, classes)

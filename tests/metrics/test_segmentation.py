"""Metrics of a segmentation against scikit-learn, scipy's erosion, and loops over pixels."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion
from sklearn.metrics import jaccard_score, precision_score, recall_score

from recallkit.metrics import boundary, confusion, segmentation_metrics

IGNORED = 255


def make_maps(seed, classes=4, ignored=0.0, size=(3, 9, 11)):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (size[0], 3, 4), generator=generator)
    labels = labels.repeat_interleave(4, 1).repeat_interleave(4, 2)[:, : size[1], : size[2]]
    wrong = torch.rand(size, generator=generator) < 0.3
    predicted = torch.where(wrong, torch.randint(0, classes, size, generator=generator), labels)
    left_out = torch.rand(size, generator=generator) < ignored
    return predicted, labels.masked_fill(left_out, IGNORED)


@pytest.mark.parametrize("seed", range(5))
def test_recall_precision_and_iou_are_scikit_learns(seed):
    predicted, labels = make_maps(seed, ignored=0.2 * (seed % 2))
    metrics = segmentation_metrics(predicted, labels, 4)
    kept = (labels != IGNORED).flatten()
    true, given = labels.flatten()[kept].numpy(), predicted.flatten()[kept].numpy()
    for values, score in (
        (metrics.recall, recall_score),
        (metrics.precision, precision_score),
        (metrics.iou, jaccard_score),
    ):
        expected = score(true, given, average=None, labels=range(4), zero_division=0)
        assert values.tolist() == pytest.approx(expected.tolist(), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_confusion_is_counted_by_a_loop(seed):
    predicted, labels = make_maps(seed, ignored=0.2)
    counts = np.zeros((4, 4), int)
    for label, given in zip(labels.flatten().tolist(), predicted.flatten().tolist(), strict=True):
        if label != IGNORED:
            counts[label, given] += 1
    assert confusion(predicted, labels, 4).tolist() == counts.tolist()


@pytest.mark.parametrize("distance", [1, 2, 3])
def test_a_boundary_is_the_mask_without_its_erosion(distance):
    masks = make_maps(7, size=(4, 12, 13))[1] == 1
    side = 2 * distance + 1
    for mask, found in zip(masks.numpy(), boundary(masks, distance).numpy(), strict=True):
        assert (found == (mask & ~binary_erosion(mask, np.ones((side, side))))).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_boundary_iou_is_counted_by_a_loop(seed):
    """The pixels of a boundary are found one by one: near one that is not of the class."""
    predicted, labels = make_maps(seed, ignored=0.1 * seed)
    predicted, kept = predicted.masked_fill(labels == IGNORED, -1), labels

    def edge(maps, label, n, i, j):
        inside = maps[n, i, j] == label
        places = [(i + a, j + b) for a in range(-2, 3) for b in range(-2, 3)]
        height, width = maps.shape[1:]
        leaves = any(
            not (0 <= a < height and 0 <= b < width) or maps[n, a, b] != label for a, b in places
        )
        return inside and leaves

    found = segmentation_metrics(predicted.clamp(min=0), labels, 4, distance=2).boundary_iou
    for label in range(4):
        places = list(np.ndindex(*labels.shape))
        first = {place for place in places if edge(predicted.numpy(), label, *place)}
        second = {place for place in places if edge(kept.numpy(), label, *place)}
        assert found[label].item() == pytest.approx(len(first & second) / len(first | second))


def test_a_perfect_prediction_has_ones_and_an_absent_class_is_left_out():
    labels = make_maps(0, classes=3)[1]
    metrics = segmentation_metrics(labels, labels, 5)
    assert metrics.recall.isnan().tolist() == [False, False, False, True, True]
    assert metrics.means() == dict.fromkeys(
        ("mean recall", "mean precision", "mean IoU", "boundary IoU"), 1.0
    )


def test_a_class_that_is_never_predicted_has_precision_0():
    labels = torch.tensor([[[0, 0, 0, 1]]])
    metrics = segmentation_metrics(torch.zeros_like(labels), labels, 2)
    assert metrics.precision.tolist() == [0.75, 0.0]
    assert metrics.recall.tolist() == [1.0, 0.0]
    assert metrics.boundary_iou.tolist() == [0.75, 0.0]


def test_a_false_alarm_for_an_absent_class_costs_the_others_alone():
    labels = torch.zeros(1, 2, 2, dtype=torch.int64)
    predicted = torch.tensor([[[0, 0], [0, 1]]])
    metrics = segmentation_metrics(predicted, labels, 2)
    assert metrics.recall[0] == 0.75
    assert math.isnan(metrics.precision[1])


def test_boundary_iou_sees_an_edge_that_the_iou_hardly_sees():
    """A large square, one pixel too large on one side."""
    labels, predicted = torch.zeros(2, 1, 64, 64, dtype=torch.uint8)
    labels[:, 8:56, 8:56] = 1
    predicted[:, 8:56, 8:57] = 1
    metrics = segmentation_metrics(predicted, labels, 2, distance=1)
    assert metrics.iou[1] > 0.97
    assert metrics.boundary_iou[1] < 0.7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predicted": torch.zeros(1, 2, 2)}, "predicted must be integers"),
        ({"labels": torch.zeros(2, 2, dtype=torch.int64)}, "labels must be integers of shape"),
        ({"labels": torch.zeros(1, 2, 3, dtype=torch.int64)}, "predicted must be of shape"),
        ({"labels": torch.full((1, 2, 2), 255)}, "no pixel is left"),
        ({"labels": torch.full((1, 2, 2), 3)}, "labels must lie between 0 and 2"),
        ({"predicted": torch.full((1, 2, 2), -1)}, "predicted must lie between 0 and 2"),
        ({"distance": 0}, "distance must be at least 1"),
    ],
)
def test_bad_input_is_named(change, message):
    maps = torch.zeros(1, 2, 2, dtype=torch.int64)
    given = {"predicted": maps, "labels": maps, "classes": 3, **change}
    with pytest.raises(ValueError, match=message):
        segmentation_metrics(**given)

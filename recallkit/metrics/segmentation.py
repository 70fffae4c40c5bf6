"""Metrics of a segmentation: recall, precision, IoU and boundary IoU of each class."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from recallkit.checks import check_tensor

IGNORE_INDEX = 255


@dataclass(frozen=True)
class SegmentationMetrics:
    """Measures of each class, over all pixels of all images; shares from 0 to 1.

    Attributes:
        recall: (C,) float64, TP / (TP + FN).
        precision: (C,) TP / (TP + FP); 0 for a class that is never predicted, since a mean would
            else reward the network that dares nothing.
        iou: (C,) TP / (TP + FP + FN), the intersection over union.
        boundary_iou: (C,) the same of the pixels near the boundaries.

    A class without a labelled pixel has NaN everywhere.
    """

    recall: Tensor
    precision: Tensor
    iou: Tensor
    boundary_iou: Tensor

    def means(self) -> dict[str, float]:
        """Return the mean of each metric over the classes that occur."""
        values = {
            "mean recall": self.recall,
            "mean precision": self.precision,
            "mean IoU": self.iou,
            "boundary IoU": self.boundary_iou,
        }
        return {name: value.nanmean().item() for name, value in values.items()}


def segmentation_metrics(
    predicted: Tensor,
    labels: Tensor,
    classes: int,
    distance: int = 2,
    ignore_index: int = IGNORE_INDEX,
) -> SegmentationMetrics:
    """Compare predicted classes with labels.

    Args:
        predicted: (N, H, W) integers from 0 to ``classes`` − 1.
        labels: (N, H, W) the same, or ``ignore_index``.
        classes: C.
        distance: of the boundary IoU, see :func:`boundary`; 2 pixels are 2 % of the diagonal of
            64 × 64, the share that its authors take.
        ignore_index: the label of pixels that count nowhere.

    Raises:
        ValueError: for shapes that disagree, no labelled pixel, numbers out of range.
    """
    counts = confusion(predicted, labels, classes, ignore_index).double()
    found, wanted, given = counts.diag(), counts.sum(dim=1), counts.sum(dim=0)
    absent = wanted == 0
    shares = [found / wanted, found / given.clamp(min=1), found / (wanted + given - found)]
    shares.append(_boundary_iou(predicted, labels, classes, distance, ignore_index))
    return SegmentationMetrics(*(share.masked_fill(absent, torch.nan) for share in shares))


def confusion(
    predicted: Tensor, labels: Tensor, classes: int, ignore_index: int = IGNORE_INDEX
) -> Tensor:
    """Count the pixels of each label, along the rows, by their prediction, along the columns.

    Args:
        predicted: (N, H, W) integers from 0 to ``classes`` − 1.
        labels: (N, H, W) the same, or ``ignore_index``.
        classes: C.
        ignore_index: the label of pixels that count nowhere.

    Returns:
        (C, C) int64.

    Raises:
        ValueError: as :func:`segmentation_metrics`.
    """
    _check_maps(predicted, labels)
    present = labels != ignore_index
    true, given = labels[present].long(), predicted[present].long()
    if not len(true):
        raise ValueError(f"labels must not all be ignore_index {ignore_index}: no pixel is left")
    for name, values in {"labels": true, "predicted": given}.items():
        if values.min() < 0 or values.max() >= classes:
            raise ValueError(
                f"{name} must lie between 0 and {classes - 1}, the last class, "
                f"not from {values.min()} to {values.max()}"
            )
    return (true * classes + given).bincount(minlength=classes**2).view(classes, classes)


def _check_maps(predicted: Tensor, labels: Tensor) -> None:
    for name, value in {"predicted": predicted, "labels": labels}.items():
        check_tensor(value, name)
        if value.ndim != 3 or value.is_floating_point() or value.dtype == torch.bool:
            raise ValueError(
                f"{name} must be integers of shape (N, H, W), "
                f"not {value.dtype} of shape {tuple(value.shape)}"
            )
    if predicted.shape != labels.shape:
        raise ValueError(
            f"predicted must be of shape {tuple(labels.shape)}, that of labels, "
            f"not {tuple(predicted.shape)}"
        )


def boundary(masks: Tensor, distance: int) -> Tensor:
    """Return the pixels of each mask within a distance of what is not in the mask.

    A pixel belongs to the boundary if the square of (2 d + 1)² pixels around it leaves the mask or
    the image.

    Args:
        masks: (N, H, W) bool.
        distance: d, at least 1 pixel.

    Returns:
        (N, H, W) bool, a part of the masks.

    Raises:
        ValueError: for a distance below 1.
    """
    if distance < 1:
        raise ValueError(f"distance must be at least 1 pixel, not {distance}")
    outside = F.pad((~masks).float()[:, None], 4 * (distance,), value=1.0)  # (N, 1, H + 2d, W + 2d)
    near = F.max_pool2d(outside, 2 * distance + 1, stride=1)[:, 0] > 0  # (N, H, W)
    return masks & near


def _boundary_iou(
    predicted: Tensor, labels: Tensor, classes: int, distance: int, ignore_index: int
) -> Tensor:
    """Compute the boundary IoU (Cheng, Girshick, Dollár, Berg, Kirillov, CVPR 2021), (C,).

    The intersection of the two boundaries over their union. Ignored pixels are in no mask.
    """
    predicted = predicted.masked_fill(labels == ignore_index, classes)
    shares = []
    for label in range(classes):
        first, second = (boundary(maps == label, distance) for maps in (predicted, labels))
        shares.append((first & second).sum().double() / (first | second).sum().clamp(min=1))
    return torch.stack(shares)

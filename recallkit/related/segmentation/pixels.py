"""The pixels that have a label, and checks of what a loss of segmentation is given."""

import torch
from torch import Tensor

from recallkit.checks import NotFiniteError, check_tensor

IGNORE_INDEX = 255
"""The label of pixels without a class, as in PASCAL VOC and Cityscapes."""


def full_precision(logits: Tensor) -> Tensor:
    """Return half precision as float32, and other logits as they are."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def labelled_pixels(logits: Tensor, labels: Tensor, ignore_index: int) -> tuple[Tensor, Tensor]:
    """Choose the pixels that have a label.

    Args:
        logits: (B, C, H, W) floating.
        labels: (B, H, W) integers.
        ignore_index: the label of pixels that are left out.

    Returns:
        (N, C) logits in float32 or float64, and (N,) int64 labels.

    Raises:
        ValueError: as :class:`.RecallCrossEntropy`.
    """
    _check_maps(logits, labels)
    present = labels != ignore_index  # (B, H, W)
    pixels, classes = full_precision(logits).movedim(1, -1)[present], labels[present].long()
    if not len(classes):
        raise ValueError(f"labels must not all be ignore_index {ignore_index}: no pixel is left")
    if not pixels.detach().isfinite().all():
        raise NotFiniteError(
            "logits must be finite: look at the images, or lower the learning rate"
        )
    if classes.min() < 0 or classes.max() >= logits.shape[1]:
        raise ValueError(
            f"labels must lie between 0 and {logits.shape[1] - 1}, the last class of the logits, "
            f"or be ignore_index {ignore_index}, not from {classes.min()} to {classes.max()}"
        )
    return pixels, classes


def _check_maps(logits: Tensor, labels: Tensor) -> None:
    check_tensor(logits, "logits")
    check_tensor(labels, "labels")
    if logits.ndim != 4 or 0 in logits.shape or not logits.is_floating_point():
        raise ValueError(
            f"logits must be a non-empty floating (B, C, H, W) tensor, "
            f"not {logits.dtype} of shape {tuple(logits.shape)}"
        )
    if labels.shape != logits[:, 0].shape:
        raise ValueError(
            f"labels must be of shape {tuple(logits[:, 0].shape)}, (B, H, W) of the logits, "
            f"not {tuple(labels.shape)}"
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"labels must be integers, not {labels.dtype}")

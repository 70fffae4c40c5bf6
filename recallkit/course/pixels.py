"""The push of a loss of segmentation on each pixel, compared with cross-entropy."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def pixel_weights(
    loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, labels: Tensor
) -> Tensor:
    """Compute how many times as hard as the mean cross-entropy a loss pushes each pixel.

    The gradient of all losses that weight pixels points where that of cross-entropy points; their
    ratio is the weight, and what passes through the weight where it has a gradient of its own.

    Args:
        loss: of logits and labels, a weighted sum of the cross-entropies of pixels.
        logits: (B, C, H, W) floating; float64 keeps the ratio exact where a network is sure.
        labels: (B, H, W) integers, 0 to C − 1.

    Returns:
        (B, H, W), in the precision of the logits.
    """
    pushes = [_push(one, logits, labels) for one in (loss, F.cross_entropy)]
    return pushes[0] / pushes[1]


def _push(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, labels: Tensor) -> Tensor:
    """Add up the gradient on the scores of the wrong classes, which no rounding cancels."""
    leaf = logits.detach().clone().requires_grad_()
    [gradient] = torch.autograd.grad(loss(leaf, labels), leaf)
    wrong = F.one_hot(labels.long(), logits.shape[1]).movedim(-1, 1) == 0
    return (gradient * wrong).sum(dim=1)

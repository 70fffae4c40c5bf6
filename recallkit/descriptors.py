"""One descriptor from several sizes of an image, as landmark retrieval has them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SCALES = (1.0, 2**-0.5, 0.5)  # those of Radenović et al., 2018


@torch.no_grad()
def multi_scale(network: nn.Module, images: Tensor, scales: Sequence[float] = SCALES) -> Tensor:
    """The mean of the embeddings of an image at several sizes, brought back to the unit sphere.

    Args:
        network: normalised images (B, 3, H, W), of any size, → unit vectors (B, D).
        images: (B, 3, H, W), normalised.
        scales: factors of both sides. Default 1, 1/√2, 1/2.

    Returns:
        (B, D) float32 unit vectors.

    Raises:
        ValueError: no scale, or one that is not above 0.
    """
    if not scales or any(not scale > 0 for scale in scales):
        raise ValueError(f"scales must be numbers above 0, and at least one, not {tuple(scales)}")
    total = sum(network(_resized(images, scale)).float() for scale in scales)
    return F.normalize(total, dim=1)


def _resized(images: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return images
    size = [max(1, round(side * scale)) for side in images.shape[-2:]]
    return F.interpolate(images, size=size, mode="bilinear", antialias=True)

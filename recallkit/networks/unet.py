"""A small U-Net: the scores of each class at each pixel of an image."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_BLOCK = 2  # pixels along a side that the network sees as one place


class UNet(nn.Module):
    """A small U-Net (Ronneberger, Fischer, Brox, MICCAI 2015) for training on a laptop.

    It goes down to coarse maps, which see much of the image, and up again to fine ones. Each map on
    the way up is put beside the map of its size on the way down, which still knows the edges. The
    finest map has a place for each block of 2 × 2 pixels, whose colours are its channels; the last
    layer gives each of the four pixels scores of its own. This is twice as fast as maps of single
    pixels, and boundaries stay as fine.

    Args:
        classes: C.
        width: channels of the finest map; the next have twice and four times as many.
        levels: sizes of maps, at least 2; with 4 the coarsest place is 16 pixels wide.

    Raises:
        ValueError: for numbers out of range; on call for images that are not (B, 3, H, W) floating,
            or whose sides the coarsest place does not divide.

    Example:
        >>> UNet(classes=9)(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 9, 64, 64])
    """

    def __init__(self, classes: int, width: int = 16, levels: int = 4) -> None:
        super().__init__()
        for name, value, least in (
            ("classes", classes, 2),
            ("width", width, 1),
            ("levels", levels, 2),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, not {value}")
        widths = [width * min(4, 2**level) for level in range(levels)]
        self.multiple = _BLOCK * 2 ** (levels - 1)
        self.down = nn.ModuleList(_convolutions(*of) for of in pairwise([3 * _BLOCK**2, *widths]))
        upward = list(pairwise(widths))[::-1]
        self.up = nn.ModuleList(_convolutions(fine + coarse, fine) for fine, coarse in upward)
        self.scores = nn.Conv2d(width, classes * _BLOCK**2, kernel_size=1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) → logits (B, C, H, W)."""
        self._check(images)
        kept = [self.down[0](F.pixel_unshuffle(images, _BLOCK))]  # (B, width, H / 2, W / 2)
        for layers in self.down[1:]:
            kept.append(layers(F.max_pool2d(kept[-1], 2)))
        features = kept.pop()
        for layers in self.up:
            wider = F.interpolate(features, scale_factor=2)
            features = layers(torch.cat([wider, kept.pop()], dim=1))
        return F.pixel_shuffle(self.scores(features), _BLOCK)

    def _check(self, images: Tensor) -> None:
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ValueError(
                f"images must be floating (B, 3, H, W), "
                f"not {images.dtype} of shape {tuple(images.shape)}"
            )
        if any(side % self.multiple for side in images.shape[2:]):
            raise ValueError(
                f"images must have sides that {self.multiple} divides, "
                f"not {tuple(images.shape[2:])}: use fewer levels, or resize"
            )


def _convolutions(channels: int, out: int) -> nn.Sequential:
    """Two convolutions of 3 × 3, each normalised over the batch and cut at 0."""
    layers: list[nn.Module] = []
    for given in (channels, out):
        layers += [nn.Conv2d(given, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
    return nn.Sequential(*layers)

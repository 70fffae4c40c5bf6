"""Network input from uint8 images, a batch at a time on the network's device.

Every image of a batch is moved by its own random amounts, drawn from torch's default generator for
the whole batch at once: the same seed gives the same images, however many workers decode them, and
however large the chunks are in which they pass through the network.
"""

import math
from typing import overload

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recallkit.constants import PIXEL_MEAN, PIXEL_STD
from recallkit.data.image_set import Images

__all__ = [
    "TestTransform",
    "TrainTransform",
    "draw_crops",
    "flattened",
    "normalise",
    "over_white",
]


class TestTransform(nn.Module):
    """Composite over white, shrink to ``image_size``, normalise; nothing is random.

    Args:
        image_size: side of the square the network sees, in pixels.
    """

    __test__ = False  # not a test case

    def __init__(self, image_size: int = 32) -> None:
        super().__init__()
        self.image_size = image_size

    def forward(self, images: Tensor) -> Tensor:
        """Turn (B, C, H, W) uint8, C = 3 or 4, into (B, 3, S, S) float32."""
        return normalise(_resize(over_white(images), self.image_size))


class TrainTransform(nn.Module):
    """Composite over white, move each image a little, shrink to ``image_size``, normalise.

    Each image is turned, scaled and shifted by one bilinear sampling of the large image, so that
    nothing is blurred twice; then contrast and brightness change for each colour.

    Args:
        image_size: side of the square the network sees, in pixels.
        rotation: largest angle, in degrees, either way.
        scale: largest change of size: each side by a factor from 1/(1 + scale) to 1 + scale, two
            thirds of it shared by both.
        shift: largest shift, as a share of the side.
        colour: largest change of contrast (factor 1 ± colour) and brightness (± colour / 2) of a
            colour.
        flip: mirror half of the images. Not for drawings in which left and right differ.
        crop: smallest share of the area that an image is cropped to, before all else; the aspect of
            the crop is from 3:4 to 4:3. 1: no cropping. 0.08 is the paper's.
    """

    def __init__(
        self,
        image_size: int = 32,
        rotation: float = 10.0,
        scale: float = 0.15,
        shift: float = 0.06,
        colour: float = 0.0,
        flip: bool = False,
        crop: float = 1.0,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.rotation = math.radians(rotation)
        self.scale = scale
        self.shift = shift
        self.colour = colour
        self.flip = flip
        self.crop = crop

    def forward(self, images: Tensor, draws: tuple[Tensor, ...] | None = None) -> Tensor:
        """Turn (B, C, H, W) uint8, C = 3 or 4, into (B, 3, S, S) float32.

        ``draws`` are rows of the tensors that :meth:`draw` returns, one for each image. None: they
        are drawn here.
        """
        maps, *colours = self.draw(len(images), images.device) if draws is None else draws
        ink = _ink(images)
        if ink.shape[-1] > 2 * self.image_size:  # bilinear sampling reaches two pixels far
            ink = _resize(ink, 2 * self.image_size)
        size = [len(ink), 3, self.image_size, self.image_size]
        grid = F.affine_grid(maps, size, align_corners=False)
        # What comes in from outside is sampled as 0: no ink, so white.
        rgb = 1 - F.grid_sample(ink, grid, align_corners=False) / 255
        return normalise(_recolour(rgb, *colours) if colours else rgb)

    def draw(self, count: int, device: torch.device) -> tuple[Tensor, ...]:
        """Draw the random amounts for ``count`` images: tensors with a row for each.

        Maps (B, 2, 3); and unless ``colour`` is 0, contrast and brightness (B, 2, 3, 1, 1).
        """
        maps = self._draw_maps(count, device)
        if self.colour == 0:
            return (maps,)
        draw = torch.rand(2, count, 3, 1, 1, device=device) * 2 - 1
        return maps, torch.stack([1 + self.colour * draw[0], self.colour / 2 * draw[1]], dim=1)

    def _draw_maps(self, count: int, device: torch.device) -> Tensor:
        """Draw (B, 2, 3) affine maps from places in the result to places in the image."""

        def uniform(*shape: int) -> Tensor:
            return torch.rand(count, *shape, device=device) * 2 - 1

        angle = uniform() * self.rotation
        size = torch.exp(math.log1p(self.scale) * (uniform(1) * 2 + uniform(2)) / 3)  # (B, 2)
        if self.flip:
            size = size * torch.stack([uniform().sign(), torch.ones_like(angle)], dim=1)
        turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=1)
        linear = turn.view(-1, 2, 2) * size[:, None, :]
        maps = torch.cat([linear, 2 * self.shift * uniform(2, 1)], dim=2)
        if self.crop == 1:
            return maps
        sides, centres = draw_crops(count, self.crop, device)
        maps[:, :, 2] += centres / sides
        return maps * sides[:, :, None]


def _recolour(rgb: Tensor, draws: Tensor) -> Tensor:
    contrast, brightness = draws.unbind(dim=1)  # (B, 3, 1, 1) each
    return ((rgb - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)


def draw_crops(count: int, least: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Draw random crops as torchvision's ``RandomResizedCrop`` draws them from a square.

    The area is uniform from ``least`` to 1, the aspect log-uniform from 3:4 to 4:3. The first of
    ten draws that fits into the square is taken; if none fits, the first, cut to the square.

    Returns:
        Sides (B, 2) and centres (B, 2), width before height. The image spans −1 … 1, and a side of
        1 is the whole.
    """
    area = least + (1 - least) * torch.rand(10, count, device=device)
    aspect = torch.exp(math.log(4 / 3) * (2 * torch.rand(10, count, device=device) - 1))
    sides = torch.stack([(area * aspect).sqrt(), (area / aspect).sqrt()], dim=2)  # (10, B, 2)
    first = (sides <= 1).all(dim=2).int().argmax(dim=0)  # (B,)
    sides = sides[first, torch.arange(count, device=device)].clamp(max=1)
    return sides, (2 * torch.rand(count, 2, device=device) - 1) * (1 - sides)


@overload
def flattened(images: Tensor) -> Tensor: ...


@overload
def flattened(images: Images) -> Images: ...


def flattened(images: Images) -> Images:
    """Composite (N, 3 or 4, H, W) uint8 over white: (N, 3, H, W) uint8.

    Images with three channels are returned as they are. Done once for a whole data set, it spares
    every batch the work.
    """
    if not isinstance(images, Tensor) or images.shape[1] == 3:
        return images
    rgb = images.new_empty(len(images), 3, *images.shape[2:])
    for block, result in zip(images.split(1000), rgb.split(1000), strict=True):
        result.copy_((over_white(block) * 255).round())
    return rgb


def over_white(images: Tensor) -> Tensor:
    """Composite (B, 3 or 4, H, W) uint8 over white: (B, 3, H, W) float32 in 0 … 1."""
    values = images.float() / 255
    if images.shape[1] == 3:
        return values
    return values[:, :3] * values[:, 3:] + (1 - values[:, 3:])


def _ink(images: Tensor) -> Tensor:
    """Turn (B, 3 or 4, H, W) uint8 into 255 · (1 − over_white): (B, 3, H, W) float32.

    Large images are passed through once as bytes and once as floats, which is most of the time.
    """
    ink = (255 - images[:, :3]).float()
    return ink if images.shape[1] == 3 else ink * (images[:, 3:].float() / 255)


def _resize(rgb: Tensor, side: int) -> Tensor:
    return F.interpolate(rgb, size=(side, side), mode="bilinear", antialias=True)


def normalise(rgb: Tensor) -> Tensor:
    """Centre and scale pixels of 0 … 1 as every network here expects them."""
    return (rgb - PIXEL_MEAN) / PIXEL_STD

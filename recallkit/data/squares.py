"""Square images in one tensor, filled in place: RGB until one of them has a transparent pixel."""

import torch
from torch import Tensor

__all__ = ["Squares", "in_square"]


def in_square(image: Tensor, side: int) -> Tensor:
    """Put (3 or 4, H, W) uint8 in the middle of a transparent square, (4, side, side)."""
    square = torch.zeros(4, side, side, dtype=torch.uint8)
    rows, columns = _middle(image, side)
    square[3, rows, columns] = 255
    square[: len(image), rows, columns] = image
    return square


def _middle(image: Tensor, side: int) -> tuple[slice, slice]:
    height, width = image.shape[1:]
    top, left = round((side - height) / 2), round((side - width) / 2)
    return slice(top, top + height), slice(left, left + width)


class Squares:
    """Room for ``most`` squares in one tensor, which is filled one by one.

    How this works: the room is for RGBA, but the images lie in it as RGB, over white, so that only
    three quarters of its memory are touched. At the first image with a transparent pixel those
    before it move apart, from the last to the first, so that each finds its new place free.

    Args:
        most: number of images that there is room for.
        side: of the squares, in pixels.
    """

    def __init__(self, most: int, side: int) -> None:
        self.side = side
        self._room = torch.empty(most * 4 * side * side, dtype=torch.uint8)
        self._middles: list[tuple[slice, slice]] = []
        self._channels = 3

    @property
    def images(self) -> Tensor:
        """The images so far, (N, C, side, side); C = 4 if one has a transparent pixel."""
        return self._first(len(self._middles), self._channels)

    def append(self, image: Tensor) -> None:
        """Add (3 or 4, H, W) uint8, the longer side ``side`` pixels, in the middle of a square."""
        if self._channels == 3 and len(image) == 4 and image[3].min() < 255:
            self._move_apart()
        self._middles.append(_middle(image, self.side))
        if self._channels == 4:
            self.images[-1] = in_square(image, self.side)
            return
        square = self.images[-1].fill_(255)
        square[(slice(None), *self._middles[-1])] = image[:3]

    def _first(self, count: int, channels: int) -> Tensor:
        size = (count, channels, self.side, self.side)
        return self._room[: count * channels * self.side**2].view(size)

    def _move_apart(self) -> None:
        self._channels = 4
        for i in reversed(range(len(self._middles))):
            opaque = self._first(i + 1, 3)[i][(slice(None), *self._middles[i])].clone()
            self._first(i + 1, 4)[i] = in_square(opaque, self.side)

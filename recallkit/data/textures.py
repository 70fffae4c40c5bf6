"""Coloured textures, drawn from random numbers: grounds of scenes and of digits."""

from collections.abc import Mapping

import numpy as np
from PIL import Image

__all__ = ["draw_texture"]

GROUND = {2: 40.0, 4: 25.0, 8: 15.0, 16: 10.0}
"""Amplitudes of a quiet ground, in grey levels, by the number of random values along a side."""

BUSY = {2: 60.0, 4: 60.0, 8: 50.0, 16: 30.0}
"""Amplitudes of a texture whose lights and darks have the size of a digit's strokes, and more."""

_NOISE = 8.0  # standard deviation of each pixel, in grey levels
_COLOURS = (40, 216)  # of the mean: no ground is black or white


def draw_texture(
    rng: np.random.Generator, side: int, amplitudes: Mapping[int, float] = GROUND
) -> np.ndarray:
    """Draw a coloured texture: a mean colour, smooth waves of several sizes, and noise.

    Args:
        rng: the source of all its numbers.
        side: in pixels.
        amplitudes: of the waves, in grey levels. The key is the number of random values along a
            side, which are enlarged smoothly.

    Returns:
        (side, side, 3) uint8.
    """
    total = rng.integers(*_COLOURS, 3) + rng.normal(0, _NOISE, (side, side, 3))
    for count, amplitude in amplitudes.items():
        grid = Image.fromarray(rng.integers(0, 256, (count, count, 3), np.uint8))
        wave = np.asarray(grid.resize((side, side), Image.Resampling.BICUBIC))
        total += amplitude * (wave / 127.5 - 1)
    return np.rint(total.clip(0, 255)).astype(np.uint8)

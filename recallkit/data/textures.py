"""Coloured textures, drawn from random numbers: grounds of scenes and of digits."""

import numpy as np
from PIL import Image

__all__ = ["draw_texture"]

_WAVES = {2: 40, 4: 25, 8: 15, 16: 10}  # amplitudes by the random values along a side
_NOISE = 8  # standard deviation of each pixel


def draw_texture(
    rng: np.random.Generator, side: int, greys: tuple[int, int] = (40, 216)
) -> np.ndarray:
    """Draw a coloured texture: a mean colour, smooth waves of several sizes, and noise.

    Args:
        rng: the source of all its numbers.
        side: in pixels.
        greys: the least mean of a colour channel, and the first that is too large; by default no
            texture is nearly black or white.

    Returns:
        (side, side, 3) uint8.
    """
    total = rng.integers(*greys, 3) + rng.normal(0, _NOISE, (side, side, 3))
    for count, amplitude in _WAVES.items():
        grid = Image.fromarray(rng.integers(0, 256, (count, count, 3), np.uint8))
        wave = np.asarray(grid.resize((side, side), Image.Resampling.BICUBIC))
        total += amplitude * (wave / 127.5 - 1)
    return np.rint(total.clip(0, 255)).astype(np.uint8)

"""The harder glyphs: each image turned, sheared, blurred, on an uneven ground, with noise.

The distortion of an image depends on its own seed alone: the pixels are the same for everybody, in
any order and with any number of threads. To that end all numbers come from SplitMix64 (Steele, Lea
and Flood, OOPSLA 2014), and all arithmetic is single additions, multiplications and divisions of
float32, which IEEE 754 rounds the same way everywhere. There are no sines, and no sums whose order
is open.
"""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from tqdm import tqdm

SEED = 0
ROTATION = 0.105  # largest tan of half the angle: 12°
SIZE = (0.8, 1.05)  # smallest and largest, times that of the glyph
ASPECT = 0.1  # largest change of the width
SHEAR = 0.12  # largest sideways shift for each pixel of height
SHIFT = 2.0  # largest, in pixels
BLUR = 0.245  # largest weight of a neighbour: a standard deviation of 0.7 pixels
GROUND = 0.3  # darkest place of the ground; black is 1
NOISE = 0.05  # largest standard deviation
THREADS = 4

_GRID = 4  # the ground is made of _GRID × _GRID random values
_DRAWS = 9 + _GRID * _GRID  # numbers that decide an image, besides the noise
_BLOCK = 256  # images at a time: their arrays fit the processor's cache

_F = np.float32


def seed_of(code: int, typeface: str) -> int:
    """Return the seed of an image, which depends only on character and typeface."""
    digest = hashlib.sha256(f"{SEED}:{code:X}:{typeface}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def distort(images: np.ndarray, seeds: Iterable[int]) -> np.ndarray:
    """Distort images, with a progress bar if it takes long.

    Args:
        images: (N, S, S) uint8, dark on white.
        seeds: N numbers below 2⁶⁴.

    Returns:
        (N, S, S) uint8.
    """
    numbers = np.fromiter(seeds, np.uint64, len(images))
    result = np.empty_like(images)

    def work(start: int) -> None:
        rows = slice(start, start + _BLOCK)
        result[rows] = _distort_block(images[rows], numbers[rows])

    starts = range(0, len(images), _BLOCK)
    with ThreadPoolExecutor(THREADS) as pool:  # NumPy releases Python's lock
        for _ in tqdm(pool.map(work, starts), "distorting", len(starts), delay=2, leave=False):
            pass
    return result


def _distort_block(images: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    side = images.shape[-1]
    draws = _uniform(splitmix64(seeds, 0, _DRAWS))  # (N, draws) in 0 … 1
    turn, size, aspect, shear, right, down, blur, ground, noise = draws[:, :9].T
    ink = _F(1) - images.astype(_F) / _F(255)
    size = _F(SIZE[0]) + size * _F(SIZE[1] - SIZE[0])
    width = size * (_F(1) + _signed(aspect) * _F(ASPECT))
    x, y = _places(side, _signed(turn), width, size, _signed(shear), _signed(right), _signed(down))
    ink = _blurred(_sampled(ink, x, y), blur * _F(BLUR))
    grid = draws[:, 9:].reshape(-1, _GRID, _GRID) * (ground * _F(GROUND))[:, None, None]
    light = (_F(1) - _smooth(grid, side)) * (_F(1) - ink)
    light = light + _noise(seeds, side) * (noise * _F(NOISE))[:, None, None]
    return (np.clip(light, 0, 1) * _F(255) + _F(0.5)).astype(np.uint8)


def _signed(draw: np.ndarray) -> np.ndarray:
    """Map 0 … 1 to −1 … 1."""
    return draw * _F(2) - _F(1)


def splitmix64(seeds: np.ndarray, first: int, count: int) -> np.ndarray:
    """Return ``count`` numbers of SplitMix64 from each seed, starting at ``first``.

    Args:
        seeds: (N,) uint64.
        first: how many numbers are skipped.
        count: how many are wanted.

    Returns:
        (N, count) uint64.
    """
    steps = np.arange(first + 1, first + count + 1, dtype=np.uint64)
    z = seeds[:, None] + steps * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _uniform(bits: np.ndarray) -> np.ndarray:
    """Map random bits to 0 … 1, float32; it takes 24 bits, which float32 holds without rounding."""
    return (bits >> np.uint64(40)).astype(_F) / _F(2**24)


def _places(
    side: int,
    turn: np.ndarray,
    width: np.ndarray,
    height: np.ndarray,
    shear: np.ndarray,
    right: np.ndarray,
    down: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Find where each pixel comes from: x and y in the glyph, (N, S, S) each.

    Turn, shear and size of the distorted glyph are undone.
    """
    half = turn * _F(ROTATION)  # t = tan(θ/2): cos θ = (1 − t²)/(1 + t²), sin θ = 2t/(1 + t²)
    square = half * half
    cos = ((_F(1) - square) / (_F(1) + square))[:, None, None]
    sin = (half * _F(2) / (_F(1) + square))[:, None, None]
    middle = _F((side - 1) / 2)
    steps = np.arange(side, dtype=_F) - middle
    across = steps[None, None, :] - (right * _F(SHIFT))[:, None, None]
    below = steps[None, :, None] - (down * _F(SHIFT))[:, None, None]
    x, y = across * cos + below * sin, below * cos - across * sin
    x = (x + y * (shear * _F(SHEAR))[:, None, None]) / width[:, None, None]
    return x + middle, y / height[:, None, None] + middle


def _sampled(ink: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sample (N, S, S) ``ink`` bilinearly at (x, y); beyond its border there is none."""
    count, side = len(ink), ink.shape[-1]
    padded = np.zeros((count, side + 2, side + 2), _F)
    padded[:, 1:-1, 1:-1] = ink
    x, y = (np.clip(v, -1, side - _F(0.001)) + _F(1) for v in (x, y))
    column, row = x.astype(np.int32), y.astype(np.int32)
    right, down = x - column.astype(_F), y - row.astype(_F)
    images = np.arange(count, dtype=np.int32)[:, None, None] * np.int32((side + 2) ** 2)
    corner = images + row * np.int32(side + 2) + column
    flat = padded.reshape(-1)
    upper = flat[corner] * (_F(1) - right) + flat[corner + 1] * right
    corner += np.int32(side + 2)
    lower = flat[corner] * (_F(1) - right) + flat[corner + 1] * right
    return upper * (_F(1) - down) + lower * down


def _blurred(ink: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mix each pixel with its neighbours, each of ``weight``, along both axes; outside is 0."""
    weight = weight[:, None, None]
    centre = _F(1) - weight * _F(2)
    for axis in (1, 2):
        pads = [(0, 0), (0, 0), (0, 0)]
        pads[axis] = (1, 1)
        wide = np.pad(ink, pads)
        before = wide[:, :-2] if axis == 1 else wide[:, :, :-2]
        after = wide[:, 2:] if axis == 1 else wide[:, :, 2:]
        ink = ink * centre + (before + after) * weight
    return ink


def _smooth(grid: np.ndarray, side: int) -> np.ndarray:
    """Enlarge (N, G, G) values to (N, side, side) bilinearly, corners on corners."""
    place = np.arange(side, dtype=_F) * _F(_GRID - 1) / _F(side - 1)
    low = np.minimum(place.astype(np.int64), _GRID - 2)
    share = place - low.astype(_F)
    rows = grid[:, low] * (_F(1) - share)[:, None] + grid[:, low + 1] * share[:, None]
    return rows[:, :, low] * (_F(1) - share) + rows[:, :, low + 1] * share


def _noise(seeds: np.ndarray, side: int) -> np.ndarray:
    """Draw noise (N, side, side) of mean 0, variance 1: sums of four uniform 16-bit numbers."""
    bits = splitmix64(seeds, _DRAWS, side * side)
    fields = bits.view(np.uint16).reshape(len(seeds), side, side, 4).astype(np.int32)
    total = fields[..., 0] + fields[..., 1] + fields[..., 2] + fields[..., 3]
    return (total.astype(_F) - _F(2 * 65535)) / _F(65536 / 3**0.5)

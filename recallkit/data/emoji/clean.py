"""Drawings to leave out: copies, and drawings that stand for two emoji.

The distance of two drawings is the root mean square of the difference of their pixels, colours
multiplied by alpha, on the scale 0–255. It is small for a drawing and its slight redraw, and also
for two drawings that differ only in a detail which 64 pixels hardly show.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

COPY = 22.0  # within a class: by eye, the distance at which redraws end
SAME = 10.0  # across classes: stricter, since a small detail (a clock's hand) may be the difference
MIN_DRAWINGS = 4  # of a class


def clean(codes: Sequence[str], pixels: np.ndarray) -> list[int]:
    """Choose the drawings to keep.

    1. In a class, a near-copy of an earlier drawing is dropped.
    2. Of two classes that share two or more near-equal drawings, the smaller is dropped (of equal
       ones, that of the higher code): it is one emoji under two names.
    3. Of any other two near-equal drawings of different classes, both are dropped.
    4. Classes with fewer than four drawings left are dropped.

    Args:
        codes: N codes, the class of each drawing; drawings in order of preference.
        pixels: (N, 64, 64, 4) uint8 RGBA.

    Returns:
        The indices of the kept drawings, ascending.
    """
    pairs = near_pairs(pixels, max(COPY, SAME))
    kept = set(range(len(codes)))
    kept -= _copies(codes, pairs)
    across = [(i, j) for i, j, d in pairs if d < SAME and codes[i] != codes[j] and {i, j} <= kept]
    doubled = _doubled_classes(codes, across, kept)
    kept = {i for i in kept if codes[i] not in doubled}
    kept -= {i for pair in across if set(pair) <= kept for i in pair}
    counts = _count(codes, kept)
    return sorted(i for i in kept if counts[codes[i]] >= MIN_DRAWINGS)


def near_pairs(pixels: np.ndarray, limit: float) -> list[tuple[int, int, float]]:
    """Find the pairs of near-equal drawings.

    Args:
        pixels: (N, 64, 64, 4) uint8 RGBA.
        limit: distances below this are near.

    Returns:
        (i, j, distance) of each pair, i < j.
    """
    images = premultiplied(pixels)
    candidates = _candidates(images, limit + 0.1)  # a margin for the rounding of float32
    distances = ((i, j, _distance(images[i], images[j])) for i, j in candidates)
    return [(i, j, d) for i, j, d in distances if d < limit]


def premultiplied(pixels: np.ndarray) -> np.ndarray:
    """Multiply the colours of (…, 4) uint8 RGBA by alpha."""
    alpha = pixels[..., 3:].astype(np.uint16)
    colours = (pixels[..., :3] * alpha + 127) // 255
    return np.concatenate([colours.astype(np.uint8), pixels[..., 3:]], axis=-1)


def _candidates(images: np.ndarray, limit: float, block: int = 1024) -> list[tuple[int, int]]:
    """Find the pairs whose 16×16 thumbnails are near.

    Thumbnails are never further apart than the images themselves, so no pair is missed.
    """
    thumbnails = images.reshape(len(images), 16, 4, 16, 4, 4).mean((2, 4), dtype=np.float32)
    values = thumbnails.reshape(len(images), -1) / 255
    squares = (values**2).sum(1)
    bound = (limit / 255) ** 2 * values.shape[1]
    pairs = []
    for start in range(0, len(images), block):
        rows = slice(start, start + block)
        squared = squares[rows, None] + squares - 2 * values[rows] @ values.T  # (block, N)
        i, j = np.nonzero(squared < bound)
        pairs += [(a + start, b) for a, b in zip(i.tolist(), j.tolist(), strict=True)]
    return [(i, j) for i, j in pairs if i < j]


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """Compute the root mean square difference from integers: the same on every machine."""
    difference = a.astype(np.int64) - b
    return float(np.sqrt((difference**2).sum() / a.size))


def _copies(codes: Sequence[str], pairs: list[tuple[int, int, float]]) -> set[int]:
    """Find the drawings that are near a kept, earlier drawing of their class."""
    dropped: set[int] = set()
    for i, j, distance in sorted(pairs):
        if distance < COPY and codes[i] == codes[j] and i not in dropped:
            dropped.add(j)
    return dropped


def _doubled_classes(
    codes: Sequence[str], across: list[tuple[int, int]], kept: set[int]
) -> set[str]:
    """Find the classes that share two or more near-equal drawings with a larger class."""
    shared: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for i, j in across:
        lower, higher = sorted((codes[i], codes[j]))
        shared[lower, higher].append((i, j))
    sizes = _count(codes, kept)
    dropped: set[str] = set()
    for classes, drawings in sorted(shared.items(), key=lambda item: (-len(item[1]), item[0])):
        if len(drawings) >= 2 and not dropped & set(classes):
            dropped.add(min(classes, key=lambda c: (sizes[c], -int(c.split("-")[0], 16))))
    return dropped


def _count(codes: Sequence[str], kept: set[int]) -> dict[str, int]:
    """Count the kept drawings of each class."""
    counts: dict[str, int] = defaultdict(int)
    for i in kept:
        counts[codes[i]] += 1
    return counts

"""Glyphs to leave out: wrong ones, copies, and characters that look the same.

Not every glyph that a typeface claims to have is really there: there are blank slots, placeholders,
drawings, and shapes of other characters. All thresholds were set by eye, on pairs of images.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from PIL import Image
from tqdm import tqdm

from recallkit.data.glyphs.render import block_of

MIN_TYPEFACES = 5  # of a character
PLACEHOLDER = 3  # so many characters of a typeface with the same pixels show none of them
CHANCE = 0.05  # share of other characters that may be more like a glyph than its own character
OTHERS = 500  # characters that stand for the others of a block
FAILING = 0.5  # if this share of a typeface's glyphs of a block fails, all of them go
COPY = 0.94  # cosine of the pixels of two typefaces' glyphs of a character that are copies
SAME = 6.0  # of 15 grey levels: largest difference over 2×2 pixels of characters that look the same

_NEAR = 0.95  # cosine of thumbnails of pairs worth a closer look


def clean(codes: np.ndarray, faces: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Choose the images to keep.

    1. Placeholders go: shapes that a typeface has for three or more characters.
    2. A glyph goes if it is less like the mean of its character in the other typefaces than like
       the means of 5 % of the other characters of its block. If half of a typeface's glyphs of a
       block fail, all of them go.
    3. If two characters look the same in two or more typefaces, the one of the higher code point
       goes; if they do in one typeface only, these two glyphs go.
    4. Of near-copies of a character in two typefaces, that of the later typeface goes.
    5. Characters with fewer than five glyphs left go.

    Args:
        codes: (N,) the character of each image.
        faces: (N,) the number of its typeface, ascending.
        ink: (N, 32, 32) uint8 in 0 … 15.

    Returns:
        The indices of the kept images, ascending.
    """
    kept = np.ones(len(codes), bool)
    for rows in _rows_of_typefaces(faces):
        kept[rows] &= ~placeholders(ink[rows])
    kept[kept] = ~strangers(codes[kept], faces[kept], ink[kept])
    kept[kept] = ~doubles(codes[kept], faces[kept], ink[kept])
    kept[kept] = ~copies(codes[kept], ink[kept])
    _, inverse, counts = np.unique(codes[kept], return_inverse=True, return_counts=True)
    kept[kept] = counts[inverse] >= MIN_TYPEFACES
    return np.flatnonzero(kept)


def thumbnails(ink: np.ndarray) -> np.ndarray:
    """Halve (n, 32, 32) images, centre them, bring them to unit length: (n, 256) float32."""
    return _unit(ink.reshape(-1, 16, 2, 16, 2).mean((2, 4), dtype=np.float32).reshape(-1, 256))


def placeholders(ink: np.ndarray) -> np.ndarray:
    """Find images of one typeface that stand for several characters, (n,) bool.

    Several are :data:`PLACEHOLDER` or more.
    """
    whole = np.ascontiguousarray(ink).reshape(len(ink), -1)
    keys = whole.view(f"V{whole.shape[1]}").ravel()
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return counts[inverse] >= PLACEHOLDER


def strangers(codes: np.ndarray, faces: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Find glyphs that are unlike their character in the other typefaces, (N,) bool."""
    kinds, member = np.unique(codes, return_inverse=True)
    blocks = np.array([block_of(int(code)) for code in kinds])
    compared = np.empty((len(codes), 256), np.float16)
    sums = np.zeros((len(kinds), 256), np.float32)
    for rows in tqdm(list(_rows_of_typefaces(faces)), desc="comparing typefaces", unit="typeface"):
        compared[rows] = shapes(ink[rows], blocks[member[rows]])
        np.add.at(sums, member[rows], compared[rows].astype(np.float32))
    strange = np.zeros(len(codes), bool)
    for block in np.unique(blocks):
        pool = np.array(_sample(kinds, np.flatnonzero(blocks == block)))
        means = _scaled(sums[pool])
        for rows in _rows_of_typefaces(faces):
            of_block = rows.start + np.flatnonzero(blocks[member[rows]] == block)
            if len(of_block):
                images = compared[of_block].astype(np.float32)
                others = member[of_block][:, None] != pool
                failing = _fails(images, sums[member[of_block]], means, others)
                strange[of_block] = failing | (failing.mean() > FAILING)
    return strange


def shapes(ink: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Describe the glyphs of one typeface by what belongs to the character: (n, 256) float32.

    Glyphs are stretched to their ink and blurred, so that width and weight of the typeface count
    for little. The mean of the typeface's glyphs of the block is taken away, and the rest brought
    to unit length.
    """
    stretched = np.stack([_stretched(image) for image in ink])
    values = _scaled(_blurred(stretched).reshape(-1, 256))
    for block in np.unique(blocks):
        values[blocks == block] -= values[blocks == block].mean(axis=0)
    return _scaled(values)


def _stretched(image: np.ndarray) -> np.ndarray:
    """Stretch the bounding box of the ink: (32, 32) → (16, 16)."""
    grey = Image.fromarray(image * 17)
    box = grey.getbbox()
    return np.asarray(grey.resize((16, 16), Image.Resampling.BILINEAR, box), np.float32)


def _blurred(values: np.ndarray) -> np.ndarray:
    """Average each place of (n, 16, 16) with its neighbours by weights 1, 2, 1."""
    wide = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    wide = wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]
    return (wide[:, :, :-2] + 2 * wide[:, :, 1:-1] + wide[:, :, 2:]) / 16


def _sample(kinds: np.ndarray, block: np.ndarray) -> list[int]:
    """Choose some of a block's characters, the same in every run."""
    key = {i: hashlib.sha256(str(kinds[i]).encode()).digest() for i in block.tolist()}
    return sorted(key, key=key.__getitem__)[:OTHERS]


def _fails(
    images: np.ndarray, sums: np.ndarray, means: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """Tell which images are less like their character than like :data:`CHANCE` of the others.

    Args:
        images: (n, 256).
        sums: (n, 256), of all images of the same character; the image itself is taken away.
        means: (pool, 256), of the characters that it is compared with.
        others: (n, pool), whether that is another character.

    Returns:
        (n,) bool.
    """
    to_own = (images * _scaled(sums - images)).sum(1)
    better = (images @ means.T > to_own[:, None]) & others
    return better.sum(1) > np.ceil(CHANCE * others.sum(1))


def doubles(codes: np.ndarray, faces: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Find glyphs of characters that look like another character, (N,) bool."""
    shared: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for rows in tqdm(list(_rows_of_typefaces(faces)), desc="comparing characters", unit="typeface"):
        for i, j in _same_pairs(ink[rows]):
            i, j = sorted((rows.start + i, rows.start + j), key=codes.__getitem__)
            shared[int(codes[i]), int(codes[j])].append((i, j))
    dropped: set[int] = set()
    alone = np.zeros(len(codes), bool)
    for (lower, higher), pairs in sorted(shared.items()):
        if len(pairs) >= 2 and not {lower, higher} & dropped:
            dropped.add(higher)
        elif not {lower, higher} & dropped:
            alone[list(pairs[0])] = True
    return np.isin(codes, sorted(dropped)) | alone


def _same_pairs(ink: np.ndarray, rows: int = 1024) -> Iterator[tuple[int, int]]:
    """Find the pairs of images i < j that look the same."""
    small = thumbnails(ink)
    for start in range(0, len(small), rows):
        near = small[start : start + rows] @ small[start:].T > _NEAR
        for i, j in zip(*(axis + start for axis in np.nonzero(near)), strict=True):
            if i < j and _difference(ink[i], ink[j]) < SAME:
                yield int(i), int(j)


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest difference of two images, averaged over squares of 2×2 pixels."""
    d = np.abs(a.astype(np.int16) - b)
    return float((d[1:, 1:] + d[1:, :-1] + d[:-1, 1:] + d[:-1, :-1]).max()) / 4


def copies(codes: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Find near-copies of an earlier image of the same character, (N,) bool."""
    order = np.argsort(codes, kind="stable")
    copied = np.zeros(len(codes), bool)
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1, append=-1))
    bar = tqdm(pairwise(starts.tolist()), "dropping copies", len(starts) - 1, unit=" characters")
    for start, end in bar:
        members = order[start:end]
        pixels = _unit(ink[members].reshape(len(members), -1).astype(np.float32))
        near = pixels @ pixels.T > COPY
        for later in range(1, len(members)):
            earlier = [i for i in range(later) if not copied[members[i]]]
            copied[members[later]] = near[later, earlier].any()
    return copied


def _unit(values: np.ndarray) -> np.ndarray:
    """Centre rows and bring them to unit length; rows without variation become 0."""
    return _scaled(values - values.mean(axis=1, keepdims=True))


def _scaled(values: np.ndarray) -> np.ndarray:
    """Bring rows to unit length; rows of zeros stay."""
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)


def _rows_of_typefaces(faces: np.ndarray) -> Iterator[slice]:
    """Give the rows of each typeface."""
    borders = np.flatnonzero(np.diff(faces, prepend=-1, append=-1)).tolist()
    yield from (slice(a, b) for a, b in pairwise(borders))

"""Which glyphs to leave out: wrong ones, copies, and characters that look the same.

What a typeface says it has is not always there: there are blank slots, placeholders, pictures, and
shapes of other characters. All thresholds were set by eye, on pictures of pairs.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from PIL import Image
from tqdm import tqdm

from recallkit.data.glyphs.render import block_of

MIN_TYPEFACES = 5


PLACEHOLDER = 3  # characters of a typeface with the very same pixels: it is none of them


CHANCE = 0.05  # of the other characters may be more like a glyph than its own


OTHERS = 500  # characters that stand for the others of a block


FAILING = 0.5  # share of a typeface's glyphs of a block that fail: then all of them go


COPY = 0.94  # cosine of the pixels of two typefaces' glyphs of a character


SAME = 6.0  # grey levels of 15: largest difference over 2×2 pixels of two characters that look same


_NEAR = 0.95  # cosine of thumbnails of pairs worth a closer look


def clean(codes: np.ndarray, faces: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Which images to keep.

    1. Placeholders go: shapes that a typeface has for three or more characters.
    2. A glyph goes if it is less like the mean of its character in the other typefaces than like
       those of 5 % of other characters of its block. If half of a typeface's glyphs of a block
       fail, all of them go.
    3. Of two characters that look the same in two or more typefaces, that of the higher code point
       goes; if they do in one, both glyphs go.
    4. Of two typefaces' near-copies of a character, that of the later typeface goes.
    5. Characters with fewer than five glyphs left go.

    Args:
        codes: (N,) the character of each image.
        faces: (N,) the number of its typeface, ascending.
        ink: (N, 32, 32) uint8 in 0 … 15.

    Returns:
        The indices of the kept images, ascending.
    """
    kept = np.ones(len(codes), bool)
    for part in _runs(faces):
        kept[part] &= ~placeholders(ink[part])
    kept[kept] = ~strangers(codes[kept], faces[kept], ink[kept])
    kept[kept] = ~doubles(codes[kept], faces[kept], ink[kept])
    kept[kept] = ~copies(codes[kept], ink[kept])
    _, inverse, counts = np.unique(codes[kept], return_inverse=True, return_counts=True)
    kept[kept] = counts[inverse] >= MIN_TYPEFACES
    return np.flatnonzero(kept)


def thumbnails(ink: np.ndarray) -> np.ndarray:
    """(n, 32, 32) → (n, 256) float32: halved, centred, of unit length."""
    return _unit(ink.reshape(-1, 16, 2, 16, 2).mean((2, 4), dtype=np.float32).reshape(-1, 256))


def placeholders(ink: np.ndarray) -> np.ndarray:
    """(n,) bool: images of one typeface that stand for :data:`PLACEHOLDER` characters or more."""
    whole = np.ascontiguousarray(ink).reshape(len(ink), -1)
    keys = whole.view(f"V{whole.shape[1]}").ravel()
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return counts[inverse] >= PLACEHOLDER


def strangers(codes: np.ndarray, faces: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """(N,) bool: glyphs that the other typefaces do not bear out."""
    kinds, member = np.unique(codes, return_inverse=True)
    blocks = np.array([block_of(int(code)) for code in kinds])
    compared = np.empty((len(codes), 256), np.float16)
    sums = np.zeros((len(kinds), 256), np.float32)
    for part in tqdm(list(_runs(faces)), desc="comparing typefaces", unit="typeface"):
        compared[part] = shapes(ink[part], blocks[member[part]])
        np.add.at(sums, member[part], compared[part].astype(np.float32))
    strange = np.zeros(len(codes), bool)
    for block in np.unique(blocks):
        pool = np.array(_sample(kinds, np.flatnonzero(blocks == block)))
        means = _scaled(sums[pool])
        for part in _runs(faces):
            here = part.start + np.flatnonzero(blocks[member[part]] == block)
            if len(here):
                own = compared[here].astype(np.float32)
                others = member[here][:, None] != pool
                failing = _beaten(own, sums[member[here]], means, others)
                strange[here] = failing | (failing.mean() > FAILING)
    return strange


def shapes(ink: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """(n, 256) float32 of one typeface: what is the character's own in its glyphs.

    Stretched to their ink and blurred, so that width and weight of the typeface count for little;
    less the mean of all its glyphs of the block; of unit length.
    """
    stretched = np.stack([_stretched(image) for image in ink])
    values = _scaled(_blurred(stretched).reshape(-1, 256))
    for block in np.unique(blocks):
        values[blocks == block] -= values[blocks == block].mean(axis=0)
    return _scaled(values)


def _stretched(image: np.ndarray) -> np.ndarray:
    """(32, 32) → (16, 16): what is in the bounding box of the ink."""
    picture = Image.fromarray(image * 17)
    box = picture.getbbox()
    return np.asarray(picture.resize((16, 16), Image.Resampling.BILINEAR, box), np.float32)


def _blurred(values: np.ndarray) -> np.ndarray:
    """(n, 16, 16), each place averaged with its neighbours by weights 1, 2, 1."""
    wide = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    wide = wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]
    return (wide[:, :, :-2] + 2 * wide[:, :, 1:-1] + wide[:, :, 2:]) / 16


def _sample(kinds: np.ndarray, block: np.ndarray) -> list[int]:
    """Some of a block's characters, the same at every run."""
    key = {i: hashlib.sha256(str(kinds[i]).encode()).digest() for i in block.tolist()}
    return sorted(key, key=key.__getitem__)[:OTHERS]


def _beaten(
    images: np.ndarray, sums: np.ndarray, means: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """(n,) bool: images less like the rest of their sums than like :data:`CHANCE` of ``means``.

    Those of other characters are meant: where (n, pool) ``others`` is true.
    """
    own = (images * _scaled(sums - images)).sum(1)
    better = (images @ means.T > own[:, None]) & others
    return better.sum(1) > np.ceil(CHANCE * others.sum(1))


def doubles(codes: np.ndarray, faces: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """(N,) bool: glyphs of characters that look like others."""
    shared = defaultdict(list)
    for part in tqdm(list(_runs(faces)), desc="comparing characters", unit="typeface"):
        for i, j in _same_pairs(ink[part]):
            i, j = sorted((part.start + i, part.start + j), key=codes.__getitem__)
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
    """The pairs of images i < j that look the same."""
    small = thumbnails(ink)
    for start in range(0, len(small), rows):
        near = small[start : start + rows] @ small[start:].T > _NEAR
        for i, j in zip(*(axis + start for axis in np.nonzero(near)), strict=True):
            if i < j and _difference(ink[i], ink[j]) < SAME:
                yield int(i), int(j)


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest mean, over squares of 2×2 pixels, of the difference of two images."""
    d = np.abs(a.astype(np.int16) - b)
    return float((d[1:, 1:] + d[1:, :-1] + d[:-1, 1:] + d[:-1, :-1]).max()) / 4


def copies(codes: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """(N,) bool: near-copies of an earlier image of the same character."""
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
    """Rows centred and of unit length; rows without variation 0."""
    return _scaled(values - values.mean(axis=1, keepdims=True))


def _scaled(values: np.ndarray) -> np.ndarray:
    """Rows of unit length; rows of zeros stay."""
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)


def _runs(faces: np.ndarray) -> Iterator[slice]:
    """Where each typeface begins and ends."""
    borders = np.flatnonzero(np.diff(faces, prepend=-1, append=-1)).tolist()
    yield from (slice(a, b) for a, b in pairwise(borders))

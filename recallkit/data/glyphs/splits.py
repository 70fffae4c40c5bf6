"""The glyphs, split by class, as they are or distorted."""

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recallkit.data.archive import ClassesOfSplit, Packed, classes_by_split, open_packed
from recallkit.data.cache import cached_pixels, checksum
from recallkit.data.glyphs.archive import FILE, FORMAT, SIDE, read_images
from recallkit.data.glyphs.distortion import distort, seed_of
from recallkit.data.image_set import ImageSet, Splits
from recallkit.files import embedded


def load_glyphs(folder: Path | None = None, *, distorted: bool = False) -> Splits:
    """Load the glyphs: train, validation and test share no character.

    The first call unpacks the file, or distorts what is in it, and keeps the pixels in the cache
    folder; later calls map that cache into memory. The cache may be deleted at any time.

    Args:
        folder: where ``glyphs.zip`` lies; by default the embedded data.
        distorted: load the harder set, :mod:`recallkit.data.glyphs.distortion`: the same images in
            the same order, each distorted in its own way, always the same.

    Returns:
        Three image sets: images (N, 3, 32, 32) uint8, black on white; the three channels are views
        of one grey image (stride 0) and take the memory of one, so write to a copy. Labels (N,)
        int64, class names like "han 4e00", and the typeface of each image as its source.

    Raises:
        RecallkitError: if the packed file is missing, damaged, or something else.
    """
    path = (embedded("glyphs") if folder is None else Path(folder)) / FILE
    with open_packed(path, "glyphs", FORMAT) as packed:
        classes = classes_by_split(packed.index, "typefaces")
        pixels = _distorted_pixels(packed) if distorted else _clean_pixels(packed)
        grey, typefaces = torch.from_numpy(pixels), packed.index["typefaces"]
        return Splits(
            *(
                _image_set(classes[split], grey, typefaces)
                for split in ("train", "validation", "test")
            )
        )


def load_distorted_glyphs() -> Splits:
    """Load the distorted glyphs: :func:`load_glyphs` with ``distorted``."""
    return load_glyphs(distorted=True)


def _clean_pixels(packed: Packed) -> np.ndarray:
    """Return all images, (N, 32, 32) uint8, in the order of the classes."""
    return _pixels(packed, "glyphs", "crc32", lambda: read_images(packed.archive, packed.index))


def _distorted_pixels(packed: Packed) -> np.ndarray:
    """Return all images distorted, (N, 32, 32) uint8, in the order of the classes."""

    def distort_all() -> np.ndarray:
        images = distort(_clean_pixels(packed), seeds(packed.index))
        if checksum(images) != packed.index["distorted_crc32"]:
            raise ValueError("its distorted pixels do not match their checksum")
        return images

    return _pixels(packed, "glyphs-distorted", "distorted_crc32", distort_all)


def _pixels(packed: Packed, name: str, crc32: str, decode: Callable[[], np.ndarray]) -> np.ndarray:
    shape = (packed.index["images"], SIDE, SIDE)
    return cached_pixels(name, packed.content, shape, packed.index[crc32], decode)


def seeds(index: dict[str, Any]) -> list[int]:
    """Return the seed of each image's distortion, in the order of the classes."""
    names = index["typefaces"]
    return [seed_of(int(c["code"], 16), names[t]) for c in index["classes"] for t in c["typefaces"]]


def _image_set(split: ClassesOfSplit, grey: torch.Tensor, typefaces: list[str]) -> ImageSet:
    labels = split.first_label + torch.arange(len(split.classes))
    names = [class_name(int(c["code"], 16)) for c in split.classes]
    return ImageSet(
        images=grey[split.images, None].expand(-1, 3, -1, -1),
        labels=labels.repeat_interleave(torch.tensor(split.sizes)),
        class_names={split.first_label + i: name for i, name in enumerate(names)},
        sources=tuple(typefaces[t] for c in split.classes for t in c["typefaces"]),
    )


def class_name(code: int) -> str:
    """Name a character so that any font can show it: "han 4e00", "hangul syllable ga"."""
    return unicodedata.name(chr(code)).lower().replace("cjk unified ideograph-", "han ")

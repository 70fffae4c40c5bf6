"""The embedded glyphs: a class is a character, an image its shape in one typeface."""

import io
import lzma
import unicodedata
import zipfile
import zlib
from itertools import groupby
from pathlib import Path

import numpy as np
import torch

from recallkit.data.cache import cached_pixels, checksum, read_index
from recallkit.data.glyphs.archive import FORMAT, SIDE, read_images
from recallkit.data.glyphs.distortion import distort, seed_of
from recallkit.data.image_set import ImageSet, Splits
from recallkit.errors import RecallkitError
from recallkit.files import embedded

FILE = "glyphs.zip"


def load_glyphs(folder: Path | None = None, *, distorted: bool = False) -> Splits:
    """The glyphs: train, validation and test share no character.

    The first call unpacks the file, or distorts what is in it, and keeps the pixels in the cache
    folder; later calls map that cache into memory. The cache may be deleted at any time.

    Args:
        folder: where ``glyphs.zip`` lies; by default the embedded data.
        distorted: the harder set, :mod:`recallkit.data.glyphs.distortion`: the same images in the
            same order, each distorted in its own way, always the same.

    Returns:
        Three image sets: images (N, 3, 32, 32) uint8, black on white; the three channels are one
        grey image seen three times, without taking memory thrice, so write to a copy. Labels (N,)
        int64, class names like "han 4e00", and the typeface of each image as its source.

    Raises:
        RecallkitError: if the packed file is missing, damaged, or something else.
    """
    path = (embedded("glyphs") if folder is None else Path(folder)) / FILE
    packed = _read(path)
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            index = read_index(archive, FORMAT)
            images = _pixels(packed, archive, index, distorted)
        return _splits(index, images)
    except _DAMAGE as error:
        raise RecallkitError(
            f"{path} is damaged or is not the glyphs data ({error}). {_REMEDY}"
        ) from error


def load_distorted_glyphs() -> Splits:
    """The distorted glyphs: :func:`load_glyphs` with ``distorted``."""
    return load_glyphs(distorted=True)


_REMEDY = "Check the repository out again, or run `recallkit prepare glyphs`."


_DAMAGE = (
    *(OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(KeyError, IndexError, TypeError, ValueError, EOFError),
)


def _read(path: Path) -> bytes:
    """The packed file, 20 MB."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RecallkitError(f"the glyphs data are missing: no file {path}. {_REMEDY}") from None
    except OSError as error:
        raise RecallkitError(f"cannot read {path}: {error.strerror}.") from error


def _pixels(packed: bytes, archive: zipfile.ZipFile, index: dict, distorted: bool) -> np.ndarray:
    """All images, (N, 32, 32) uint8, in the order of the classes."""
    shape = (index["images"], SIDE, SIDE)

    def clean() -> np.ndarray:
        return cached_pixels(
            "glyphs", packed, shape, index["crc32"], lambda: read_images(archive, index)
        )

    def warped() -> np.ndarray:
        images = distort(clean(), seeds(index))
        if checksum(images) != index["distorted_crc32"]:
            raise ValueError("its distorted pixels do not match their checksum")
        return images

    if not distorted:
        return clean()
    return cached_pixels("glyphs-distorted", packed, shape, index["distorted_crc32"], warped)


def seeds(index: dict) -> list[int]:
    """The seed of each image, in the order of the classes."""
    names = index["typefaces"]
    return [seed_of(int(c["code"], 16), names[t]) for c in index["classes"] for t in c["typefaces"]]


def _splits(index: dict, images: np.ndarray) -> Splits:
    """Cut ``images``, which lie in the order of the classes, and those in that of the splits."""
    grey = torch.from_numpy(images)
    parts, start, label = {}, 0, 0
    for split, classes in groupby(index["classes"], key=lambda c: c["split"]):
        classes = list(classes)
        count = sum(len(c["typefaces"]) for c in classes)
        part = grey[start : start + count]
        parts[split] = _image_set(classes, label, part, index["typefaces"])
        start, label = start + count, label + len(classes)
    return Splits(parts["train"], parts["validation"], parts["test"])


def _image_set(
    classes: list[dict], first: int, grey: torch.Tensor, typefaces: list[str]
) -> ImageSet:
    """One split: its classes are labelled ``first``, ``first`` + 1, …"""
    labels = torch.arange(first, first + len(classes))
    sizes = torch.tensor([len(c["typefaces"]) for c in classes])
    return ImageSet(
        images=grey[:, None].expand(-1, 3, -1, -1),
        labels=labels.repeat_interleave(sizes),
        class_names={first + i: class_name(int(c["code"], 16)) for i, c in enumerate(classes)},
        sources=tuple(typefaces[t] for c in classes for t in c["typefaces"]),
    )


def class_name(code: int) -> str:
    """A character's name that any font can show: "han 4e00", "hangul syllable ga"."""
    return unicodedata.name(chr(code)).lower().replace("cjk unified ideograph-", "han ")

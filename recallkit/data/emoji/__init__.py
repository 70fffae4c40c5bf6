"""The embedded emoji: a class is an emoji, an image one foundry's drawing of it."""

import io
import zipfile
import zlib
from itertools import groupby
from pathlib import Path

import numpy as np
import torch

from recallkit.data.cache import cached_pixels, read_index
from recallkit.data.emoji.archive import FORMAT, read_images
from recallkit.data.image_set import ImageSet, Splits
from recallkit.errors import RecallkitError
from recallkit.files import embedded

FILE = "emoji.zip"


def load_emoji(folder: Path | None = None) -> Splits:
    """The emoji set: train, validation and test share no class.

    The first call decodes the packed file and keeps the pixels in the cache folder; later calls
    map that cache into memory. The cache may be deleted at any time.

    Args:
        folder: where ``emoji.zip`` lies; by default the embedded data.

    Returns:
        Three image sets: images (N, 4, 64, 64) uint8 RGBA, labels (N,) int64, class names like
        "grinning face", and the foundry of each image as its source.

    Raises:
        RecallkitError: if the packed file is missing, damaged, or something else.
    """
    path = (embedded("emoji") if folder is None else Path(folder)) / FILE
    packed = _read(path)
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            index = read_index(archive, FORMAT)
            images = cached_pixels(
                "emoji",
                packed,
                (index["images"], 4, 64, 64),
                index["crc32"],
                lambda: read_images(archive, index),
            )
        return _splits(index, images)
    except _DAMAGE as error:
        raise RecallkitError(
            f"{path} is damaged or is not the emoji data ({error}). {_REMEDY}"
        ) from error


_REMEDY = "Check the repository out again, or run `recallkit prepare emoji`."


_DAMAGE = (OSError, zipfile.BadZipFile, zlib.error, KeyError, TypeError, ValueError, EOFError)


def _read(path: Path) -> bytes:
    """The packed file, 12 MB."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RecallkitError(f"the emoji data are missing: no file {path}. {_REMEDY}") from None
    except OSError as error:
        raise RecallkitError(f"cannot read {path}: {error.strerror}.") from error


def _splits(index: dict, images: np.ndarray) -> Splits:
    """Cut ``images``, which lie in the order of the classes, and those in that of the splits."""
    tensor = torch.from_numpy(images)
    parts, start, label = {}, 0, 0
    for split, classes in groupby(index["classes"], key=lambda c: c["split"]):
        classes = list(classes)
        count = sum(len(c["foundries"]) for c in classes)
        parts[split] = _image_set(classes, label, tensor[start : start + count])
        start, label = start + count, label + len(classes)
    if start != len(images):
        raise ValueError(f"its index tells of {start} images, it has {len(images)}")
    return Splits(parts["train"], parts["validation"], parts["test"])


def _image_set(classes: list[dict], first: int, images: torch.Tensor) -> ImageSet:
    """One split: its classes are labelled ``first``, ``first`` + 1, …"""
    labels = torch.arange(first, first + len(classes))
    sizes = torch.tensor([len(c["foundries"]) for c in classes])
    return ImageSet(
        images=images,
        labels=labels.repeat_interleave(sizes),
        class_names={first + i: c["name"] for i, c in enumerate(classes)},
        sources=tuple(foundry for c in classes for foundry in c["foundries"]),
    )

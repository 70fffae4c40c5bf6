"""The emoji, split by class."""

from pathlib import Path

import torch

from recallkit.data.archive import ClassesOfSplit, classes_by_split, open_packed
from recallkit.data.cache import cached_pixels
from recallkit.data.emoji.archive import FILE, FORMAT, SIDE, read_images
from recallkit.data.image_set import ImageSet, Splits
from recallkit.files import embedded


def load_emoji(folder: Path | None = None) -> Splits:
    """Load the emoji: train, validation and test share no class.

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
    with open_packed(path, "emoji", FORMAT) as packed:
        index = packed.index
        classes = classes_by_split(index, "foundries")
        pixels = cached_pixels(
            "emoji",
            packed.content,
            (index["images"], 4, SIDE, SIDE),
            index["crc32"],
            lambda: read_images(packed.archive, index),
        )
        images = torch.from_numpy(pixels)
        return Splits(
            *(_image_set(classes[split], images) for split in ("train", "validation", "test"))
        )


def _image_set(split: ClassesOfSplit, images: torch.Tensor) -> ImageSet:
    labels = split.first_label + torch.arange(len(split.classes))
    return ImageSet(
        images=images[split.images],
        labels=labels.repeat_interleave(torch.tensor(split.sizes)),
        class_names={split.first_label + i: c["name"] for i, c in enumerate(split.classes)},
        sources=tuple(foundry for c in split.classes for foundry in c["foundries"]),
    )

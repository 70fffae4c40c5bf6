"""Emoji of two foundries: the drawings of one have labels, those of the other have none.

A class is a category of emoji, such as food or animals, so that an emoji that was never seen can be
classified. All images are 32 × 32 pixels, on white.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from recallkit.data.archive import open_packed
from recallkit.data.domain_pair import DomainPair
from recallkit.data.emoji import load_emoji
from recallkit.data.emoji.archive import FILE, FORMAT
from recallkit.data.image_set import ImageSet
from recallkit.data.transforms import over_white
from recallkit.files import embedded

__all__ = ["load_between_foundries"]

_SHRINK = 2  # 64 pixels to 32


def load_between_foundries(source: str = "openmoji", target: str = "twemoji") -> DomainPair:
    """Make the pair: the emoji of one foundry, labelled by category, to those of another.

    The emoji are split as for retrieval: about 600 for training, 100 for validation and 700 for the
    test, all different. So the test asks for emoji that were seen in no drawing. Categories have
    different sizes: the largest has about a fifth of the test images.

    Args:
        source: a foundry, as in ``sources`` of :func:`.load_emoji`. openmoji draws outlines.
        target: another. twemoji draws flat shapes without outlines, so little is alike.

    Returns:
        The pair, with images (N, 3, 32, 32) uint8 and labels 0 to 7.

    Raises:
        ValueError: for a foundry that does not exist, or the same one twice.
        RecallkitError: if the emoji are missing or damaged.
    """
    emoji, categories = load_emoji(), _categories()
    known = sorted(set(emoji.test.sources))
    for name, foundry in {"source": source, "target": target}.items():
        if foundry not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, not {foundry!r}")
    if source == target:
        raise ValueError(f"target must be another foundry than source, not {target!r}")
    return DomainPair(
        source=_drawings(emoji.train, source, categories),
        source_validation=_drawings(emoji.validation, source, categories),
        target=_drawings(emoji.train, target, categories).images[:],
        target_validation=_drawings(emoji.validation, target, categories),
        test=_drawings(emoji.test, target, categories),
    )


def _categories() -> dict[str, str]:
    """Return the category of each emoji, by its name."""
    with open_packed(embedded("emoji") / FILE, "emoji", FORMAT) as packed:
        return {emoji["name"]: emoji["category"] for emoji in packed.index["classes"]}


def _drawings(emoji: ImageSet, foundry: str, categories: dict[str, str]) -> ImageSet:
    """Choose the drawings of a foundry, small and on white, and label them by category."""
    names = sorted(set(categories.values()))
    rows = [row for row, source in enumerate(emoji.sources) if source == foundry]
    of_rows = [categories[emoji.class_names[int(emoji.labels[row])]] for row in rows]
    return ImageSet(
        images=_small(over_white(emoji.images[torch.tensor(rows)])),
        labels=torch.tensor([names.index(category) for category in of_rows]),
        class_names=dict(enumerate(names)),
        sources=(foundry,) * len(rows),
    )


def _small(images: Tensor) -> Tensor:
    """Shrink (N, 3, 64, 64) float32 in 0 … 1 to (N, 3, 32, 32) uint8."""
    return (255 * avg_pool2d(images, _SHRINK)).round().to(torch.uint8)

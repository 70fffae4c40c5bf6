"""The data sets, each in its own module; ``load`` by name."""

from collections.abc import Callable

from recallkit.data.emoji import load_emoji
from recallkit.data.image_set import ImageSet, Splits

LOADERS: dict[str, Callable[[], Splits]] = {"emoji": load_emoji}

__all__ = ["LOADERS", "ImageSet", "Splits", "load"]


def load(name: str) -> Splits:
    """The data set called ``name``.

    Raises:
        ValueError: if there is none of that name.
        RecallkitError: if its files are missing or damaged.
    """
    if name not in LOADERS:
        known = ", ".join(sorted(LOADERS))
        raise ValueError(f"there is no data set {name!r}; known are: {known}")
    return LOADERS[name]()

"""The data sets, each in its own module; ``load`` by name."""

from collections.abc import Callable
from pathlib import Path

from recallkit.data.emoji import load_emoji
from recallkit.data.folder import load_folder
from recallkit.data.glyphs import FILE as GLYPHS_FILE
from recallkit.data.glyphs import load_distorted_glyphs, load_glyphs
from recallkit.data.image_set import ImageSet, Splits

LOADERS: dict[str, Callable[[], Splits]] = {
    "emoji": load_emoji,
    "glyphs": load_glyphs,
    "glyphs-distorted": load_distorted_glyphs,
}

__all__ = ["LOADERS", "ImageSet", "Splits", "load"]


def load(name: str, image_size: int = 32) -> Splits:
    """The data set called ``name``, or the folder of that path with one sub-folder a class.

    A folder may also be one that ``recallkit prepare glyphs --fonts`` wrote.

    Args:
        name: of an embedded data set, or of a folder.
        image_size: side of the square that a network will see; pictures of a folder are kept in
            squares at least as large.

    Raises:
        ValueError: if there is neither.
        RecallkitError: if its files are missing or damaged.
    """
    if name in LOADERS:
        return LOADERS[name]()
    folder = Path(name).expanduser()
    if not folder.is_dir():
        known = ", ".join(sorted(LOADERS))
        raise ValueError(f"there is no data set or folder {name!r}; known data sets are: {known}")
    if (folder / GLYPHS_FILE).is_file():  # made by `recallkit prepare glyphs --fonts`
        return load_glyphs(folder)
    return load_folder(folder, side=max(64, image_size))

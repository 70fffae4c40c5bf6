"""The sizes of the training classes of an embedded data set, read from its index alone."""

from functools import cache
from typing import TYPE_CHECKING

from recallkit.data.archive import classes_by_split, open_packed
from recallkit.data.emoji import archive as emoji
from recallkit.data.glyphs import archive as glyphs
from recallkit.files import embedded

if TYPE_CHECKING:
    from types import ModuleType

_INDEXES: dict[str, tuple[str, "ModuleType", str]] = {
    "emoji": ("emoji", emoji, "foundries"),
    "glyphs": ("glyphs", glyphs, "typefaces"),
    "glyphs-distorted": ("glyphs", glyphs, "typefaces"),
}
"""Data set → its folder, the module of its file, and the field with an entry for each image."""


@cache
def embedded_class_sizes(name: str) -> tuple[int, ...]:
    """Read how many images each training class has, without decoding one.

    Args:
        name: of a data set.

    Returns:
        A number a class, in the order of the labels; nothing for data that are not embedded.

    Raises:
        RecallkitError: if the packed file is missing, damaged, or something else.
    """
    if name not in _INDEXES:
        return ()
    folder, archive, members = _INDEXES[name]
    with open_packed(embedded(folder) / archive.FILE, folder, archive.FORMAT) as packed:
        return tuple(classes_by_split(packed.index, members)["train"].sizes)

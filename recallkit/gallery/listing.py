"""The images of a folder, with classes or without, and the files meant as queries.

    FOLDER/IMAGE                 no class
    FOLDER/CLASS/…/IMAGE         CLASS
    FOLDER/SPLIT/CLASS/…/IMAGE   CLASS, where the folders train and test stand side by side

Used and left out is what :mod:`recallkit.data.listing` says, but images need no class.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recallkit.data.image_files import opened
from recallkit.data.image_set import text_of_left_out
from recallkit.data.listing import SPLIT_NAMES, Walk, canonical_name
from recallkit.errors import RecallkitError
from recallkit.files import expanded

__all__ = ["FoundImages", "check_queries", "expand", "find_images", "relative_to"]


@dataclass(frozen=True)
class FoundImages:
    """Image files below a folder.

    Attributes:
        root: the folder, absolute.
        paths: of the images, relative to ``root``, with "/" between folders; absolute for those
            that are not below it.
        labels: the class of each image, "" for one without.
        left_out: what else the folder holds, a phrase each.
    """

    root: Path
    paths: tuple[str, ...]
    labels: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def files(self, places: Iterable[int] | None = None) -> list[Path]:
        """Return the absolute paths, of all images or of those at some places."""
        return [self.root / self.paths[i] for i in (range(len(self)) if places is None else places)]

    def describe(self) -> str:
        """Say in one line what is used and what is left out."""
        classes = len(set(self.labels) - {""})
        kinds = f" of {classes:,} class{'es' * (classes > 1)}" if classes else " without classes"
        rest = text_of_left_out(self.left_out)
        return f"{len(self):,} image{'s' * (len(self) > 1)}{kinds} in {self.root}; {rest}"


def find_images(folder: Path) -> FoundImages:
    """List the images at any depth below a folder, those of a folder before its sub-folders'.

    Raises:
        RecallkitError: if there is no such folder, it cannot be opened, or it holds no image.
    """
    root = Path(os.path.abspath(expanded(folder)))
    if not root.is_dir():
        raise RecallkitError(f"there is no folder {folder}")
    walk = Walk(root)
    files = [path.relative_to(root) for path in walk.below(root)]
    left_out = walk.phrases()
    if not files:
        raise RecallkitError(f"{folder} holds no image; {text_of_left_out(left_out)}")
    depth = 1 if _has_splits(files) else 0
    labels = tuple(_label(file, depth) for file in files)
    return FoundImages(root, tuple(file.as_posix() for file in files), labels, left_out)


def _has_splits(files: Sequence[Path]) -> bool:
    """Tell whether folders are splits: train and another one, which hold classes or are alone."""
    holders, folders = (
        {SPLIT_NAMES.get(file.parts[0].lower(), "") for file in files if len(file.parts) > depth}
        for depth in (2, 1)
    )
    splits = folders if "" not in folders else holders - {""}
    return "train" in splits and len(splits) > 1


def _label(file: Path, depth: int) -> str:
    folders = file.parts[:-1]
    return canonical_name(folders[depth]) if len(folders) > depth else ""


def relative_to(root: Path, files: Sequence[Path]) -> tuple[str, ...]:
    """Return paths relative to ``root`` where they are below it, else absolute."""
    absolute = [Path(os.path.abspath(file)) for file in files]
    return tuple(
        (file.relative_to(root) if file.is_relative_to(root) else file).as_posix()
        for file in absolute
    )


def expand(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """List files: those that are named, whatever their suffix, and the images of named folders.

    Raises:
        RecallkitError: for a path that does not exist, or a folder without images.
    """
    named = [paths] if isinstance(paths, (str, Path)) else list(paths)
    files: list[Path] = []
    for path in (expanded(name) for name in named):
        if path.is_dir():
            files += [path / relative for relative in find_images(path).paths]
        elif path.exists():
            files.append(path)
        else:
            raise RecallkitError(f"there is no image {path}")
    return files


def check_queries(files: Sequence[Path]) -> None:
    """Refuse the first file that does not begin as an image does; nothing is decoded.

    Raises:
        RecallkitError: naming it.
    """
    for file in files:
        with opened(file):
            pass

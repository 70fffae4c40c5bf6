"""The contents of a folder of images: images, classes, and what is left out and why.

    FOLDER/CLASS/…/IMAGE         images at any depth below CLASS belong to CLASS
    FOLDER/train/CLASS/…/IMAGE   beside test/ and, if there is one, val/, valid/ or validation/:
                                 these folders are the splits

Used is every file whose suffix is that of a format that is opened, in upper or lower case. Left out
are hidden names (those that begin with a dot, and what file managers leave behind), files of other
suffixes, images outside of a class folder, classes without images, broken links, and links to a
folder that is read already. Everything that is left out is counted, and named in a phrase.
"""

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from recallkit.data.image_files import SUFFIXES
from recallkit.data.image_set import text_of_left_out
from recallkit.errors import RecallkitError
from recallkit.files import expanded
from recallkit.labels import canonical_text

__all__ = [
    "SPLIT_NAMES",
    "ImageList",
    "Walk",
    "canonical_name",
    "check_distinct",
    "inner_classes",
    "list_folder",
    "quoted",
]

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""The names that a folder, or a cell of a list file, may have as a split; in lower case."""

_LEFT_BEHIND = {
    *("__macosx", "@eadir", "#recycle", "#snapshot", "$recycle.bin", "system volume information"),
    *("@recycle", "@recently-snapshot", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"),
    *("__pycache__", "lost+found", "picasa.ini"),
}
_OTHER_FORMATS = {
    *(".heic", ".heif", ".hif", ".jxl", ".svg", ".svgz", ".eps", ".ps", ".pdf", ".ai", ".wmf"),
    *(".emf", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2", ".pef"),
    *(".srw", ".xcf", ".exr", ".hdr", ".dcm", ".mp4", ".mov", ".avi", ".mkv", ".webm"),
}
_ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"}
_SHOWN = 5  # names a phrase


@dataclass(frozen=True)
class ImageList:
    """Image files, what they show, and what stood beside them.

    Attributes:
        source: the folder, or the file that lists the images; absolute.
        paths: of the images.
        classes: the name of the class of each image, in the canonical form of
            :func:`canonical_name`.
        names: what each image is called in a caption.
        parts: "train", "validation" or "test" for each image; empty if the source has no splits.
        queries: whether each image is a query; empty if the source does not say.
        groups: a name for each image, such as its camera; "" is none. Empty if there are no groups.
        left_out: what is left out and why, a phrase each.
        notes: what else there is to know, a sentence each.
    """

    source: Path
    paths: tuple[Path, ...]
    classes: tuple[str, ...]
    names: tuple[str, ...]
    parts: tuple[str, ...] = ()
    queries: tuple[bool, ...] = ()
    groups: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def sizes(self, part: str = "") -> dict[str, int]:
        """Count the images of each class, of all images or of those of a part."""
        return Counter(
            name
            for i, name in enumerate(self.classes)
            if not part or (self.parts and self.parts[i] == part)
        )


def canonical_name(text: str) -> str:
    """Make the name of a folder canonical, as labels are; bytes that are no text become "?".

    macOS stores "é" as two characters, other systems as one; it is one class.
    """
    return canonical_text(text.encode("utf-8", "replace").decode("utf-8"))


def quoted(names: Iterable[str]) -> str:
    """List some names for a message, the first five of them; control characters are escaped."""
    names = list(names)
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(repr(name) for name in names[:_SHOWN]) + more


def list_folder(root: Path) -> ImageList:
    """List the images of a folder by class, and by split if it has splits of its own.

    Args:
        root: laid out as the head of this module says.

    Returns:
        The images, sorted by split, class and path; the classes may be few.

    Raises:
        RecallkitError: if there is no such folder, it cannot be opened, it holds no image, or two
            classes differ in spelling only.
    """
    root = Path(os.path.abspath(expanded(root)))
    if not root.is_dir():
        raise RecallkitError(f"there is no folder {root}")
    walk = Walk(root)
    folders, outside = walk.content(root)
    walk.note_outside(outside)
    splits = _own_splits(folders)
    listed = walk.splits(splits, folders) if splits else walk.classes(root, folders)
    listed = replace(listed, left_out=walk.phrases(), notes=(*listed.notes, *walk.notes))
    if not listed.paths:
        raise RecallkitError(
            f"{root} must hold sub-folders with images, one for each class (FOLDER/CLASS/IMAGE); "
            f"it has none, {text_of_left_out(listed.left_out)}"
        )
    check_distinct(listed.classes, root)
    return listed


def _own_splits(folders: list[Path]) -> dict[str, list[Path]]:
    """Gather the folders of each split; nothing if the folders are classes.

    They are splits if there is one for training and one for test or validation, and each of them
    holds folders with images.
    """
    splits: dict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        if (part := SPLIT_NAMES.get(folder.name.lower())) and inner_classes(folder):
            splits[part].append(folder)
    return splits if "train" in splits and len(splits) > 1 else {}


def inner_classes(folder: Path, at_most: int = 1) -> int:
    """Count the sub-folders of a folder that hold images, no further than ``at_most``."""
    walk, count = Walk(folder), 0
    for inner in walk.content(folder)[0]:
        count += bool(next(walk.below(inner), None))
        if count == at_most:
            break
    return count


class Walk:
    """A walk through the folders below ``root`` that notes what it leaves out.

    Attributes:
        left: reason → the paths that are left out, relative to ``root``.
        notes: what else there is to know, a sentence each.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.left: dict[str, list[str]] = defaultdict(list)
        self.notes: list[str] = []
        self._real_root = Path(os.path.realpath(root))
        self._seen = {self._real_root}

    def classes(self, root: Path, folders: list[Path], part: str = "") -> ImageList:
        """List the images below each of some folders, which are classes."""
        images = {folder: list(self.below(folder)) for folder in folders}
        check_distinct((folder.name for folder in folders if images[folder]), root)
        for folder in folders:
            if not images[folder]:
                self._leave_out("empty", folder)
        entries = [(path, folder) for folder in folders for path in images[folder]]
        paths = tuple(path for path, _ in entries)
        classes = tuple(canonical_name(folder.name) for _, folder in entries)
        names = tuple(path.relative_to(folder).as_posix() for path, folder in entries)
        deeper = sum("/" in name for name in names)
        if deeper:
            place = root.relative_to(self.root.parent).as_posix()
            self.notes.append(
                f"{deeper:,} images lie deeper than {place}/CLASS/IMAGE; they belong to the class "
                f"of the folder directly below {place}"
            )
        parts = (part,) * len(paths) if part else ()
        return ImageList(self.root, paths, classes, names, parts)

    def splits(self, splits: dict[str, list[Path]], folders: list[Path]) -> ImageList:
        """List the images of folders that are splits; without a test one, validation is it."""
        if "test" not in splits:
            [folder, *_] = splits["test"] = splits.pop("validation")
            self.notes.append(f"there is no test folder: {folder.name} is the test")
        whole = ImageList(self.root, (), (), ())
        for part in ("train", "validation", "test"):
            for folder in splits.get(part, []):
                inner, outside = self.content(folder)
                self.note_outside(outside)
                whole = _joined(whole, self.classes(folder, inner, part))
        chosen = {folder for of_part in splits.values() for folder in of_part}
        for folder in folders:
            if folder not in chosen:
                self._leave_out("no split", folder)
        return whole

    def content(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """List the folders and the images directly in a folder, by name."""
        folders, images = [], []
        for entry in self._entries(folder):
            path = Path(entry.path)
            kind = self._kind(entry, path)
            if kind == "folder":
                folders.append(path)
            elif kind == "image":
                images.append(path)
            else:
                self._leave_out(kind, path)
        return folders, images

    def below(self, folder: Path) -> Iterator[Path]:
        """Give the images at any depth below a folder, those directly in it first."""
        folders, images = self.content(folder)
        yield from images
        for inner in folders:
            yield from self.below(inner)

    def note_outside(self, images: list[Path]) -> None:
        """Leave out images that lie in no class folder."""
        for path in images:
            self._leave_out("outside", path)

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if folder == self.root:
                raise RecallkitError(
                    f"{folder} cannot be opened ({error.strerror}). Get the right to read it."
                ) from error
            self._leave_out("cannot be opened", folder)
            return []

    def _kind(self, entry: os.DirEntry[str], path: Path) -> str:
        """Tell "folder", "image", or why an entry is left out: a reason, or its suffix."""
        if is_hidden(entry.name):
            return "hidden"
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError:  # a link to itself
            is_folder = is_file = False
        if is_folder:
            return "folder" if self._is_new(entry, path) else "linked"
        if not is_file:
            return "broken"
        suffix = path.suffix.lower().rstrip()
        return "image" if suffix in SUFFIXES else suffix or "no suffix"

    def _is_new(self, entry: os.DirEntry[str], path: Path) -> bool:
        """Tell whether a folder is to be read: links into and around ``root`` are not."""
        real, root = Path(os.path.realpath(path)), self._real_root
        inside = entry.is_symlink() and real.is_relative_to(root)
        if inside or real in self._seen or root.is_relative_to(real):
            return False
        self._seen.add(real)
        return True

    def _leave_out(self, reason: str, path: Path) -> None:
        self.left[reason].append(path.relative_to(self.root).as_posix())

    def phrases(self) -> tuple[str, ...]:
        """Say what is left out and why, a phrase for each reason."""
        suffixes = [key for key in sorted(self.left) if key.startswith(".")]
        unread = [s for s in suffixes if s in _OTHER_FORMATS | _ARCHIVES]
        return (
            *(f"{len(self.left[suffix]):,} {suffix} ({_remedy(suffix)})" for suffix in unread),
            *self._no_images([suffix for suffix in suffixes if suffix not in unread]),
            *(
                text.format(_counted(self.left[reason], one, many), quoted(self.left[reason]))
                for reason, (one, many, text) in _REASONS.items()
                if self.left[reason]
            ),
        )

    def _no_images(self, suffixes: list[str]) -> list[str]:
        if not suffixes:
            return []
        paths = [path for suffix in suffixes for path in self.left[suffix]]
        each = ", ".join(f"{suffix} {len(self.left[suffix]):,}" for suffix in suffixes[:8])
        more = ", …" if len(suffixes) > 8 else ""
        return [f"{_counted(paths, 'file', 'files')} of no image format ({each}{more})"]


_REASONS = {  # reason → one, many, phrase
    "no suffix": ("file", "files", "{} without a suffix ({}: an image needs one, such as .jpg)"),
    "hidden": ("hidden file or folder", "hidden files or folders", "{} ({})"),
    "outside": ("image", "images", "{} outside of a class folder ({})"),
    "empty": ("class", "classes", "{} without images ({})"),
    "no split": ("folder", "folders", "{} beside train and test ({})"),
    "linked": ("link", "links", "{} to a folder that is read already ({})"),
    "broken": ("broken link or special file", "broken links or special files", "{} ({})"),
    "cannot be opened": ("folder", "folders", "{} that cannot be opened, for want of rights ({})"),
}


def _counted(paths: Sequence[str], one: str, many: str) -> str:
    return f"{len(paths):,} {one if len(paths) == 1 else many}"


def _remedy(suffix: str) -> str:
    if suffix in _ARCHIVES:
        return "an archive: unpack it"
    return "not a format that is read: convert to .jpg or .png"


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder of this name is hidden, or left behind by a file manager."""
    return name.startswith(".") or name.lower() in _LEFT_BEHIND


def _joined(one: ImageList, other: ImageList) -> ImageList:
    fields = ("paths", "classes", "names", "parts")
    return replace(one, **{name: getattr(one, name) + getattr(other, name) for name in fields})


def check_distinct(names: Iterable[str], source: Path) -> None:
    """Check that no two names of classes are one in two spellings.

    Raises:
        RecallkitError: naming both, and the source that they are in.
    """
    spelt: dict[str, str] = {}
    for name in sorted(set(names)):
        key = unicodedata.normalize("NFKC", name).casefold().strip()
        if (other := spelt.setdefault(key, name)) != name:
            raise RecallkitError(
                f"{source} has duplicate classes: {other!r} and {name!r} differ in spelling only. "
                f"Give their images one class, or rename one of them."
            )

"""The list files of a benchmark: which image shows what, and errors that name file and line."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recallkit.errors import RecallkitError


@dataclass(frozen=True)
class Listing:
    """The images of one list: those for training, for a test, the queries, or the gallery.

    Attributes:
        file: that lists them.
        paths: of the images, relative to the root, "/" between folders.
        classes: the class of each image; empty where there are no classes.
        lines: the line of ``file`` that names each image, from 1.

    Raises:
        RecallkitError: an image is listed twice.
    """

    file: Path
    paths: tuple[str, ...]
    classes: tuple[str, ...]
    lines: Sequence[int]

    def __post_init__(self) -> None:
        if len(set(self.paths)) < len(self.paths):
            seen: set[str] = set()
            for path, line in zip(self.paths, self.lines, strict=True):
                if path in seen:
                    raise RecallkitError(f"{self.file}, line {line}: {path} is listed twice")
                seen.add(path)

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class Search:
    """One search that is measured.

    Attributes:
        queries: the images that are searched with.
        gallery: the images that are searched; None: the queries themselves.
    """

    queries: Listing
    gallery: Listing | None = None


@dataclass(frozen=True)
class Lists:
    """The images that the list files of a benchmark with classes name.

    Attributes:
        train: the training images.
        searches: name → what is measured; the name "" if there is only one.

    Raises:
        RecallkitError: a class is for training and for test.
    """

    train: Listing
    searches: dict[str, Search] = field(default_factory=dict)

    def __post_init__(self) -> None:
        trained = set(self.train.classes)
        for name, images in self.listings().items():
            if name != "train" and (both := trained.intersection(images.classes)):
                raise RecallkitError(
                    f"{len(both)} classes are in both {self.train.file} (train) and {images.file} "
                    f"({name}), the first is {min(both)}. Download the list files again."
                )

    def listings(self) -> dict[str, Listing]:
        """Name every list as the counts of the benchmark do."""
        named = {"train": self.train}
        for name, search in self.searches.items():
            if search.gallery is None:
                named[name or "test"] = search.queries
            else:
                named |= {"query": search.queries, "gallery": search.gallery}
        return named


def read_rows(path: Path, columns: int, header: Sequence[str] = ()) -> list[list[str]]:
    """Read the words of each line after the header.

    Args:
        path: a text file in UTF-8.
        columns: how many words each line must have.
        header: how the first lines must look, their words joined by one space; "*" is any.

    Raises:
        RecallkitError: naming the file, and the number of a line that is not as expected.
    """
    lines = read_text(path).rstrip().splitlines()
    for number, expected in enumerate(header, 1):
        text = " ".join(lines[number - 1].split()) if len(lines) >= number else ""
        if expected not in ("*", text):
            raise bad_line(path, number, f"expected {expected!r}, found {text!r}")
    rows = [line.split() for line in lines[len(header) :]]
    for number, row in enumerate(rows, len(header) + 1):
        if len(row) != columns:
            raise bad_line(path, number, f"expected {columns} words, found {len(row)}")
    if not rows:
        raise RecallkitError(f"{path} lists nothing: it is empty or truncated. Download it again.")
    return rows


def read_words(path: Path) -> list[str]:
    """Read the one word of each line, as :func:`read_rows` of one column does, but faster."""
    text = read_text(path).rstrip()
    words, lines = text.split(), text.splitlines()
    if not words or len(words) != len(lines) or "" in lines:
        return [row[0] for row in read_rows(path, 1)]  # which names the line
    return words


def read_text(path: Path) -> str:
    """Read the text of a list file.

    Raises:
        RecallkitError: naming the file, if it is missing or is not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecallkitError(f"{path} is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecallkitError(
            f"{path} cannot be read as text ({error}). Download it again."
        ) from error


def bad_line(path: Path, number: int, why: str) -> RecallkitError:
    """Make the error of line ``number`` of a list file."""
    return RecallkitError(f"{path}, line {number}: {why}. Download the file again.")


def listing(
    file: Path, paths: Iterable[str], classes: Iterable[str], lines: Sequence[int]
) -> Listing:
    """Make a listing whose paths stay below the root.

    Raises:
        RecallkitError: a path would leave the root, or an image is listed twice.
    """
    paths = tuple(paths)
    for path, line in zip(paths, lines, strict=True):
        if path[0] == "/" or (".." in path and ".." in path.split("/")):
            raise bad_line(file, line, f"{path} leads out of the folder")
    return Listing(file, paths, tuple(classes), lines)


def numbers(file: Path, rows: Sequence[Sequence[str]], column: int, first_line: int) -> list[int]:
    """Read column ``column`` as integers.

    Raises:
        RecallkitError: naming the line of a word that is not a whole number.
    """
    try:
        return [int(row[column]) for row in rows]
    except ValueError:
        for line, row in enumerate(rows, first_line):
            if not row[column].lstrip("-").isdigit():
                raise bad_line(file, line, f"{row[column]!r} is not a whole number") from None
        raise


def not_on_disk(root: Path, images: Listing) -> list[int]:
    """List the places in ``images`` of those that are not files below ``root``."""
    by_folder: dict[str, list[int]] = defaultdict(list)
    for place, path in enumerate(images.paths):
        by_folder[path.rpartition("/")[0]].append(place)
    missing: list[int] = []
    for folder, places in by_folder.items():
        try:  # each folder is listed once: much faster than asking for each file
            names = set(os.listdir(root / folder))
        except OSError:
            names = set()
        missing += [i for i in places if images.paths[i].rpartition("/")[2] not in names]
    return sorted(missing)

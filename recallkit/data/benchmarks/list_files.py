"""The list files of a benchmark: which image shows what, line by line, and what can be wrong."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recallkit.errors import RecallkitError


@dataclass(frozen=True)
class Listing:
    """The images of one part of a data set.

    Attributes:
        file: that lists them.
        paths: of the images, relative to the root, "/" between folders.
        classes: what each image shows; empty where there are no classes.
        lines: where in ``file`` each image stands, from 1.
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
                    raise RecallkitError(f"{self.file}, line {line}: {path} stands there twice")
                seen.add(path)

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class Test:
    """One search that is measured: queries among the gallery; if that is None, all among all."""

    __test__ = False  # not a test case

    queries: Listing
    gallery: Listing | None = None


@dataclass(frozen=True)
class Lists:
    """What the list files of a benchmark say.

    Attributes:
        train: the training images.
        tests: name → what is measured; the name "" if there is only one.

    Raises:
        RecallkitError: a class is for training and for test.
    """

    train: Listing
    tests: dict[str, Test] = field(default_factory=dict)

    def __post_init__(self) -> None:
        trained = set(self.train.classes)
        for name, part in self.parts().items():
            if name != "train" and (both := trained.intersection(part.classes)):
                raise RecallkitError(
                    f"{len(both)} classes are in both {self.train.file} (train) and {part.file} "
                    f"({name}), the first is {min(both)}. Get the list files anew."
                )

    def parts(self) -> dict[str, Listing]:
        """Every list under the name its counts have."""
        named = {"train": self.train}
        for name, test in self.tests.items():
            both = {"query": test.queries, "gallery": test.gallery}
            named |= both if test.gallery is not None else {name or "test": test.queries}
        return named


def read_rows(path: Path, columns: int, header: Sequence[str] = ()) -> list[list[str]]:
    """The words of each line after the header.

    Args:
        path: a text file in UTF-8.
        columns: words a line.
        header: how the first lines must look, each as its words joined by one space; "*" is any.

    Raises:
        RecallkitError: naming the file and, of a line that is not so, its number.
    """
    lines = read_text(path).rstrip().splitlines()
    for number, expected in enumerate(header, 1):
        found = " ".join(lines[number - 1].split()) if len(lines) >= number else ""
        if expected not in ("*", found):
            raise bad_line(path, number, f"expected {expected!r}, found {found!r}")
    rows = [line.split() for line in lines[len(header) :]]
    for number, row in enumerate(rows, len(header) + 1):
        if len(row) != columns:
            raise bad_line(path, number, f"expected {columns} words, found {len(row)}")
    if not rows:
        raise RecallkitError(f"{path} lists nothing: it is empty or was cut short. Get it anew.")
    return rows


def read_words(path: Path) -> list[str]:
    """The one word of each line; as :func:`read_rows` of one column, but fast for long lists."""
    text = read_text(path).rstrip()
    words, lines = text.split(), text.splitlines()
    if not words or len(words) != len(lines) or "" in lines:
        return [row[0] for row in read_rows(path, 1)]  # which names the line
    return words


def read_text(path: Path) -> str:
    """The text of a list file.

    Raises:
        RecallkitError: naming the file, if it is missing or no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecallkitError(f"{path} is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecallkitError(f"{path} cannot be read as text ({error}). Get it anew.") from error


def bad_line(path: Path, number: int, why: str) -> RecallkitError:
    """The error of line ``number`` of a list file."""
    return RecallkitError(f"{path}, line {number}: {why}. Get the file anew.")


def listing(
    file: Path, paths: Iterable[str], classes: Iterable[str], lines: Sequence[int]
) -> Listing:
    """A listing whose paths stay below the root.

    Raises:
        RecallkitError: for a path that would leave the root, or an image that is listed twice.
    """
    paths = tuple(paths)
    suspects = [i for i, path in enumerate(paths) if ".." in path or path[0] == "/"]
    for i in suspects:
        if paths[i][0] == "/" or ".." in paths[i].split("/"):
            raise bad_line(file, lines[i], f"{paths[i]} leads out of the folder")
    return Listing(file, paths, tuple(classes), lines)


def numbers(file: Path, rows: Sequence[Sequence[str]], column: int, first_line: int) -> list[int]:
    """Column ``column`` as integers.

    Raises:
        RecallkitError: naming the line of what is none.
    """
    try:
        return [int(row[column]) for row in rows]
    except ValueError:
        for line, row in enumerate(rows, first_line):
            if not row[column].lstrip("-").isdigit():
                raise bad_line(file, line, f"{row[column]!r} is no whole number") from None
        raise


def not_on_disk(root: Path, images: Listing) -> list[int]:
    """The places in ``images`` of those that are no files below ``root``."""
    by_folder: dict[str, list[int]] = defaultdict(list)
    for place, path in enumerate(images.paths):
        by_folder[path.rpartition("/")[0]].append(place)
    missing: list[int] = []
    for folder, places in by_folder.items():
        try:  # one look at a folder, not one at each of its files
            there = set(os.listdir(root / folder))
        except OSError:
            there = set()
        missing += [i for i in places if images.paths[i].rpartition("/")[2] not in there]
    return sorted(missing)

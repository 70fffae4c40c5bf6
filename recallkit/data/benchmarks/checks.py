"""Checks that a benchmark is complete on the disk, and the remedy if it is not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recallkit.data.benchmarks.list_files import Listing, not_on_disk
from recallkit.data.benchmarks.registry import Benchmark, Contents
from recallkit.errors import RecallkitError


@dataclass(frozen=True)
class Check:
    """The result of a check.

    Attributes:
        lines: a summary to be printed, with instructions if something is missing.
        problems: why training or evaluation would be refused; empty if the data set is complete.
    """

    lines: tuple[str, ...]
    problems: tuple[str, ...]


def check(benchmark: Benchmark, root: Path) -> Check:
    """Compare the files below ``root`` with the lists and the published counts; open no image."""
    try:
        contents = read_lists(benchmark, root)
    except RecallkitError as error:
        return Check(instructions(benchmark, root), (str(error),))
    lines, problems = [], []
    for name, images in contents.listings().items():
        summary, differences = _compare(benchmark, root, name, images)
        lines.append(summary)
        problems += differences
    if problems:
        lines += instructions(benchmark, root)
    return Check(tuple(lines), tuple(problems))


def checked_lists(benchmark: Benchmark, root: Path) -> Contents:
    """Read the list files, and check them and the files that they list.

    Raises:
        RecallkitError: naming all that is wrong.
    """
    contents = read_lists(benchmark, root)
    problems = [
        problem
        for name, images in contents.listings().items()
        for problem in _compare(benchmark, root, name, images)[1]
    ]
    if problems:
        raise RecallkitError("\n  ".join([f"{benchmark.title} in {root}:", *problems]))
    return contents


def read_lists(benchmark: Benchmark, root: Path) -> Contents:
    """Read the list files in ``root``.

    Raises:
        RecallkitError: a missing folder or file; it names the folder that was perhaps meant.
    """
    if not root.is_dir():
        raise RecallkitError(f"there is no folder {root}")
    marks = benchmark.marks or (benchmark.layout[0].split(" ")[0],)
    if not _holds(root, marks):
        inner = [path.name for path in sorted(root.iterdir()) if _holds(path, marks)]
        hint = f"; but {root / inner[0]} has it: give that one as the root" if inner else ""
        raise RecallkitError(
            f"{root} is not {benchmark.title}: it has no {' or '.join(marks)}{hint}"
        )
    return benchmark.read(root)


def _holds(folder: Path, marks: Sequence[str]) -> bool:
    return folder.is_dir() and any((folder / name).exists() for name in marks)


def _compare(benchmark: Benchmark, root: Path, name: str, images: Listing) -> tuple[str, list[str]]:
    """Summarise a list in a line, and name what is wrong with it."""
    classes = len(set(images.classes)) if images.classes else None
    line, problems = f"{name}: {_count(len(images), classes)}", []
    expected = benchmark.counts[name]
    if (len(images), classes) != expected:
        known = _count(*expected)
        if benchmark.counts_from_memory:
            line += f" (from memory, unverified: {known})"
        else:
            problems.append(f"{images.file.name} lists {_count(len(images), classes)}, not {known}")
    missing = not_on_disk(root, images)
    if missing:
        place = missing[0]
        problems.append(
            f"{len(missing):,} of {len(images):,} images of {images.file.name} are not on disk, "
            f"the first is {images.paths[place]} (line {images.lines[place]})"
        )
    return line, problems


def _count(images: int, classes: int | None) -> str:
    return f"{images:,} images" + ("" if classes is None else f" of {classes:,} classes")


def instructions(benchmark: Benchmark, root: Path) -> tuple[str, ...]:
    """Say where to get the data set, and which folder layout is expected."""
    download = ("To download it, add --fetch.",) if benchmark.archive else ()
    return (
        f"{benchmark.title} comes from: {benchmark.source}",
        *download,
        f"Expected folder layout in {root}:",
        *(f"  {line}" for line in benchmark.layout),
    )

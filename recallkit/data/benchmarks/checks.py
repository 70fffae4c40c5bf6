"""Is a data set there, whole, and as it should lie? What is missing, and from whom to get it."""

from dataclasses import dataclass
from pathlib import Path

from recallkit.data.benchmarks.list_files import Listing, not_on_disk
from recallkit.data.benchmarks.registry import Benchmark, Contents
from recallkit.errors import RecallkitError


@dataclass(frozen=True)
class Check:
    """What was found.

    Attributes:
        lines: to be printed.
        problems: why training or evaluation would be refused; none if all is well.
    """

    lines: tuple[str, ...]
    problems: tuple[str, ...]


def check(benchmark: Benchmark, root: Path) -> Check:
    """Compare the tree below ``root`` with what is known of the data set. Opens no image."""
    try:
        contents = read_lists(benchmark, root)
    except RecallkitError as error:
        return Check(instructions(benchmark, root), (str(error),))
    lines, problems = [], []
    for name, part in contents.parts().items():
        found, differences = _compare(benchmark, root, name, part)
        lines.append(found)
        problems += differences
    if problems:
        lines += instructions(benchmark, root)
    return Check(tuple(lines), tuple(problems))


def checked_lists(benchmark: Benchmark, root: Path) -> Contents:
    """What the list files say, if nothing is wrong with them or with what they list.

    Raises:
        RecallkitError: naming all that is wrong, and where to get it right.
    """
    contents = read_lists(benchmark, root)
    problems = [
        problem
        for name, part in contents.parts().items()
        for problem in _compare(benchmark, root, name, part)[1]
    ]
    if problems:
        raise RecallkitError("\n  ".join([f"{benchmark.title} in {root}:", *problems]))
    return contents


def read_lists(benchmark: Benchmark, root: Path) -> Contents:
    """What the list files in ``root`` say.

    Raises:
        RecallkitError: a missing folder or file, with the folder that was perhaps meant.
    """
    if not root.is_dir():
        raise RecallkitError(f"there is no folder {root}")
    first = benchmark.layout[0].split(" ")[0]
    if not _holds(root, first):
        inner = [path.name for path in sorted(root.iterdir()) if _holds(path, first)]
        hint = f"; but {root / inner[0]} has it: give that one as the root" if inner else ""
        raise RecallkitError(f"{root} is not {benchmark.title}: it has no {first}{hint}")
    return benchmark.read(root)


def _holds(folder: Path, name: str) -> bool:
    return folder.is_dir() and (folder / name).exists()


def _compare(benchmark: Benchmark, root: Path, name: str, part: Listing) -> tuple[str, list[str]]:
    """A line on what was found of a part, and what is wrong with it."""
    classes = len(set(part.classes)) if part.classes else None
    line, problems = f"{name}: {_count(len(part), classes)}", []
    expected = benchmark.counts[name]
    if (len(part), classes) != expected:
        known = _count(*expected)
        if benchmark.counts_from_memory:
            line += f" (from memory, unverified: {known})"
        else:
            problems.append(f"{part.file.name} lists {_count(len(part), classes)}, not {known}")
    missing = not_on_disk(root, part)
    if missing:
        place = missing[0]
        problems.append(
            f"{len(missing):,} of {len(part):,} images of {part.file.name} are not on disk, the "
            f"first is {part.paths[place]} (line {part.lines[place]})"
        )
    return line, problems


def _count(images: int, classes: int | None) -> str:
    return f"{images:,} images" + ("" if classes is None else f" of {classes:,} classes")


def instructions(benchmark: Benchmark, root: Path) -> tuple[str, ...]:
    """What to get, from whom, and how it must lie."""
    fetched = ("It can be fetched: add --fetch.",) if benchmark.archive else ()
    return (
        f"{benchmark.title} comes from: {benchmark.source}",
        *fetched,
        f"It must lie so, below {root}:",
        *(f"  {line}" for line in benchmark.layout),
    )

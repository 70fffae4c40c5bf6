"""A copy of the course in a folder of the user's: new files come, changed ones stay.

Notebooks come in the version for students: without solutions, and without outputs after a question.
A hidden file in the copy records the hash of each file as it came. A file that still has that hash
was not changed by the user, so it may be replaced by a newer one.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from recallkit.course.assignments.handing_out import text_of
from recallkit.course.assignments.versions import student_version
from recallkit.errors import RecallkitError
from recallkit.files import embedded, read_json, write_atomically, write_json

RECORD = ".recallkit-course.json"
NOT_COPIED = {"__pycache__", "locale"}


@dataclass
class Copied:
    """The result of a copy, as paths relative to ``folder``.

    Attributes:
        folder: the user's.
        added: files that were not there.
        updated: files that the user had not changed, replaced by newer ones.
        kept: files that the user has changed, and that differ from those that come with recallkit.
        removed: files that an earlier course had and this one has not; the copies stay.
    """

    folder: Path
    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Describe the copy in a few lines."""
        counts = f"{len(self.added)} files added, {len(self.updated)} updated"
        yield f"the course is in {self.folder}: {counts}"
        if self.kept:
            yield f"kept as you changed them: {', '.join(self.kept)}"
        if self.removed:
            yield f"no longer in the course, and kept: {', '.join(self.removed)}"


def copy_course(folder: Path, source: Path | None = None) -> Copied:
    """Copy the course to ``folder``, and never overwrite what the user has changed there.

    Args:
        folder: the user's; it is made if need be.
        source: what to copy. The default: the notebooks that come with recallkit.

    Raises:
        RecallkitError: if ``folder`` is a file, or the source, or inside it, or cannot be written.
    """
    source = embedded("notebooks") if source is None else source
    for path in (folder, *folder.parents):
        if path.is_file():
            raise RecallkitError(f"{path} is a file. Name a folder for your copy of the course.")
    if folder.resolve().is_relative_to(source.resolve()):
        raise RecallkitError(f"{folder} holds the originals. Name another folder for your copy.")
    record = folder / RECORD
    stored = read_json(record) if record.exists() else {}
    came: dict[str, str] = stored if isinstance(stored, dict) else {}  # else all is kept
    copied, files = Copied(folder), _files(source)
    copied.removed = [name for name in came if name not in files and (folder / name).is_file()]
    for name in files:
        content = _content(source / name)
        _copy(content, folder / name, came.get(name), copied)
        if name not in copied.kept:
            came[name] = _hash(content)
    write_json(record, came)
    return copied


def _files(source: Path) -> list[str]:
    """Return the files below ``source`` without hidden ones, as relative paths."""
    paths = (path.relative_to(source) for path in source.rglob("*") if path.is_file())
    visible = (path for path in paths if not any(part.startswith(".") for part in path.parts))
    return sorted(path.as_posix() for path in visible if not {*path.parts} & NOT_COPIED)


def _content(path: Path) -> bytes:
    """The content of a file as a student gets it."""
    if path.suffix != ".ipynb":
        return path.read_bytes()
    import nbformat

    return text_of(student_version(nbformat.read(path, as_version=4))).encode()


def _copy(content: bytes, copy: Path, came: str | None, copied: Copied) -> None:
    name = copy.relative_to(copied.folder).as_posix()
    there = _hash(copy.read_bytes()) if copy.exists() else None
    if there == _hash(content):
        return
    if there is not None and there != came:
        copied.kept.append(name)
        return
    write_atomically(copy, lambda temporary: temporary.write_bytes(content))
    (copied.added if there is None else copied.updated).append(name)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

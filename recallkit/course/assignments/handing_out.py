"""Write releases and the instructor's notebooks; overwrite nothing that differs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recallkit.course.assignments.versions import instructor_version, release_version
from recallkit.course.notebooks import find_notebooks
from recallkit.course.trust import trust_notebooks
from recallkit.errors import RecallkitError
from recallkit.files import write_atomically

if TYPE_CHECKING:
    from nbformat import NotebookNode


def write_release(session: str, folder: Path) -> Path:
    """Write the exercises of a session as a notebook of their own, and return its path.

    Args:
        session: the beginning of the notebook's name, "01".
        folder: it is made if need be.

    Raises:
        RecallkitError: if there is no such session, or another file is in the way.
    """
    import nbformat

    path = find_notebooks([session])[0]
    notebook = nbformat.read(path, as_version=4)
    out = folder / f"{path.stem}_exercises.ipynb"
    write_new(release_version(notebook, path.stem[:2]), out)
    return out


def write_solutions(sessions: Sequence[str], folder: Path) -> list[Path]:
    """Write notebooks with their solutions open, and return their paths.

    Args:
        sessions: the beginnings of their names; none: all.
        folder: it is made if need be.

    Raises:
        RecallkitError: if there is no such session, or another file is in the way.
    """
    import nbformat

    written = []
    for path in find_notebooks(sessions):
        out = folder / path.name
        write_new(instructor_version(nbformat.read(path, as_version=4)), out)
        written.append(out)
    trust_notebooks(written)
    return written


def text_of(notebook: "NotebookNode") -> str:
    """Return a notebook as the text of its file."""
    import nbformat

    return nbformat.writes(notebook).rstrip("\n") + "\n"


def write_new(notebook: "NotebookNode", path: Path) -> None:
    """Write a notebook where none is, or the same.

    Raises:
        RecallkitError: if another file is there.
    """
    text = text_of(notebook)
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise RecallkitError(f"{path} is there and differs. Name another folder: --to DIR")
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))

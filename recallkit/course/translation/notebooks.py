"""Notebooks in another language: their texts, and the words of their explorables."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from recallkit.course.stored_widgets import STATE
from recallkit.course.translation.explorable_words import translated_words
from recallkit.course.translation.languages import ENGLISH, find_language
from recallkit.course.translation.markdown import Say, translate_markdown
from recallkit.files import embedded

if TYPE_CHECKING:
    from nbformat import NotebookNode


def translate_notebook(notebook: "NotebookNode", say: Say) -> "NotebookNode":
    """Translate a notebook in place, and return it.

    These are its Markdown, the texts that describe its figures, and the words of its explorables.
    Code and outputs stay.
    """
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = translate_markdown(cell.source, say)
        elif alt := cell.metadata.get("alt"):
            cell.metadata["alt"] = say(alt) if isinstance(alt, str) else [say(one) for one in alt]
    for model in stored_models(notebook):
        if words := translated_words(model["_esm"], say):
            model["words"] = words | model["words"]
    return notebook


def stored_models(notebook: "NotebookNode") -> list[dict[str, Any]]:
    """Return the states of the explorables that a notebook keeps."""
    models = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    states = [model["state"] for model in models.values()]
    return [state for state in states if "_esm" in state and "words" in state]


@contextmanager
def course_in(code: str) -> Iterator[Path]:
    """Give the folder of the course in a language: the originals, or a translated copy.

    Raises:
        RecallkitError: if there are no catalogues of the language.
    """
    source = embedded("notebooks")
    language = find_language(code, source)
    if code == ENGLISH:
        yield source
        return
    with TemporaryDirectory() as place:
        _write_translated(source, Path(place) / "notebooks", language)
        yield Path(place) / "notebooks"


def _write_translated(source: Path, folder: Path, say: Say) -> None:
    import nbformat

    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("locale", ".*", "__pycache__"))
    for path in folder.glob("*.ipynb"):
        nbformat.write(translate_notebook(nbformat.read(path, as_version=4), say), path)
    for path in folder.rglob("*.md"):
        text = translate_markdown(path.read_text(encoding="utf-8"), say)
        path.write_text(text, encoding="utf-8")

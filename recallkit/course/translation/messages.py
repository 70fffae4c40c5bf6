"""All messages of the course, by catalogue; and a catalogue with the messages of today."""

from io import SEEK_END, BytesIO
from pathlib import Path

import nbformat

from recallkit.course.book.citation import citation_message
from recallkit.course.book.sources import page_text
from recallkit.course.book.words import FIXED, OWN, lecture_words, theme_words
from recallkit.course.notebooks import find_notebooks
from recallkit.course.translation.explorable_words import words_of_module
from recallkit.course.translation.notebooks import stored_models, translate_notebook
from recallkit.files import PACKAGE

LINE = 120
"""Letters of a line of a catalogue, as of the pages."""

HEADER = """\
msgid ""
msgstr ""
"Language: {code}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""
"""What editors of catalogues want to know; no times, so that a renewed catalogue stays the same."""


class Noted(list[str]):
    """The messages that were asked for, each once. Called like a language, it changes none."""

    def __call__(self, message: str) -> str:
        """Note a message, and return it."""
        if message not in self:
            self.append(message)
        return message


def messages_by_catalogue(notebooks: Path) -> dict[str, list[str]]:
    """Return the messages of the course by the names of their catalogues.

    Args:
        notebooks: the folder of the notebooks.
    """
    found = {path.stem: _of_notebook(path) for path in find_notebooks(folder=notebooks)}
    front = _of_pages([notebooks / "README.md"])
    guide = _of_pages(sorted((notebooks / "guide").glob("*.md")))
    book = Noted([*OWN, *lecture_words().values(), *FIXED, *theme_words(), citation_message()])
    return {**found, "front": front, "guide": guide, "explorables": _of_explorables(), "book": book}


def _of_notebook(path: Path) -> list[str]:
    notebook = nbformat.read(path, as_version=4)
    for model in stored_models(notebook):
        model["_esm"] = ""  # its words are in a catalogue of their own
    noted = Noted()
    translate_notebook(notebook, noted)
    return noted


def _of_pages(paths: list[Path]) -> list[str]:
    noted = Noted()
    for path in paths:
        page_text(path.read_text(encoding="utf-8"), noted)
    return noted


def _of_explorables() -> list[str]:
    noted = Noted()
    for path in sorted((PACKAGE / "course/explorables").rglob("*.js")):
        for text in words_of_module(path.read_text(encoding="utf-8")).values():
            noted(text)
    return noted


def renewed(path: Path, messages: list[str], language: str) -> tuple[bytes, int]:
    """Return a catalogue with these messages, and how many of them have no translation.

    Args:
        path: the catalogue; it may be missing.
        messages: what it should hold, in this order.
        language: its code.
    """
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po, write_po

    template, catalogue = Catalog(), Catalog()
    for message in messages:
        template.add(message)
    if path.exists():
        catalogue = read_po(BytesIO(path.read_bytes()))
    catalogue.update(template)
    catalogue.obsolete.clear()
    text = BytesIO(HEADER.format(code=language.replace("-", "_")).encode())
    text.seek(0, SEEK_END)
    write_po(text, catalogue, width=LINE, omit_header=True)
    left = sum(1 for message in catalogue if message.id and (message.fuzzy or not message.string))
    return text.getvalue(), left

"""Lecture mode: chapters as steps on a screen, by a script and a style on their own pages.

``static/lecture.js`` does it when the URL's hash is ``#lecture``. Here is what it finds in a page:
the link that begins it, and takeaways marked as notes for the speaker.
"""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

FOLDER = "lecture"
"""The folder of the book with a page for each chapter that opens it as a lecture."""

TAKEAWAY = re.compile(r"What the (?:figures?|tables?|numbers) says?\.|\d+ \w+ 20\d\d\.")
LINK = (
    '<p class="lecture-link" id="lecture"><a href="#lecture" '
    'title="This page in steps, each as large as the screen">Lecture</a></p>'
)
OPENER = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="0; url={chapter}#lecture">
<title>Lecture</title>
</head>
<body><main><h1><a href="{chapter}#lecture">Lecture</a></h1></main></body>
</html>
"""


def connect(app: Sphinx) -> None:
    """Register with Sphinx what the pages of chapters get."""
    app.connect("doctree-read", _prepare_chapter)
    app.connect("html-page-context", _add_script)


def write_openers(pages: Path, chapters: list[str]) -> None:
    """Write a page for each chapter that opens it as a lecture.

    A browser that is told to open a file drops what follows ``#``. These pages keep it.

    Args:
        pages: the folder of the book.
        chapters: the names of their pages, without ``.html``.
    """
    (pages / FOLDER).mkdir()
    for chapter in chapters:
        text = OPENER.format(chapter=f"../{chapter}.html")
        lecture_page(pages, chapter).write_text(text, encoding="utf-8")


def lecture_page(book: Path, chapter: str) -> Path:
    """Return the page that opens a chapter as a lecture.

    Args:
        book: the folder of the book.
        chapter: the name of its page, without ``.html``.
    """
    return book / FOLDER / f"{chapter}.html"


def _is_chapter(app: Sphinx, name: str) -> bool:
    return name in app.env.found_docs and app.env.doc2path(name).suffix == ".ipynb"


def _prepare_chapter(app: Sphinx, document: nodes.document) -> None:
    """Put the link below the title, and mark takeaways."""
    if not _is_chapter(app, app.env.docname):
        return
    for paragraph in document.findall(nodes.paragraph):
        first = next((part for part in paragraph.children if part.astext()), None)
        if isinstance(first, nodes.strong) and TAKEAWAY.fullmatch(first.astext()):
            paragraph["classes"].append("takeaway")
    title = next(iter(document.findall(nodes.title)))
    title.parent.insert(title.parent.index(title) + 1, nodes.raw("", LINK, format="html"))


def _add_script(
    app: Sphinx, name: str, template: str, context: dict[str, Any], document: nodes.document | None
) -> None:
    if _is_chapter(app, name):
        app.add_css_file("lecture.css")
        app.add_js_file("lecture.js", loading_method="defer")

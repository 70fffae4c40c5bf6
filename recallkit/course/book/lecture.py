"""Lecture mode: chapters as steps on a screen, by a script and a style on their own pages.

``static/lecture.js`` does it when the URL's hash is ``#lecture``. Here is what it finds in a page:
the link that begins it, and its words in the language of the book. Takeaways, the notes for the
speaker, have a class already.
"""

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from recallkit.course.book import words
from recallkit.course.translation import Language

FOLDER = "lecture"
"""The folder of the book with a page for each chapter that opens it as a lecture."""

LINK = '<p class="lecture-link" id="lecture"><a href="#lecture" title="{title}">{lecture}</a></p>'
OPENER = """\
<!DOCTYPE html>
<html lang="{code}" dir="{direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="0; url={chapter}#lecture">
<title>{lecture}</title>
</head>
<body><main><h1><a href="{chapter}#lecture">{lecture}</a></h1></main></body>
</html>
"""


def connect(app: Sphinx) -> None:
    """Register with Sphinx what the pages of chapters get."""
    app.connect("doctree-read", _prepare_chapter)
    app.connect("html-page-context", _add_script)


def write_openers(pages: Path, chapters: list[str], language: Language) -> None:
    """Write a page for each chapter that opens it as a lecture.

    A browser that is told to open a file drops what follows ``#``. These pages keep it.

    Args:
        pages: the folder of the book.
        chapters: the names of their pages, without ``.html``.
        language: of the book.
    """
    (pages / FOLDER).mkdir()
    for chapter in chapters:
        text = OPENER.format(
            chapter=f"../{chapter}.html",
            code=language.code,
            direction=language.direction,
            lecture=language(words.LECTURE),
        )
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
    """Put the link below the title."""
    if not _is_chapter(app, app.env.docname):
        return
    say = app.config.recallkit_language
    link = LINK.format(title=say(words.LECTURE_TITLE), lecture=say(words.LECTURE))
    title = next(iter(document.findall(nodes.title)))
    title.parent.insert(title.parent.index(title) + 1, nodes.raw("", link, format="html"))


def _add_script(
    app: Sphinx, name: str, template: str, context: dict[str, Any], document: nodes.document | None
) -> None:
    if _is_chapter(app, name):
        say = app.config.recallkit_language
        spoken = {key: say(text) for key, text in words.lecture_words().items()}
        app.add_js_file(None, body=f"const lectureWords = {json.dumps(spoken)};")
        app.add_css_file("lecture.css")
        app.add_js_file("lecture.js", loading_method="defer")

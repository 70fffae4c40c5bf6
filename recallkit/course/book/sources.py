"""The sources of the book: pages and notebooks as Sphinx reads them, in one folder."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import nbformat

from recallkit.course.book.citation import citation_page
from recallkit.course.book.front_page import front_page
from recallkit.course.book.notebook_pages import cover_of, prepare
from recallkit.course.book.reference import reference_pages
from recallkit.course.notebooks import find_notebooks
from recallkit.course.translation import Say, translate_markdown
from recallkit.errors import RecallkitError

COMMENT = re.compile(r"(`[^`\n]*`)|<!--.*?-->", re.DOTALL)  # not what inline code says
NAMED_BY_FILE = re.compile(r"\[([\w-]+\.md)\]\((?:\1)\)")
FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)


def write_sources(notebooks: Path, folder: Path, say: Say) -> None:
    """Write what Sphinx reads.

    Args:
        notebooks: the folder of the notebooks, with README.md, ``figures`` and ``guide``.
        folder: where to write. It is made.
        say: message → text in the language of the book.

    Raises:
        RecallkitError: if README.md has no row for a notebook, or a row for none; or if no figure,
            or more than one, is tagged as the cover.
    """
    shutil.copytree(notebooks / "guide", folder / "guide")
    shutil.copytree(notebooks / "figures", folder / "figures")
    paths = find_notebooks(folder=notebooks)
    _write_notebooks(paths, folder, say)
    for path in (folder / "guide").glob("*.md"):
        path.write_text(page_text(path.read_text(encoding="utf-8"), say), encoding="utf-8")
    readme = page_text((notebooks / "README.md").read_text(encoding="utf-8"), say)
    pages = {"index.md": front_page(readme, paths, guide_order(notebooks / "guide"), say)}
    pages |= {"cite.md": citation_page(say), **reference_pages(say)}
    for name, text in pages.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def _write_notebooks(paths: Sequence[Path], folder: Path, say: Say) -> None:
    """Write the prepared notebooks, and the figure of the front page from the one that has it."""
    covers = []
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        covers += cover_of(notebook)
        nbformat.write(prepare(notebook, say), folder / path.name)
    if len(covers) != 1:
        raise RecallkitError(f"{len(covers)} cells of the notebooks have the tag 'cover', not one")
    (folder / "cover.png").write_bytes(covers[0])


def page_text(text: str, say: Say) -> str:
    """Return a page, translated and without its comments, for readers who see pages and no files.

    Links lead to the first page of the book instead of README.md. A link whose text is the name of
    a file gets the title of its page.
    """
    parts = FENCED.split(text)
    for number in range(0, len(parts), 2):
        part = COMMENT.sub(r"\1", parts[number]).replace("](../README.md", "](../index.md")
        parts[number] = NAMED_BY_FILE.sub(r"[](\1)", part)
    return translate_markdown("".join(parts), say)


def guide_order(folder: Path) -> list[str]:
    """Return the names of the guide's pages: its README first, then in the order of its links."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([\w-]+)\.md\)", text)
    known = sorted(path.stem for path in folder.glob("*.md"))
    return list(dict.fromkeys(["README", *(name for name in linked if name in known), *known]))

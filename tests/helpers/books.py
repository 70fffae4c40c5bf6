"""The books, each built once for all tests: the whole one, and a chapter in a pseudo-language."""

import importlib
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import nbformat
import pytest
from filelock import FileLock
from helpers.processes import untraced

from recallkit.files import embedded

COURSE = embedded("notebooks")

# Show all answers of a chapter, from the next time that it is opened.
ALL_ANSWERS = r"""
const chapter = location.pathname.split('/').at(-1).replace(/\.\w+$/, '');
localStorage.setItem(`recallkit predictions: ${chapter}`, '{"answers": {}, "all": true}');
"""
OFFLINE = """
import socket, sys

def refuse(*arguments, **options):
    raise OSError("there is no network in this test")

socket.socket.connect = socket.getaddrinfo = refuse
from recallkit import cli
cli.main(["book", "--out", sys.argv[1]])
"""


def build_once(folder, name, build):
    """Call ``build`` with a place in ``folder`` unless another process of these tests has.

    Args:
        folder: that all of them share.
        name: of the book.
        build: :func:`whole` or :func:`pseudo`.
    """
    book = folder / name
    with FileLock(f"{book}.lock"):
        if not book.exists():
            build(book)
    return book


def whole(book):
    """Build the book by the command, without a network."""
    command = [sys.executable, "-c", OFFLINE, str(book)]
    done = subprocess.run(command, env=untraced(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"the book is in {book}. Open ")


def pseudo(book):
    """Build a book of one chapter in the pseudo-language that is written from the right."""
    from recallkit.course.book import build_book, reference

    modules = [importlib.import_module("recallkit.labels")]
    with TemporaryDirectory(dir=book.parent) as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "public_modules", lambda: modules)
        course = one_chapter(Path(folder) / "course")
        build_book(book, notebooks=course, language="ar-XB", progress=False)


def show_answers(browser, chapter, every):
    """Show the answers of all predictions of a chapter, which is open, or none."""
    browser.execute_script(_keep(chapter, every))
    browser.refresh()


def open_with_answers(browser, url, every):
    """Open a chapter with the answers of all its predictions, or of none: it is loaded once."""
    keep = {"source": _keep(PurePosixPath(urlsplit(url).path).stem, every)}
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", keep)
    browser.get(url)
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def _keep(chapter, every):
    name, kept = f"recallkit predictions: {chapter}", json.dumps({"answers": {}, "all": every})
    return f"localStorage.setItem({json.dumps(name)}, {json.dumps(kept)})"


class Page(HTMLParser):
    """A page: its elements with their attributes, and its ids."""

    def __init__(self, path):
        super().__init__()
        self.path, self.elements, self.ids = path, [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Keep an element."""
        self.elements.append((tag, dict(attrs)))
        self.ids |= {value for name, value in attrs if name == "id"}

    def all(self, tag):
        """The attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def one_chapter(folder):
    """A course with the cells of session 01 as its only session, and a guide of one page."""
    cells = nbformat.read(COURSE / "01_relaxed_ranking.ipynb", as_version=4)
    drawn = [cell for cell in cells.cells if "image/png" in str(cell.get("outputs"))]
    drawn[0].metadata["tags"] = [*drawn[0].metadata.get("tags", []), "cover"]
    for cell in cells.cells:
        cell.source = re.sub(r"\]\(\d\d_\w+\.ipynb", "](00_quickstart.ipynb", cell.source)
    (folder / "guide").mkdir(parents=True)
    shutil.copytree(COURSE / "figures", folder / "figures")
    nbformat.write(cells, folder / "00_quickstart.ipynb")
    rows = (COURSE / "README.md").read_text(encoding="utf-8").splitlines(keepends=True)
    [row] = [row for row in rows if row.startswith('| <img src="figures/00')]
    table = f"| a | b | c | d | e |\n| - | - | - | - | - |\n{row}"
    readme = f"# Small\n\n{table}\nand [guide](guide/README.md)\n"
    (folder / "README.md").write_text(readme, encoding="utf-8")
    guide = (
        "# The guide\n\n## How to read\n\nSee [how](#how-to-read), or `code`:\n\n```sh\nls\n```\n"
    )
    (folder / "guide" / "README.md").write_text(guide, encoding="utf-8")
    return folder


class Prose(HTMLParser):
    """What a page says to its readers: texts and attributes, without code, formulas and outputs."""

    SILENT = ("code", "math", "pre", "script", "style", "svg")
    ALONE = ("br", "hr", "img", "input", "link", "meta", "wbr")

    def __init__(self, path):
        super().__init__()
        self.open, self.texts = [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Keep what an element is called, and note whether it is silent."""
        given = dict(attrs)
        self._say(*(given.get(name) for name in ("alt", "title", "aria-label", "placeholder")))
        if tag not in self.ALONE:
            output = "cell_output" in (given.get("class") or "")
            self.open.append((tag, output or tag in self.SILENT))

    def handle_endtag(self, tag):
        """Close the elements up to this one."""
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        """Keep a text."""
        self._say(data)

    def _say(self, *texts):
        if not any(silent for _, silent in self.open):
            self.texts += [" ".join(text.split()) for text in texts if text]

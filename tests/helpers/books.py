"""The book, built once for all tests, without a network."""

import subprocess
import sys
from html.parser import HTMLParser

from filelock import FileLock

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


def build_once(folder):
    """Build the book in ``folder`` unless another process of these tests has; return its folder."""
    book = folder / "book"
    with FileLock(folder / "book.lock"):
        if not book.exists():
            command = [sys.executable, "-c", OFFLINE, str(book)]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith(f"the book is in {book}. Open ")
    return book


def show_answers(browser, chapter, every):
    """Show the answers of all predictions of a chapter, which is open, or none."""
    kept = {"answers": {}, "all": every}
    script = "localStorage.setItem(arguments[0], JSON.stringify(arguments[1]))"
    browser.execute_script(script, f"recallkit predictions: {chapter}", kept)
    browser.refresh()


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

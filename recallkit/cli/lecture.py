"""The subcommand ``lecture``."""

import webbrowser
from pathlib import Path

from tyro.conf import Positional

from recallkit.errors import RecallkitError
from recallkit.files import expanded


def lecture(chapter: Positional[str], out: Path = Path("book"), browser: bool = True) -> None:
    """Open a chapter of the book in steps, as a lecture.

    The book is built where the folder has none, or one of another version. After a change of the
    notebooks, recallkit book builds it again.

    Each step is as large as the screen, and the figures stay live. The arrows, space, page up and
    down, home and end move between the steps, and so does a swipe. C unfolds the code of a step. S
    opens a window for the speaker, with the takeaways, the next step and a clock; N shows them in
    the page. F fills the screen. Escape leaves to the page, at the same place. A key that is
    pressed in a control belongs to the control, until Escape.

    Examples:
      recallkit lecture 01
      recallkit lecture 06_batch_size --out public
      recallkit lecture 01 --no-browser    (builds, and tells what to open)

    Args:
        chapter: how the name of its notebook begins.
        out: the folder of the book.
        browser: --no-browser opens none.
    """
    page = _opener(chapter, expanded(out))
    print(f"the lecture is in {page}. Its steps move with the arrow keys; Escape leaves.")
    if browser and not webbrowser.open(page.resolve().as_uri()):
        print(f"no browser was found. Open {page} in one.")


def _opener(chapter: str, out: Path) -> Path:
    """Return the page that opens a chapter as a lecture; build the book if it is missing.

    Raises:
        RecallkitError: if no chapter, or more than one, begins like this.
    """
    from recallkit.course.book import build_book, is_current, lecture_page
    from recallkit.course.notebooks import find_notebooks

    found = find_notebooks([chapter])
    if len(found) != 1:
        names = ", ".join(path.stem for path in found)
        raise RecallkitError(f"chapter: {len(found)} begin with {chapter!r}: {names}. Name one.")
    page = lecture_page(out, found[0].stem)
    if not (is_current(out) and page.is_file()):
        build_book(out)
    return page

"""The book's own words, beside those of notebooks, guide and docstrings."""

from importlib.resources import files
from pathlib import Path

from recallkit.course.translation import words_of_module

LEAD = "Train image retrieval directly for recall@k, and understand why it works."
COVER = (
    "Two queries and their eight nearest images: by their pixels, by an untrained network, and "
    "after a minute of training. Blue ✓: the same emoji; orange ✗: another. The queries are drawn "
    "at random, and the network has never seen these emoji."
)
COVER_ALT = (
    "Two queries with their eight nearest images in three rows each: by pixels, by an untrained "
    "network, by a trained network. Images of the query's emoji have a blue frame."
)
BEGIN = "Begin: 00 · Quickstart"
LIVE = "Live: {live}."
MINUTES = "{minutes} minutes, after {needs}."
COURSE, GUIDE, REFERENCE = "The course", "The guide", "Reference"
PUBLIC_NAMES = "All public names, by package. Most programs need :mod:`recallkit` alone."
ELSEWHERE = "Described elsewhere:"
CITE = "How to cite"
CHECK, SOLUTION = "The check", "Solution"
SOLUTION_IN_LAB = (
    "Solution (its code is in the folded cell below: open it with the bar at its left)"
)
SOLUTION_IN_BOOK = "Solution (its code is folded below)"
FIGURE_ALT = "Figure drawn by the code above it; the text below it says what it shows."
NEEDS_A_KERNEL = (
    "[A live figure. In JupyterLab it moves: `recallkit lab` opens it there. "
    "The next figure shows what it shows.]"
)
LECTURE = "Lecture"
LECTURE_TITLE = "This page in steps, each as large as the screen"

OWN = [
    *(LEAD, COVER, COVER_ALT, BEGIN, LIVE, MINUTES, COURSE, GUIDE, REFERENCE, PUBLIC_NAMES),
    *(ELSEWHERE, CITE, CHECK, SOLUTION, SOLUTION_IN_BOOK, FIGURE_ALT, NEEDS_A_KERNEL),
    *(LECTURE, LECTURE_TITLE),
]
"""All of the above."""


FIXED = [
    "Auto light/dark, in dark mode",
    "Auto light/dark, in light mode",
    "Contents",
    "Dark mode",
    "Expand",
    "Light mode",
    "Menu",
    "Toggle Light / Dark / Auto color theme",
    "Toggle hidden content",
    "Toggle navigation of ",
    "Toggle site navigation sidebar",
    "Toggle table of contents sidebar",
]
"""What the theme and myst-nb say in English, whatever the language of the book is."""


def lecture_words() -> dict[str, str]:
    """Return name → text of what the script of lectures says."""
    script = files("recallkit.course.book") / "static" / "lecture.js"
    return words_of_module(script.read_text(encoding="utf-8"))


def theme_words() -> list[str]:
    """Return what the theme says that Sphinx has no translations for."""
    import furo
    from babel.messages.extract import extract_from_dir

    templates = Path(furo.__file__).parent / "theme"
    said = extract_from_dir(templates, method_map=[("**.html", "jinja2")])
    plain = {str(message) for _, _, message, _, _ in said if "<" not in message}
    return sorted(plain - set(sphinx_words()))


def sphinx_words() -> list[str]:
    """Return what Sphinx says in pages."""
    import sphinx.locale
    from babel.messages.pofile import read_po

    template = Path(sphinx.locale.__file__).parent / "sphinx.pot"
    with template.open("rb") as file:
        return [str(message.id) for message in read_po(file) if message.id]

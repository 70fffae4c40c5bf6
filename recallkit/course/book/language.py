"""The language of the book, for Sphinx, the theme and the finished pages."""

import re
from pathlib import Path
from typing import Any

from recallkit.course.book.words import FIXED, sphinx_words, theme_words
from recallkit.course.translation import CATALOGUES, ENGLISH, Language

MARKS = re.compile(r"[*_`]")
FIXED_TEXT = re.compile(rf'(?<=aria-label=")(?:{"|".join(FIXED)})|(?<=>)(?:{"|".join(FIXED)})(?=<)')


class EnglishSlugs:
    """The anchors of headings: those of the English ones, to which all links lead.

    A function from the text of a heading to its anchor, of a form that Sphinx can store.
    """

    def __init__(self, language: Language) -> None:
        self.english = {MARKS.sub("", t): MARKS.sub("", m) for m, t in language.texts.items()}
        self.language = language

    def __call__(self, title: str) -> str:
        """Return the anchor of a heading."""
        from myst_parser.slugs import github_slugify

        return github_slugify(self.english.get(title) or self.language.plain(title))


def language_settings(language: Language, folder: Path) -> dict[str, Any]:
    """Return the settings of Sphinx for a language.

    Args:
        language: of the book.
        folder: where to write a catalogue with what Sphinx and the theme say.
    """
    if language.code == ENGLISH:
        return {}
    code = language.code.replace("-", "_")
    _write_words_of_sphinx(folder / CATALOGUES.format(code=code).partition("/")[2], language)
    styles = ["book.css", "rtl.css"] if language.direction == "rtl" else ["book.css"]
    return {
        "html_css_files": styles,
        "language": code,
        "locale_dirs": [str(folder)],
        "myst_heading_slug_func": EnglishSlugs(language),
        "recallkit_language": language,
    }


def _write_words_of_sphinx(folder: Path, language: Language) -> None:
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import write_po

    catalogue = Catalog()
    for message in [*sphinx_words(), *theme_words()]:
        if (said := language(message)) != message:
            catalogue.add(message, said)
    folder.mkdir(parents=True)
    with (folder / "sphinx.po").open("wb") as file:
        write_po(file, catalogue)


def finish_pages(pages: Path, language: Language) -> None:
    """Translate in each page what is English whatever the language, and say where lines begin."""
    if language.code == ENGLISH:
        return
    for path in pages.rglob("*.html"):
        path.write_text(_finished(path.read_text(encoding="utf-8"), language), encoding="utf-8")


def _finished(page: str, language: Language) -> str:
    said = FIXED_TEXT.sub(lambda found: language(found[0]), page)
    return said.replace("<html class", f'<html dir="{language.direction}" class', 1)

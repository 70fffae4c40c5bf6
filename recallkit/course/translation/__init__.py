"""The course in other languages, by catalogues of gettext beside the notebooks.

A message is a block of Markdown, a text of an explorable, or a word of the book. What has no
translation stays English. ``python -m recallkit.course.translation de`` renews the catalogues of a
language from what the course says now.
"""

from recallkit.errors import needs_extra

with needs_extra("recallkit.course.translation", "course"):
    from recallkit.course.translation.explorable_words import translated_words, words_of_module
    from recallkit.course.translation.languages import (
        CATALOGUES,
        ENGLISH,
        VARIABLE,
        Language,
        find_language,
        languages_in,
        readers_language,
        texts_in,
    )
    from recallkit.course.translation.markdown import Say, has_words, translate_markdown
    from recallkit.course.translation.notebooks import course_in, translate_notebook
    from recallkit.course.translation.pseudo import pseudo

__all__ = [
    "CATALOGUES",
    "ENGLISH",
    "VARIABLE",
    "Language",
    "Say",
    "course_in",
    "find_language",
    "has_words",
    "languages_in",
    "pseudo",
    "readers_language",
    "texts_in",
    "translate_markdown",
    "translate_notebook",
    "translated_words",
    "words_of_module",
]

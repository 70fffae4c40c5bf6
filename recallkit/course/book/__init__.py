"""The course as a book: a website that needs no kernel, no server and no network.

:func:`build_book` makes it from the stored notebooks, the pages of the guide and the docstrings.
Nothing is executed. Sphinx, myst-nb and furo do the work; the modules here prepare what they read.
"""

from recallkit.course.book.building import MARK, build_book, is_current
from recallkit.course.book.lecture import lecture_page

__all__ = ["MARK", "build_book", "is_current", "lecture_page"]

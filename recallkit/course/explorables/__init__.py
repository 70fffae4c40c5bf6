"""Figures that answer the hand: ES modules that compute in the page, and their Python classes."""

from recallkit.errors import needs_extra

with needs_extra("recallkit.course.explorables", "course"):
    from recallkit.course.explorables.base import Explorable
    from recallkit.course.explorables.ranking import Line, Step

__all__ = ["Explorable", "Line", "Step"]

"""Controls wired to figures, one ``explore_…`` for each subject of the notebooks.

A widget calls functions of :mod:`recallkit.course.figures`, and nothing else draws.
"""

from recallkit.errors import needs_extra

with needs_extra("recallkit.course.widgets", "course"):
    from recallkit.course.widgets.retrieval import explore_drawing, explore_neighbours

__all__ = [
    "explore_drawing",
    "explore_neighbours",
]

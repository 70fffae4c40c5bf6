"""Controls wired to figures of what a page cannot compute: an image through the network.

All other live figures are :mod:`recallkit.course.explorables`, which need no kernel. A widget calls
functions of :mod:`recallkit.course.figures`, and nothing else draws.
"""

from recallkit.errors import needs_extra

with needs_extra("recallkit.course.widgets", "course"):
    from recallkit.course.widgets.retrieval import explore_drawing

__all__ = ["explore_drawing"]

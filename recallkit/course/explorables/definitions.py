"""A class from spread to collapsed, and its loss by either definition of the database."""

import traitlets

from recallkit.constants import PAPERS_KS
from recallkit.course.explorables.base import Explorable, Numbers


class Arc(Explorable):
    """Two classes on arcs at right angles, and RS@k with the query left out and in its database.

    The classes are those of :func:`recallkit.course.class_collapse.arc_classes`.

    Attributes:
        width: of each class in degrees, 0 to 60; default 30. At 0 a class is one point.
        per_class: items of a class, 2 to 8; default 4.
        ks: the cut-offs of the loss; default the paper's five.
    """

    module = "arc"
    width = traitlets.Float(30, min=0, max=60).tag(sync=True)
    per_class = traitlets.Int(4, min=2, max=8).tag(sync=True)
    ks = Numbers(traitlets.Int(min=1), default_value=list(PAPERS_KS), minlen=1).tag(sync=True)

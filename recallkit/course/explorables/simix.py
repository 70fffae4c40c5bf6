"""A virtual example between two images."""

import traitlets

from recallkit.course.explorables.base import Explorable


class Mixing(Explorable):
    """A virtual example v = α x + (1 − α) z on the chord of its parents, and its similarity to w.

    All three are unit vectors in a plane; z lies at 0°.

    Attributes:
        alpha: α, the weight of x, 0 to 1; default ½.
        apart: degrees from z to x, 10 to 170; default 80.
        query: degrees from z to w, 0 to 180; default 100.
    """

    module = "mixing"
    alpha = traitlets.Float(0.5, min=0, max=1).tag(sync=True)
    apart = traitlets.Float(80, min=10, max=170).tag(sync=True)
    query = traitlets.Float(100, min=0, max=180).tag(sync=True)

"""The loss of one query over the places of its two positives."""

import traitlets

from recallkit.constants import PAPERS_KS
from recallkit.course.explorables.base import Explorable, Numbers


class Surface(Explorable):
    """RS@k of one query over the similarities of two positives, and its pull, for any settings.

    Loss and pull are those of :func:`recallkit.course.loss_surface.loss_and_pull`.

    Attributes:
        negatives: N similarities of items of other classes; a tensor (N,) will do.
        first: similarity of positive 1, −0.2 to 1; default 0.2.
        second: similarity of positive 2, −0.2 to 1; default 0.5.
        ks: the cut-offs; default the paper's five.
        rank_temperature: τ₂, 0.001 to 1; default 0.01, the paper's.
        k_temperature: τ₁, 0.001 to 10; default 1, the paper's.
    """

    module = "surface"
    negatives = Numbers(traitlets.Float()).tag(sync=True)
    first = traitlets.Float(0.2, min=-0.2, max=1).tag(sync=True)
    second = traitlets.Float(0.5, min=-0.2, max=1).tag(sync=True)
    ks = Numbers(traitlets.Int(min=1), default_value=list(PAPERS_KS), minlen=1).tag(sync=True)
    rank_temperature = traitlets.Float(0.01, min=0.001, max=1).tag(sync=True)
    k_temperature = traitlets.Float(1, min=0.001, max=10).tag(sync=True)

"""One positive and one negative, dragged through the plane of their similarities."""

import traitlets

from recallkit.course.explorables.base import Explorable


class PairPlane(Explorable):
    """Circle loss, triplet loss and RS@k of one positive and one negative: weights and gradients.

    The gradients are those of :class:`recallkit.related.CircleLoss`, of the triplet loss of
    pytorch-metric-learning on dot products, and of RS@k with the paper's cut-offs and τ₁ = 1.

    Attributes:
        positive: similarity s_p, −0.2 to 1; default 0.2.
        negative: similarity s_n, −0.2 to 1; default 0.3.
        margin: m of circle loss, 0 to 0.6; default 0.4, the authors' for fine-grained classes.
        gamma: γ of circle loss, 1 to 256; default 80, theirs for such classes.
        triplet_margin: 0 to 1; default 0.1, as in the notebook on gradients.
        rank_temperature: τ₂ of RS@k, 0.001 to 1; default 0.05, at which a gap of 0.1 is heard.
    """

    module = "pair_plane"
    positive = traitlets.Float(0.2, min=-0.2, max=1).tag(sync=True)
    negative = traitlets.Float(0.3, min=-0.2, max=1).tag(sync=True)
    margin = traitlets.Float(0.4, min=0, max=0.6).tag(sync=True)
    gamma = traitlets.Float(80, min=1, max=256).tag(sync=True)
    triplet_margin = traitlets.Float(0.1, min=0, max=1).tag(sync=True)
    rank_temperature = traitlets.Float(0.05, min=0.001, max=1).tag(sync=True)

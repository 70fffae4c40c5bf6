"""A mixture between an image of the source and one of the target, and what its label asks."""

import traitlets

from recallkit.course.explorables.base import Explorable


class DomainMixing(Explorable):
    """A mixture between two domains: its soft label, that label cast to an integer, and SiMix.

    Losses and slopes are those of :func:`recallkit.related.domain_loss`, for a domain classifier
    that is linear, so that the logit of a mixture is the mixture of the logits.

    Attributes:
        source: logit of the image of the source, −4 to 4; default 2.
        target: logit of the image of the target, −4 to 4; default −2.
        share: λ as it was drawn, 0 to 1; default 0.65.
        clearance: the distance that λ keeps from ½, 0 to 0.5; default 0.3, as in the release's
            gradient reversal.
    """

    module = "domain_mixing"
    source = traitlets.Float(2, min=-4, max=4).tag(sync=True)
    target = traitlets.Float(-2, min=-4, max=4).tag(sync=True)
    share = traitlets.Float(0.65, min=0, max=1).tag(sync=True)
    clearance = traitlets.Float(0.3, min=0, max=0.5).tag(sync=True)

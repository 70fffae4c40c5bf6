"""The paper's relatives: other systems that change a loss so that it agrees with a metric.

Each stands in a file or package of its own, and needs torch only. Three questions to each: what
does it weigh, by what, and does a gradient pass through the weight?

==================================  ==================  ==================================  ====
system                              weighs              by                                  grad
==================================  ==================  ==================================  ====
:class:`.RecallCrossEntropy`        classes of pixels   missed recall in the batch          no
:class:`.StructuralSimilarityLoss`  pixels              distance from the true shape there  no
inverse frequency                   classes of pixels   1 / number of pixels                no
:class:`.FocalLoss`                 pixels              doubt (1 − p)^γ                     yes
gradient reversal (DANN)            domains             strength, by the progress alone     no
DANN with mixtures                  labels of mixtures  share λ, drawn at random            no
:class:`.DomainMixup` (DM-ADA)      labels of mixtures  share λ, drawn at random            no
DM-ADA, its third head              triplets            margin, the distance of λ from ½    no
==================================  ==================  ==================================  ====
"""

from recallkit.related.domains import (
    Code,
    DomainAdversary,
    DomainMixture,
    DomainMixup,
    DomainMixupSettings,
    Judgement,
    OfDomains,
    discriminator_terms,
    divergence,
    domain_loss,
    domain_mixup,
    draw_share,
    encoder_terms,
    generator_terms,
    mix,
    mixed_labels,
    mixture_triplet,
    reversal_strength,
    reverse_gradient,
)
from recallkit.related.segmentation import (
    FocalLoss,
    InverseFrequencyCrossEntropy,
    RecallCrossEntropy,
    StructuralSimilarityLoss,
    recall_weights,
)

__all__ = [
    "Code",
    "DomainAdversary",
    "DomainMixture",
    "DomainMixup",
    "DomainMixupSettings",
    "FocalLoss",
    "InverseFrequencyCrossEntropy",
    "Judgement",
    "OfDomains",
    "RecallCrossEntropy",
    "StructuralSimilarityLoss",
    "discriminator_terms",
    "divergence",
    "domain_loss",
    "domain_mixup",
    "draw_share",
    "encoder_terms",
    "generator_terms",
    "mix",
    "mixed_labels",
    "mixture_triplet",
    "recall_weights",
    "reversal_strength",
    "reverse_gradient",
]

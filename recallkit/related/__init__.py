"""The paper's relatives: other systems that change a loss so that it agrees with a metric.

Each stands in a file or package of its own, and needs torch only.

One question to all of them: what does the loss weight, by what, and does the gradient pass through
the weight?

===========  ==============================  ==================================  ==================
loss         weights                         by                                  gradient through it
===========  ==============================  ==================================  ==================
recall loss  each class of pixels            the share of it that the argmax     no: it is made of
                                             misses in the batch                 counts
1/frequency  each class of pixels            the inverse number of its pixels    no
focal loss   each pixel                      the doubt (1 − p)^γ                 yes
SSL          each pixel                      how far its surroundings are from   no: it is detached
                                             the true shape, 0 if nearly there
DANN         the push against both domains   the progress of the training        no: a schedule
mixed DANN   each mixture of two images as   the share λ, drawn at random        no
             source and as target
DM-ADA       likewise, class labels, and     λ, drawn at random; the distance    no
             the margins of triplets         of λ from ½
===========  ==============================  ==================================  ==================
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

"""The paper's relatives: other systems that change a loss so that it agrees with a metric.

Each stands in a file or package of its own, and needs torch and numpy only.

One question to all of them, and to RS@k: what does the loss weight, by what, and does the gradient
pass through the weight?

===========  ==============================  ==================================  ==================
loss         weights                         by                                  gradient through it
===========  ==============================  ==================================  ==================
RS@k         each pair of a positive and     how near the two similarities are   yes: the weight is
             any other item                  (τ₂), and the rank to a k (τ₁)      a slope of the loss
circle loss  each similarity                 its own distance to where it        no: α is detached
                                             should be, α; no rank, no k
UniLoss      each anchor, an outcome with a  the inverse distance of the         yes, through the
             known metric                    comparisons to it                   distances alone
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

The log-sum-exp of circle loss weights each pair once more, by the share of its exponential in the
sum. That weight is a slope of the loss, as in RS@k.
"""

from recallkit.related.circle import CircleLoss, ClassCircleLoss
from recallkit.related.comparisons import accuracy, average_precision, recall_at_k
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
from recallkit.related.uniloss import UniLoss, draw_anchors, interpolate

__all__ = [
    "CircleLoss",
    "ClassCircleLoss",
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
    "UniLoss",
    "accuracy",
    "average_precision",
    "discriminator_terms",
    "divergence",
    "domain_loss",
    "domain_mixup",
    "draw_anchors",
    "draw_share",
    "encoder_terms",
    "generator_terms",
    "interpolate",
    "mix",
    "mixed_labels",
    "mixture_triplet",
    "recall_at_k",
    "recall_weights",
    "reversal_strength",
    "reverse_gradient",
]

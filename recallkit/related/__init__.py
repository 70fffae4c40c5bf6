"""The paper's relatives: other systems that change a loss so that it agrees with a metric.

Each stands in a file or package of its own, needs torch only, and imports nothing of its siblings.
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

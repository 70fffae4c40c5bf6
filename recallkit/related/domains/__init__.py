"""Adaptation to another domain by mixtures across domains: DM-ADA, and DANN with mixtures.

``mixing`` draws shares and mixes; ``reversal`` has DANN; ``networks``, ``terms`` and ``model`` are
DM-ADA. The source has labels; the target has none.
"""

from recallkit.related.domains.mixing import (
    DomainMixture,
    domain_mixup,
    draw_share,
    mix,
    mixed_labels,
)
from recallkit.related.domains.model import DomainMixup, DomainMixupSettings
from recallkit.related.domains.networks import Code, Judgement
from recallkit.related.domains.reversal import (
    DomainAdversary,
    domain_loss,
    reversal_strength,
    reverse_gradient,
)
from recallkit.related.domains.terms import (
    OfDomains,
    discriminator_terms,
    divergence,
    encoder_terms,
    generator_terms,
    mixture_triplet,
)

__all__ = [
    "Code",
    "DomainAdversary",
    "DomainMixture",
    "DomainMixup",
    "DomainMixupSettings",
    "Judgement",
    "OfDomains",
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
    "reversal_strength",
    "reverse_gradient",
]

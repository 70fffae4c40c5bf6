"""The terms of DM-ADA's four losses, each with its weight; a loss is the sum of its terms."""

from typing import Generic, NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from recallkit.related.domains.mixing import check_share
from recallkit.related.domains.networks import Code, Judgement
from recallkit.related.domains.reversal import domain_loss

T = TypeVar("T")


class OfDomains(NamedTuple, Generic[T]):
    """A thing for each of the source, the target, and the mixtures between them."""

    source: T
    target: T
    mixed: T


def divergence(code: Code) -> Tensor:
    """Compute the mean KL divergence of codes from a standard normal distribution.

    KL = ½ Σ_j (exp(v_j) + m_j² − 1 − v_j), with mean m and log-variance v.
    """
    mean, log_variance = code
    return 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(dim=1).mean()


def mixture_triplet(embeddings: OfDomains[Tensor], share: float) -> Tensor:
    """Compute the triplet loss that puts mixtures nearer to the domain of the larger share.

        mean of [‖t − t_near‖ − ‖t − t_far‖ + |2λ − 1|]₊

    Near is the source for λ > ½, else the target. The more even the mixture, the smaller the
    margin. torch adds 1e-6 to each coordinate of a difference before the norm.

    Args:
        embeddings: t, (B, D) of source, target and mixtures.
        share: λ of the mixtures.

    Raises:
        ValueError: if ``share`` is not from 0 to 1.
    """
    check_share(share)
    source, target, mixed = embeddings
    near, far = (source, target) if share > 0.5 else (target, source)
    distances = F.pairwise_distance(mixed, near) - F.pairwise_distance(mixed, far)  # (B,)
    return F.relu(distances + abs(2 * share - 1)).mean()


def discriminator_terms(
    real: OfDomains[Judgement], generated: OfDomains[Judgement], labels: Tensor, share: float
) -> dict[str, Tensor]:
    """Compute the terms of the discriminator's loss.

    Real images of the target have no term of their own: they only take part in the triplets.

    Args:
        real: judgements of the images and their mixtures.
        generated: judgements of what the generator made, without a gradient to it.
        labels: (B,) classes of the source.
        share: λ of the mixtures.
    """
    return {
        "class": F.cross_entropy(real.source.classes, labels),
        "source": domain_loss(real.source.real, 1.0),
        "mixed": domain_loss(real.mixed.real, share),
        "triplet": mixture_triplet(OfDomains(*(j.embedding for j in real)), share),
        "generated source": domain_loss(generated.source.real, 0.0),
        "generated target": domain_loss(generated.target.real, 0.0),
        "generated mixed": domain_loss(generated.mixed.real, 0.0),
    }


def generator_terms(generated: OfDomains[Judgement], labels: Tensor) -> dict[str, Tensor]:
    """Compute the terms of the generator's loss: its images shall pass as real and of the class."""
    return {
        "class": F.cross_entropy(generated.source.classes, labels),
        "source": domain_loss(generated.source.real, 1.0),
        "mixed": domain_loss(generated.mixed.real, 1.0),
    }


def encoder_terms(
    codes: OfDomains[Code],
    logits: Tensor,
    generated: OfDomains[Judgement],
    labels: Tensor,
    weights: tuple[float, float, float, float],
) -> dict[str, Tensor]:
    """Compute the terms of the encoder's loss.

    Args:
        codes: of source and target; those of the mixtures are not used.
        logits: (B, K) of the classifier, for the source.
        generated: judgements of the generator's images.
        labels: (B,) classes of the source.
        weights: of the KL divergence, of the generated images of the source, of the target, and
            of mixtures.
    """
    kl, source, target, mixed = weights
    return {
        "divergence": kl * (divergence(codes.source) + divergence(codes.target)),
        "class": F.cross_entropy(logits, labels),
        "generated class": source * F.cross_entropy(generated.source.classes, labels),
        "generated target": target * domain_loss(generated.target.real, 1.0),
        "generated mixed": mixed * domain_loss(generated.mixed.real, 1.0),
    }


def total(terms: dict[str, Tensor]) -> Tensor:
    """Add the terms of a loss."""
    return torch.stack([*terms.values()]).sum()

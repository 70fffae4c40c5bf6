"""Gradient reversal (DANN), and its form with mixtures between the domains.

A classifier learns to tell the domains apart, and the features learn to deceive it, since the
gradient that reaches them is turned round. (Ganin and Lempitsky, ICML 2015; the mixtures as in the
code beside DM-ADA, Xu et al., AAAI 2020.)
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recallkit.checks import check_embeddings
from recallkit.related.domains.mixing import mix


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None


def reverse_gradient(values: Tensor, strength: float = 1.0) -> Tensor:
    """Return ``values`` as they are, with −strength times the gradient on the way back."""
    return _Reversal.apply(values, strength)  # pyright: ignore[reportReturnType]  # torch's stubs


def reversal_strength(progress: float, slope: float = 10.0) -> float:
    """Compute the strength of the reversal at a point of the training, from 0 towards 1.

        2 / (1 + e^(−slope · p)) − 1

    Args:
        progress: p, the share of the training that is done, 0 to 1.
        slope: 10 as in DANN: half-way the strength is 0.987. The classifier of the domains thus
            has a little time before the features deceive it.

    Raises:
        ValueError: if ``progress`` is not from 0 to 1.
    """
    if not 0 <= progress <= 1:
        raise ValueError(f"progress must lie between 0 and 1, not {progress}")
    return 2 / (1 + math.exp(-slope * progress)) - 1


def domain_loss(logits: Tensor, share: float) -> Tensor:
    """Compute the cross-entropy of a soft domain label, which is not rounded.

        L = mean of −λ log σ(x) − (1 − λ) log σ(−x)

    Args:
        logits: x, any shape: above 0 means source. One logit does what the difference of two does.
        share: λ, 1 for the source, 0 for the target, between them for mixtures.

    Raises:
        ValueError: if ``share`` is not from 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie between 0 and 1, not {share}")
    logits = logits if logits.dtype == torch.float64 else logits.float()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, share))


class DomainAdversary(nn.Module):
    """The loss of DANN: features of both domains must look the same to a classifier.

        L = L(source, 1) + L(target, 0) + w · L(λ source + (1 − λ) target, label of the mixture)

    with :func:`domain_loss` of the classifier behind :func:`reverse_gradient`. The last term is
    there if a share λ is given.

    Args:
        classifier: features (B, D) → logits (B,) or (B, 1), above 0 for the source.
        mixed_weight: w, at least 0; 1 weighs mixtures as much as a domain.

    Raises:
        ValueError: for a weight below 0.
    """

    def __init__(self, classifier: nn.Module, mixed_weight: float = 1.0) -> None:
        super().__init__()
        if not 0 <= mixed_weight < math.inf:
            raise ValueError(f"mixed_weight must be at least 0, not {mixed_weight}")
        self.classifier, self.mixed_weight = classifier, float(mixed_weight)

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        strength: float = 1.0,
        share: float | None = None,
        mixed_label: float | None = None,
    ) -> Tensor:
        """Compute the loss, a scalar.

        Args:
            source: (B, D) features.
            target: (B, D) features; without a share, of any number.
            strength: of the reversal; see :func:`reversal_strength`.
            share: λ, as of :func:`.draw_share`; None: no mixtures.
            mixed_label: the domain label of the mixtures. None: λ itself, the soft label. 0 is what
                the released code computes: it casts λ to an integer, which makes every mixture a
                target.

        Raises:
            ValueError: for a share or label that is not from 0 to 1, features that are not (B, D)
                of finite numbers, shapes that differ, or a classifier with another output.
        """
        check_embeddings(source, "source")
        check_embeddings(target, "target")
        loss = self._loss(source, 1.0, strength) + self._loss(target, 0.0, strength)
        if share is None:
            return loss
        label = share if mixed_label is None else mixed_label
        mixed = self._loss(mix(source, target, share), label, strength)
        return loss + self.mixed_weight * mixed

    def _loss(self, features: Tensor, label: float, strength: float) -> Tensor:
        logits = self.classifier(reverse_gradient(features, strength))
        if logits.numel() != len(features):
            raise ValueError(
                f"classifier must return one logit a row, of shape ({len(features)},), "
                f"not {tuple(logits.shape)}"
            )
        return domain_loss(logits, label)

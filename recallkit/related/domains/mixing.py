"""Mixtures across two domains: one share for a batch, of pixels, codes and labels alike."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recallkit.checks import check_tensor


class DomainMixture(NamedTuple):
    """A batch between two domains.

    Attributes:
        values: (B, …) share · source + (1 − share) · target.
        labels: (B, K + 1) ``share`` in the slot of the source's class, 1 − ``share`` in the last.
        share: λ of the source.
    """

    values: Tensor
    labels: Tensor
    share: float


def draw_share(
    generator: np.random.Generator | None = None,
    concentration: float = 2.0,
    clearance: float = 0.1,
) -> float:
    """Draw the share λ of the source in the mixtures of one batch.

        λ ~ Beta(a, a), rounded to 0.01; from ½ it keeps at least the distance c

    A share in [½, ½ + c) becomes ½ + c, one in (½ − c, ½) becomes ½ − c: there is always a domain
    that a mixture is nearer to. The rounding is that of the released code.

    Args:
        generator: the source of λ, numpy's; None: a new one, differently seeded each time.
        concentration: a, above 0. 2, as in DM-ADA, prefers even mixtures; 1 is uniform.
        clearance: c, 0 to ½. 0.1 in DM-ADA; 0.3 in the release's gradient reversal.

    Returns:
        λ from 0 to 1.

    Raises:
        ValueError: for numbers out of range.
    """
    if not 0 < concentration < np.inf:
        raise ValueError(f"concentration must be a finite number above 0, not {concentration}")
    if not 0 <= clearance <= 0.5:
        raise ValueError(f"clearance must lie between 0 and 0.5, not {clearance}")
    rng = np.random.default_rng() if generator is None else generator
    return keep_clear(round(float(rng.beta(concentration, concentration)), 2), clearance)


def keep_clear(share: float, clearance: float) -> float:
    """Move a share that is nearer to ½ than ``clearance`` away from it; ½ itself moves up."""
    if 0.5 <= share < 0.5 + clearance:
        return 0.5 + clearance
    return 0.5 - clearance if 0.5 - clearance < share < 0.5 else share


def mix(source: Tensor, target: Tensor, share: float) -> Tensor:
    """Mix two batches of the same shape: share · source + (1 − share) · target.

    Raises:
        ValueError: if the shapes differ, or the share is not from 0 to 1.
    """
    if source.shape != target.shape:
        raise ValueError(
            f"source and target must be of the same shape to be mixed, "
            f"not {tuple(source.shape)} and {tuple(target.shape)}"
        )
    return check_share(share) * source + (1 - share) * target


def mixed_labels(labels: Tensor, classes: int, share: float) -> Tensor:
    """Make soft labels of mixtures: λ for the source's class, 1 − λ for the slot of the target.

    Args:
        labels: (B,) integers from 0 to K − 1, the classes of the source.
        classes: K.
        share: λ. 1 gives the labels of the source, 0 those of the target, whose classes are
            unknown.

    Returns:
        (B, K + 1) float32; each row has the sum 1.

    Raises:
        ValueError: for labels out of range, or a share that is not from 0 to 1.
    """
    check_tensor(labels, "labels")
    if labels.ndim != 1 or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(
            f"labels must be integers (B,), not {labels.dtype} of shape {tuple(labels.shape)}"
        )
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(
            f"labels must lie between 0 and {classes - 1}, not from {labels.min()} "
            f"to {labels.max()}"
        )
    result = check_share(share) * F.one_hot(labels.long(), classes + 1).float()
    result[:, classes] = 1 - share
    return result


def domain_mixup(
    source: Tensor,
    target: Tensor,
    labels: Tensor,
    classes: int,
    share: float | None = None,
    generator: np.random.Generator | None = None,
) -> DomainMixture:
    """Mix a labelled batch of the source with an unlabelled one of the target.

    This is the mixup of DM-ADA (Xu et al., AAAI 2020). Each image of the source meets the image of
    the target at the same place of the batch. Beside it, :class:`.SimilarityMixup` mixes within a
    class and keeps its label.

    Args:
        source: (B, …) pixels, or codes of an encoder.
        target: of the same shape.
        labels: (B,) integers from 0 to K − 1, the classes of the source.
        classes: K.
        share: λ; None: drawn by :func:`draw_share` with its defaults.
        generator: the source of λ.

    Returns:
        Values, soft labels and the share.

    Raises:
        ValueError: as :func:`mix`, :func:`mixed_labels` and :func:`draw_share`.
    """
    if len(labels) != len(source):
        raise ValueError(f"labels must be {len(source)}, one for each of source, not {len(labels)}")
    share = draw_share(generator) if share is None else share
    soft = mixed_labels(labels, classes, share).to(source.device)
    return DomainMixture(mix(source, target, share), soft, share)


def check_share(share: float) -> float:
    """Return a share λ, or refuse what is not from 0 to 1."""
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie between 0 and 1, not {share}")
    return share

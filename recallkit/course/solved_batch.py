"""A toy batch between random and solved: its loss and gradient without SiMix, and with it."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from recallkit.course.class_collapse import arc_classes
from recallkit.losses import RecallAtKLoss
from recallkit.ranks import find_positives
from recallkit.simix import same_class_pairs

CLASSES, PER_CLASS = 4, 4
TIE = 1e-9  # similarities that differ by less are the same, rounded in another order
WIDTH = 72.0
"""Degrees from one end of a solved class to the other: its similarities differ by 0.06 at least."""


def random_start(seed: int = 0) -> Tensor:
    """Draw 16 random unit vectors: (16, 8) float64, to three decimals."""
    generator = torch.Generator().manual_seed(seed)
    shape = CLASSES * PER_CLASS, 2 * CLASSES
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
    return normalize(drawn, dim=1).round(decimals=3)


def random_alphas(seed: int = 0) -> Tensor:
    """Draw α of each pair of one class: (24,) float64 from 0 to 1, to three decimals."""
    pairs = CLASSES * PER_CLASS * (PER_CLASS - 1) // 2
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(pairs, generator=generator, dtype=torch.float64).round(decimals=3)


def partly_solved(start: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Move points towards classes that are ranked perfectly, with positives well spaced.

    Args:
        start: (16, 8) float64, of any length but 0.
        share: 0 at the start, 1 at :func:`.arc_classes` of 72°.

    Returns:
        (16, 8) unit vectors, and their (16,) labels.
    """
    solved, labels = arc_classes(WIDTH, PER_CLASS, CLASSES)
    return normalize((1 - share) * normalize(start, dim=1) + share * solved, dim=1), labels


def loss_and_push(
    points: Tensor, labels: Tensor, alphas: Tensor | None = None, loss: RecallAtKLoss | None = None
) -> tuple[float, float]:
    """Compute RS@k of a batch, and how strongly it moves the points along the sphere.

    Args:
        points: (B, D) float64 unit vectors.
        labels: (B,) integers.
        alphas: (M,) α of the virtual example of each pair of :func:`.same_class_pairs`; None:
            without virtual examples.
        loss: default the paper's settings.

    Returns:
        L, and the mean over the points of the length of dL/dx along the sphere. What virtual
        examples feel is passed on to their parents.
    """
    leaf = points.clone().requires_grad_()
    items, of_items = leaf, labels
    if alphas is not None:
        first, second = same_class_pairs(labels)
        items = torch.cat([leaf, torch.lerp(leaf[second], leaf[first], alphas[:, None])])
        of_items = torch.cat([labels, labels[first]])
    value = (RecallAtKLoss() if loss is None else loss)(items, of_items)
    [gradient] = torch.autograd.grad(value, leaf)
    outward = (gradient * points).sum(dim=1, keepdim=True)
    return value.item(), (gradient - outward * points).norm(dim=1).mean().item()


def perfect_rankings(points: Tensor, labels: Tensor) -> int:
    """Count the points whose positives all come before any other point.

    Args:
        points: (B, D).
        labels: (B,); points without a positive do not count.
    """
    similarities, positives = points @ points.T, find_positives(labels)
    same = labels[:, None] == labels
    best_wrong = similarities.masked_fill(same, -torch.inf).amax(dim=1)
    itself = torch.eye(len(labels), dtype=torch.bool)
    worst_right = similarities.masked_fill(~same | itself, torch.inf).amin(dim=1)
    return int(((positives[:, 0] >= 0) & (worst_right > best_wrong + TIE)).sum())

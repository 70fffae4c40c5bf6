"""Class collapse: the similarity within classes, and toy classes of any width."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from recallkit.losses import RecallAtKLoss
from recallkit.ranks import find_positives
from recallkit.ranks.pairs import pair_similarities

# Marks of a ruler on which all distances differ (a Golomb ruler): no two similarities are equal.
RULER = (0, 1, 4, 9, 15, 22, 32, 34)


def within_class_similarity(embeddings: Tensor, labels: Tensor) -> float:
    """The mean similarity of an item to the others of its class; 1 if every class is one point.

    Args:
        embeddings: (B, D) of unit length.
        labels: (B,) integers; items that are alone in their class are left out.

    Raises:
        ValueError: if each label occurs once.
    """
    positives = find_positives(labels)  # (B, P)
    queries = positives[:, 0] >= 0
    if not queries.any():
        raise ValueError("no item has another of its class: each label occurs once")
    embeddings, real = embeddings.double(), positives >= 0
    similarities = pair_similarities(embeddings, embeddings, positives.clamp(min=0))  # (B, P)
    means = torch.where(real, similarities, 0).sum(dim=1)[queries] / real.sum(dim=1)[queries]
    return means.mean().item()


def arc_classes(width: float, per_class: int = 4, classes: int = 2) -> tuple[Tensor, Tensor]:
    """Classes on arcs of circles, one circle for each class, all circles at right angles.

    Items of different classes have similarity 0, so every ranking is perfect up to a width of 90°.
    Within a class no two pairs have the same similarity, except at width 0, where it is one point.

    Args:
        width: of an arc, in degrees.
        per_class: items of a class, 2 to 8.
        classes: C, their number.

    Returns:
        (C · per_class, 2C) float64 unit vectors, and their (C · per_class,) labels.
    """
    if not 2 <= per_class <= len(RULER):
        raise ValueError(f"per_class must be 2 to {len(RULER)}, not {per_class}")
    marks = torch.tensor(RULER[:per_class], dtype=torch.float64)
    angles = torch.deg2rad(width * marks / marks[-1]).repeat(classes)
    labels = torch.arange(classes).repeat_interleave(per_class)
    items, embeddings = torch.arange(len(labels)), angles.new_zeros(len(labels), 2 * classes)
    embeddings[items, 2 * labels] = angles.cos()
    embeddings[items, 2 * labels + 1] = angles.sin()
    return embeddings, labels


@lru_cache(maxsize=256)
@torch.no_grad()
def arc_losses(
    widths: Sequence[float], ks: Sequence[int], per_class: int = 4
) -> tuple[list[float], list[float]]:
    """RS@k of :func:`arc_classes` under both definitions of a query's database.

    Args:
        widths: of the arcs, in degrees; a tuple, because results are kept.
        ks: the cut-offs; a tuple.
        per_class: items of a class.

    Returns:
        The losses (one for each width) with the query left out, and with it in its database.
    """
    batches = [arc_classes(width, per_class) for width in widths]
    left_out, inside = (RecallAtKLoss(ks, query_in_database=within) for within in (False, True))
    return [left_out(*b).item() for b in batches], [inside(*b).item() for b in batches]

"""The classes that are found well, and those that are taken for another class.

Both are functions of the nearest other images of each image, which one search gives:
``search(embeddings, k=K)``.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recallkit.checks import check_indices, check_ks
from recallkit.labels import canonical_labels

__all__ = ["ClassRecall", "Confusion", "confused_classes", "recall_per_class"]


@dataclass(frozen=True)
class ClassRecall:
    """The retrieval of the images of a class.

    Attributes:
        label: of the class.
        images: number of its images; each is a query.
        recall: k → share of them that have another image of the class among their k nearest.
    """

    label: int
    images: int
    recall: dict[int, float]


@dataclass(frozen=True)
class Confusion:
    """A class whose images are taken for those of another.

    Attributes:
        label: of the class of the queries.
        confused_with: the label of the other class.
        count: number of queries whose nearest other image is of that class.
        share: ``count`` divided by the number of images of the class.
        examples: for some of these queries, the most similar ones first: the query and its
            nearest image.
    """

    label: int
    confused_with: int
    count: int
    share: float
    examples: tuple[tuple[int, int], ...]


def recall_per_class(
    labels: Any, neighbours: Tensor, ks: Sequence[int] = (1,)
) -> list[ClassRecall]:
    """Compute R@k of each class, all images searched among all, each left out of its own search.

        R@k of c = 1/|c| · Σ_{q ∈ c} [an image of c is among the k nearest of q]

    Args:
        labels: (N,) integers or text, as :func:`.canonical_labels` takes them.
        neighbours: (N, K) int64, the nearest other images of each image, nearest first.
        ks: at most K. Default (1,).

    Returns:
        The classes of at least two images: of a single image none can be found. The worst are
        first (by the first k), then by label.

    Raises:
        ValueError: shapes that disagree, an index out of range, a k below 1 or beyond K.
    """
    numbers, neighbours = _checked(labels, neighbours)
    ks = check_ks(ks)
    if max(ks) > neighbours.shape[1]:
        raise ValueError(f"ks must be at most {neighbours.shape[1]}, the neighbours, not {max(ks)}")
    right = numbers[neighbours] == numbers[:, None]  # (N, K)
    classes, place, images = numbers.unique(return_inverse=True, return_counts=True)
    sums = {
        k: torch.zeros(len(classes), dtype=torch.float64).index_add_(
            0, place, right[:, :k].any(dim=1).double()
        )
        for k in ks
    }
    found = [
        ClassRecall(label, size, {k: (sums[k][i] / size).item() for k in ks})
        for i, (label, size) in enumerate(zip(classes.tolist(), images.tolist(), strict=True))
        if size > 1
    ]
    return sorted(found, key=lambda of_class: (of_class.recall[ks[0]], of_class.label))


def confused_classes(
    labels: Any,
    neighbours: Tensor,
    similarities: Tensor | None = None,
    examples: int = 3,
) -> list[Confusion]:
    """Count, for each class, the other classes that the nearest image of its images is of.

    Classes of a single image are left out as queries: their nearest image is never of their class.

    Args:
        labels: (N,) integers or text, as :func:`.canonical_labels` takes them.
        neighbours: (N, K) int64, the nearest other images of each image; the first column counts.
        similarities: (N, K) of the neighbours, which order the examples. None: by index.
        examples: how many to keep of each confusion. Default 3: a row of a table.

    Returns:
        A confusion for each pair of classes that has any, by share, then count, the largest first,
        then by labels.

    Raises:
        ValueError: shapes that disagree, or an index out of range.
    """
    numbers, neighbours = _checked(labels, neighbours)
    nearest, size = neighbours[:, 0].tolist(), Counter(numbers.tolist())
    order = torch.arange(len(numbers))
    if similarities is not None:
        order = similarities[:, 0].argsort(descending=True, stable=True)
    label = numbers.tolist()
    pairs: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for query in order.tolist():
        ours, other = label[query], label[nearest[query]]
        if ours != other and size[ours] > 1:
            pairs.setdefault((ours, other), []).append((query, nearest[query]))
    found = [
        Confusion(ours, other, len(queries), len(queries) / size[ours], tuple(queries[:examples]))
        for (ours, other), queries in pairs.items()
    ]
    return sorted(found, key=lambda c: (-c.share, -c.count, c.label, c.confused_with))


def _checked(labels: Any, neighbours: Tensor) -> tuple[Tensor, Tensor]:
    """Return labels as numbers (N,), and neighbours (N, K), on the CPU."""
    numbers = canonical_labels({"labels": labels})[0].cpu()
    check_indices(neighbours, (len(numbers), None), len(numbers), "neighbours")
    return numbers, neighbours.cpu()

"""Images that a folder holds twice: exact copies by a hash, near-duplicates by their embeddings."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recallkit.gallery.index import Index
from recallkit.metrics import search

__all__ = [
    "THRESHOLD",
    "DuplicateGroup",
    "TooManyPairsError",
    "copies",
    "duplicate_groups",
    "duplicate_pairs",
    "grouped",
]

THRESHOLD = 0.95
"""The smallest cosine of near-duplicates.

A network trained on emoji finds nine in ten or more of unseen drawings that were compressed, halved
in size, turned by 3° or made brighter, and takes few others for copies. Crops need less. The
figures are in ``data/results/duplicates``.
"""

MOST_PAIRS = 2_000_000  # nobody reads more, and a network that has collapsed would find all N²/2

_FIRST_K = 16  # neighbours that are searched first: most images have fewer near-duplicates


class TooManyPairsError(ValueError):
    """More pairs reach a threshold than can be listed."""


def duplicate_pairs(embeddings: Tensor, threshold: float = THRESHOLD) -> tuple[Tensor, Tensor]:
    """Find all pairs i < j of images whose cosine reaches a threshold.

    The nearest 16 of each image are searched. Where the last of them reaches the threshold too,
    four times as many are searched, and so on. The search is exact, and bounded in memory, so no
    pair is missed.

    Args:
        embeddings: (N, D) floating point, none of length zero.
        threshold: the smallest cosine, from −1 to 1.

    Returns:
        Pairs (P, 2) int64, i < j, and their cosines (P,) float32, the most similar first.

    Raises:
        ValueError: a threshold out of range.
        TooManyPairsError: one that more than 2 million pairs reach.
    """
    if not -1 <= threshold <= 1:
        raise ValueError(f"threshold must be from -1 to 1, not {threshold}")
    number = len(embeddings)
    if number < 2:
        return torch.empty(0, 2, dtype=torch.int64), torch.empty(0)
    rows, k, found = torch.arange(number), min(_FIRST_K, number - 1), []
    while len(rows):
        similarities, neighbours = search(
            embeddings[rows], embeddings, k, left_out=rows, distance="cosine"
        )
        near = similarities >= threshold
        whole = ~near[:, -1] if k < number - 1 else torch.ones(len(rows), dtype=torch.bool)
        found.append(_pairs(rows[whole], neighbours[whole], similarities[whole], near[whole]))
        rows = rows[~whole]
        _check_number((sum(len(part) for part, _ in found) + len(rows) * k) // 2, threshold)
        k = min(4 * k, number - 1)
    return _distinct(torch.cat([part for part, _ in found]), torch.cat([s for _, s in found]))


def _check_number(pairs: int, threshold: float) -> None:
    if pairs > MOST_PAIRS:
        raise TooManyPairsError(
            f"threshold must be higher: more than {MOST_PAIRS:,} pairs reach {threshold}"
        )


def _pairs(
    rows: Tensor, neighbours: Tensor, similarities: Tensor, near: Tensor
) -> tuple[Tensor, Tensor]:
    """List the near ones as pairs (P, 2), the lower index first, and their similarities (P,)."""
    own = rows[:, None].expand_as(neighbours)
    pairs = torch.stack([torch.minimum(own, neighbours), torch.maximum(own, neighbours)], dim=2)
    return pairs[near], similarities[near]


def _distinct(pairs: Tensor, similarities: Tensor) -> tuple[Tensor, Tensor]:
    """Keep each pair once, and sort: the most similar first, then by index."""
    if not len(pairs):
        return pairs, similarities
    unique, numbers = pairs.unique(dim=0, return_inverse=True)  # sorted by index
    values = similarities.new_full((len(unique),), -torch.inf)
    values.scatter_reduce_(0, numbers, similarities, "amax")
    order = values.argsort(descending=True, stable=True)
    return unique[order], values[order]


def copies(digests: Sequence[str]) -> list[list[int]]:
    """Group the rows of files with the same content; "" is no content."""
    groups = defaultdict(list)
    for row, digest in enumerate(digests):
        if digest:
            groups[digest].append(row)
    return [rows for rows in groups.values() if len(rows) > 1]


@dataclass(frozen=True)
class DuplicateGroup:
    """Images that are joined by pairs of near-duplicates or copies.

    Attributes:
        rows: of the index, two or more.
        similarity: the smallest cosine of a pair that joins them; 1 for copies.
        identical: whether all are copies of one file.
        across_classes: whether they are of different classes.
    """

    rows: tuple[int, ...]
    similarity: float
    identical: bool
    across_classes: bool


def duplicate_groups(index: Index, threshold: float = THRESHOLD) -> list[DuplicateGroup]:
    """Group the copies and near-duplicates of an index; those across classes come first.

    Args:
        index: of the images.
        threshold: see :func:`duplicate_pairs`.

    Raises:
        ValueError, TooManyPairsError: as :func:`duplicate_pairs`.
    """
    pairs, similarities = duplicate_pairs(index.embeddings, threshold)
    same = [(rows[0], row) for rows in copies(index.digests) for row in rows[1:]]
    joined = torch.cat([torch.tensor(same, dtype=torch.int64).view(-1, 2), pairs])
    values = torch.cat([torch.ones(len(same)), similarities])
    groups = [_group(index, *group) for group in grouped(joined, values)]
    return sorted(groups, key=lambda g: (not g.across_classes, not g.identical, -g.similarity))


def grouped(pairs: Tensor, similarities: Tensor) -> list[tuple[list[int], float]]:
    """Join pairs (P, 2) that share a row into groups, each with its smallest similarity."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(pairs):
        return []
    rows, numbers = np.unique(pairs.numpy(), return_inverse=True)
    first, second = numbers.reshape(-1, 2).T
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(rows), len(rows)))
    count, group_of = connected_components(graph, directed=False)
    lowest = np.full(count, np.inf)
    np.minimum.at(lowest, group_of[first], similarities.numpy())
    order = group_of.argsort(kind="stable")
    ends = np.bincount(group_of).cumsum()[:-1]
    members = np.split(rows[order], ends)
    return [(m.tolist(), float(low)) for m, low in zip(members, lowest, strict=True)]


def _group(index: Index, rows: list[int], similarity: float) -> DuplicateGroup:
    digests = {index.digests[row] for row in rows}
    classes = {index.labels[row] for row in rows} - {""}
    return DuplicateGroup(
        tuple(rows), similarity, len(digests) == 1 and "" not in digests, len(classes) > 1
    )

"""Tables of similarities with labels of all kinds: batches against themselves, and single lists."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from helpers.golden.lists import similarities
from torch import Tensor
from torch.nn.functional import normalize

SIZES = (2, 3, 5, 8, 13, 16, 24)
LABELS = (0, -7, 3, 12345678901, 2, 41)


class Batch(NamedTuple):
    """A batch against itself: points (B, D) of unit length, their labels, and similarities (B, B).

    The similarities are those of the points, or a table that no points have.
    """

    points: Tensor
    labels: Tensor
    similarity: Tensor

    @property
    def queries(self) -> list[dict]:
        """What batchQueries makes of the labels, the queries left out of their rankings."""
        return queries_of(self.labels.tolist())


def queries_of(labels: list[int], query_in_database: bool = False) -> list[dict]:
    items = range(len(labels))
    return [
        {
            "positives": [z for z in items if labels[z] == labels[q] and z != q],
            "negatives": [
                z for z in items if labels[z] != labels[q] or (query_in_database and z == q)
            ],
        }
        for q in items
    ]


def some_points(rng: np.random.Generator, size: int, dimension: int, kind: int) -> Tensor:
    """Unit vectors: anywhere, in clusters, several at one place, or all at one place."""
    points = torch.from_numpy(rng.normal(size=(size, dimension)))
    if kind == 1:
        points = points[torch.from_numpy(rng.integers(min(3, size), size=size))] + 0.1 * points
    elif kind == 2:
        points = points[torch.from_numpy(rng.integers((size + 1) // 2, size=size))]
    elif kind == 3:
        points = points[:1].repeat(size, 1)
    return normalize(points, dim=1)


def some_batches(seed: int, count: int = 30, positives: bool = True) -> Iterator[Batch]:
    """Yield batches; with ``positives``, one query at least has a positive."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        size = SIZES[number % len(SIZES)]
        points = some_points(rng, size, int(rng.choice([2, 8])), int(rng.integers(4)))
        labels = torch.from_numpy(rng.choice(LABELS[: 2 + number % 5], size))
        if positives:
            labels[-1] = labels[0]
        similarity = points @ points.T
        if number % 3 == 0:
            table = [similarities(rng, size, int(rng.integers(5))) for _ in range(size)]
            similarity = torch.from_numpy(np.stack(table))
        yield Batch(points, labels, similarity)

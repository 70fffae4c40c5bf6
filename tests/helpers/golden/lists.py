"""Lists of similarities with every oddity: ties, identical points, near ties, sizes 1 to 60."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

TEMPERATURES = (1e-6, 0.001, 0.01, 0.1, 1.0, 100.0)
SIZES = (1, 2, 3, 5, 8, 13, 21, 34, 55, 60)


class OneList(NamedTuple):
    """One query's gallery.

    Attributes:
        similarity: (N,).
        positives: indices, at least one, in no order.
        left_out: an index that is no positive, or −1.
        temperature: τ₂.
    """

    similarity: list[float]
    positives: list[int]
    left_out: int
    temperature: float

    @property
    def absent(self) -> Tensor | None:
        """The argument ``left_out`` of Python."""
        return None if self.left_out < 0 else torch.tensor([self.left_out])


def similarities(rng: np.random.Generator, size: int, kind: int) -> np.ndarray:
    """Similarities (size,) of one of five kinds; the last one has pairs 1e-9 apart."""
    spread = rng.uniform(-1, 1, size)
    kinds = (
        spread,
        spread.round(1),  # ties
        np.full(size, 0.5),  # identical points
        np.linspace(0.8, -0.2, size),
        rng.choice(spread, size) + 1e-9 * rng.integers(3, size=size),
    )
    return kinds[kind]


def some_lists(seed: int, count: int = 60) -> Iterator[OneList]:
    """Yield lists in which all sizes, kinds and temperatures meet."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        size, kind = SIZES[number % len(SIZES)], int(rng.integers(5))
        choices = TEMPERATURES[1:] if kind == 4 else TEMPERATURES
        temperature = float(rng.choice(choices))
        order = rng.permutation(size).tolist()
        positives = order[: int(rng.integers(1, max(2, min(size, 12))))]
        others = [-1, *order[len(positives) :]]
        left_out = int(others[rng.integers(len(others))])
        values = similarities(rng, size, kind).tolist()
        yield OneList(values, positives, left_out, temperature)


def as_queries(similarity: list[float]) -> tuple[Tensor, Tensor]:
    """A query (1, N) and a gallery (N, N) with these similarities."""
    query = torch.tensor([similarity], dtype=torch.float64)
    return query, torch.eye(len(similarity), dtype=torch.float64)

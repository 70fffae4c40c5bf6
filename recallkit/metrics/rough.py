"""Similarities in float32, with a bound on their error that always holds.

How this works: a float32 product of N gallery items takes half the time of the float64 one, and
nearly all of its answers are clear. Let s be the similarity that decides (float64, rounded to
float32) and r the rough one. Then |r − s| ≤ e, so r > a + e proves s > a, and r < a − e proves
s < a. Only the items between, a few in a million, are measured again in float64.

The bound of a query q against galleries with rows no longer than G, with u = 2⁻²⁴ and D numbers:

    dot, cosine   e = γ |q| G           γ = (D + 8) u / (1 − (D + 8) u)
    l2            e = γ (|q| + G)²      of r = q·g − |g|²/2, which orders as −|q − g| does

γ covers D products and sums in any order (Higham, 2002, chapter 3), the rounding of both inputs, of
s, and of what r is compared with. Vectors are first scaled by powers of two, which rounds nothing.
So no product overflows, and what underflows is covered by a term of its own.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from recallkit.checks import largest_number
from recallkit.metrics.distances import as_measured

ROUGH_BYTES = {"cpu": 2**20, "cuda": 2**28}  # of a block of similarities; CPU: its second cache
ROUGH_ROWS = {"cpu": 256, "cuda": 1024}  # of a block

_MOST_COLUMNS = 2**22  # of a block; float32 counts exactly up to 2²⁴
_UNIT = 2.0**-24  # half the distance from 1 to the next float32
_UNDERFLOW = 2.0**-94  # of a product of scaled numbers, an entry of D
_SMALLEST = -125  # the exponent below which a float32 may lose digits
_MODERATE = 30  # exponents of a gallery that needs no scaling
_LARGEST_EXPONENT = 400  # so that two of them are an exponent of float64


@dataclass(frozen=True)
class RoughGallery:
    """A gallery that is multiplied in float32, a block at a time.

    Attributes:
        rows: (N, D), of any floating type; it may lie on another device, or in a file.
        distance: one of :data:`.DISTANCES`.
        exponent: of the power of two that its rows are multiplied by.
        longest: G, the length of the longest scaled row.
    """

    rows: Tensor
    distance: str
    exponent: int
    longest: float

    @classmethod
    def of(cls, rows: Tensor, distance: str, queries: Tensor) -> "RoughGallery":
        """Find the scale and the longest row, without a copy of all rows."""
        if distance == "cosine":
            return cls(rows, distance, 0, 1.0)
        both = (rows, queries) if distance == "l2" else (rows,)  # differences need one scale
        exponent = _scaling_exponent(max(float(largest_number(some)) for some in both))
        exponent = 0 if abs(exponent) <= _MODERATE else exponent
        gallery = cls(rows, distance, exponent, 0.0)
        lengths = [_length_bounds(gallery.scaled(block)).max() for block in rows.split(2**11)]
        return cls(rows, distance, exponent, float(torch.stack(lengths).max()))

    def scaled(self, rows: Tensor) -> Tensor:
        """Multiply by the power of two, in float64 where there is something to multiply by."""
        return rows if self.exponent == 0 else torch.ldexp(rows.double(), _on(self.exponent, rows))

    def block(self, rows: Tensor, device: torch.device) -> Tensor:
        """Return some rows (C, D) as they are multiplied, float32."""
        rows = rows.to(device)
        if self.distance == "cosine":
            return normalize(as_measured(rows, self.distance), dim=1, eps=0).float()
        return self.scaled(rows).float()


@dataclass(frozen=True)
class RoughQueries:
    """Some queries that are multiplied in float32, and how far their similarities may be off.

    Attributes:
        vectors: (Q, D) float32, scaled, or of unit length for the cosine.
        lengths: (Q,) float64, of the vectors.
        exponents: (Q, 1) float64, of the powers of two that similarities are multiplied by; for l2
            differences.
        error: (Q,) float64, e.
        gallery: what they are searched in.
    """

    vectors: Tensor
    lengths: Tensor
    exponents: Tensor
    error: Tensor
    gallery: RoughGallery

    @classmethod
    def of(cls, queries: Tensor, gallery: RoughGallery) -> "RoughQueries":
        """Scale queries (Q, D), and bound the error of their similarities."""
        measured = as_measured(queries, gallery.distance)
        if gallery.distance == "dot":
            exponents = _scaling_exponents(measured)
            measured = torch.ldexp(measured, exponents)
            exponents = exponents + gallery.exponent
        elif gallery.distance == "l2":
            measured = gallery.scaled(measured)
            exponents = measured.new_full((len(queries), 1), gallery.exponent)
        else:
            measured = normalize(measured, dim=1, eps=0)
            exponents = measured.new_zeros(len(queries), 1)
        lengths = torch.linalg.vector_norm(measured, dim=1)
        error = _error_bound(lengths, exponents[:, 0], gallery, queries.shape[1])
        return cls(measured.float(), lengths, exponents, error, gallery)

    def as_rough(self, similarities: Tensor) -> Tensor:
        """Convert similarities (Q, P) that decide to the scale of the rough ones, float64."""
        scaled = torch.ldexp(similarities.double(), self.exponents)
        if self.gallery.distance != "l2":
            return scaled
        return (self.lengths[:, None].square() - scaled.square()) / 2

    def similarities(self, rows: Tensor) -> Tensor:
        """Measure all queries and some rows of the gallery, (Q, D), (C, D) → (Q, C) float32."""
        return _products(self.vectors, self.gallery.block(rows, self.vectors.device), self.gallery)

    def blocks(self) -> Iterator[tuple[slice, slice, Tensor]]:
        """Measure all pairs, a block at a time.

        Yields:
            The rows and columns of a block, and its rough similarities: a buffer that the next
            block overwrites.
        """
        device = self.vectors.device
        height = min(len(self.vectors), ROUGH_ROWS.get(device.type, ROUGH_ROWS["cpu"]))
        width = max(1, ROUGH_BYTES.get(device.type, ROUGH_BYTES["cpu"]) // (4 * height))
        width = min(width, _MOST_COLUMNS)
        buffer = self.vectors.new_empty(height * width)
        for start in range(0, len(self.gallery.rows), width):
            block = self.gallery.block(self.gallery.rows[start : start + width], device)
            columns = slice(start, start + len(block))
            for first in range(0, len(self.vectors), height):
                some = self.vectors[first : first + height]
                out = buffer[: len(some) * len(block)].view(len(some), len(block))
                rows = slice(first, first + len(some))
                yield rows, columns, _products(some, block, self.gallery, out)


def places_reaching(block: Tensor, lowest: Tensor) -> Tensor:
    """List where a block (R, C) reaches the bounds (R, 1), counted row by row, (M,) int64.

    On the CPU numpy compares, and skips eight at a time of those that do not; torch took 5 times
    as long.
    """
    if block.device.type == "cpu":
        return torch.from_numpy(np.flatnonzero(block.numpy() >= lowest.numpy()))
    return (block >= lowest).flatten().nonzero()[:, 0]


def _products(
    queries: Tensor, block: Tensor, gallery: RoughGallery, out: Tensor | None = None
) -> Tensor:
    if gallery.distance != "l2":
        return torch.mm(queries, block.T, out=out)
    halves = torch.linalg.vector_norm(block, dim=1, dtype=torch.float64).square() / -2
    return torch.addmm(halves.float(), queries, block.T, out=out)


def _length_bounds(rows: Tensor) -> Tensor:
    """Bound the lengths of scaled rows (C, D) from above, (C,) float64; float32 is summed as such.

    Squares that underflow add less than 2⁻⁶⁰ for each number to the length.
    """
    rows = rows if rows.dtype == torch.float64 else rows.float()
    lengths = torch.linalg.vector_norm(rows, dim=1).double()
    return lengths * (1 + (rows.shape[1] + 8) * _UNIT) + rows.shape[1] * 2.0**-60


def _error_bound(lengths: Tensor, exponents: Tensor, gallery: RoughGallery, dim: int) -> Tensor:
    """Bound |r − s| for each query, (Q,) float64."""
    share = (dim + 8) * _UNIT
    relative = share / (1 - share) if share < 0.5 else math.inf
    lost = torch.ldexp(torch.ones_like(lengths), exponents + _SMALLEST)  # where s underflows
    if gallery.distance == "l2":
        reach = lengths + gallery.longest
        return relative * reach.square() + 2 * lost * (reach + lost) + dim * _UNDERFLOW
    return relative * lengths * gallery.longest + lost + dim * _UNDERFLOW


def _scaling_exponent(largest: float) -> int:
    """Return the exponent of the power of two that brings a number near 1."""
    exponent = -math.frexp(largest)[1] if largest else 0
    return max(-_LARGEST_EXPONENT, min(exponent, _LARGEST_EXPONENT))


def _scaling_exponents(rows: Tensor) -> Tensor:
    """Return the same for the largest number of each row, (Q, D) → (Q, 1) float64."""
    _, exponents = torch.frexp(rows.abs().amax(dim=1, keepdim=True))
    return -exponents.clamp(-_LARGEST_EXPONENT, _LARGEST_EXPONENT).double()


def _on(exponent: int, rows: Tensor) -> Tensor:
    return torch.tensor(float(exponent), dtype=torch.float64, device=rows.device)

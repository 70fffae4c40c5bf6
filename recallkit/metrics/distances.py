"""Three measures of how near two embeddings are, each larger the nearer.

    dot       q·g             the similarity that networks of unit length are trained with
    cosine    q·g / |q||g|    the same after both have been brought to unit length
    l2        −|q − g|        minus the Euclidean distance

For vectors of unit length all three give the same order. Each is computed in float64.
"""

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

Distance = Literal["dot", "cosine", "l2"]

DISTANCES: tuple[str, ...] = get_args(Distance)

_ROWS = 2**13  # that are read at once
_NEAR = 2**-8  # of |q|² + |g|²: below, |q − g|² is summed from differences
_LARGEST_EXPONENT = 1000  # of a power of two that is a float64, and so is its product with D
PAIR_BYTES = 2**26  # of differences that are held at once


def check_distance(distance: str) -> None:
    """Refuse an unknown measure.

    Raises:
        ValueError: naming the three.
    """
    if distance not in DISTANCES:
        raise ValueError(f'distance must be "dot", "cosine" or "l2", not {distance!r}')


def check_no_zero_rows(embeddings: Tensor, name: str) -> None:
    """Refuse vectors of length zero, which have no cosine with others.

    Raises:
        ValueError: naming the first rows.
    """
    zero = torch.cat([(rows == 0).all(dim=1) for rows in embeddings.split(_ROWS)])
    if zero.any():
        first = ", ".join(map(str, zero.nonzero().flatten()[:5].tolist()))
        more = ", …" if zero.sum() > 5 else ""
        raise ValueError(
            f'{name} must hold no zero vector for distance="cosine": a zero vector has no '
            f"direction. {int(zero.sum())} of {len(zero):,} rows are zero, counted from 0: "
            f"{first}{more}"
        )


def as_measured(rows: Tensor, distance: str) -> Tensor:
    """Convert embeddings (N, D) to float64, to be measured.

    Squares of a float64 may leave its range. So for the cosine, which does not depend on lengths,
    rows are brought near 1 by a power of two, which rounds nothing.
    """
    if distance != "cosine" or rows.dtype != torch.float64:
        return rows.double()
    _, exponent = torch.frexp(rows.abs().amax(dim=1, keepdim=True))
    return torch.ldexp(rows, (-exponent).clamp(max=_LARGEST_EXPONENT))


def measure(queries: Tensor, gallery: Tensor, distance: str) -> Tensor:
    """Measure all pairs of what :func:`as_measured` returned: (Q, D), (N, D) → (Q, N) float64.

    Larger is nearer. Each value errs by about 1e-16 of |q||g|, of the distance by 1e-14 of itself.
    """
    if distance == "l2":
        return _minus_distance(queries, gallery)
    products = queries @ gallery.T
    return divided(products, queries, gallery) if distance == "cosine" else products


def measure_candidates(queries: Tensor, candidates: Tensor, distance: str) -> Tensor:
    """Measure each query and items of its own, (Q, D), (Q, C, D) → (Q, C) float64, as all pairs."""
    products = torch.einsum("qd,qcd->qc", queries, candidates)
    if distance == "l2":
        return _minus_distance_to_own(queries, candidates, products)
    return divided(products, queries, candidates) if distance == "cosine" else products


def divided(products: Tensor, queries: Tensor, gallery: Tensor) -> Tensor:
    """Divide dot products (Q, M), in place, by the lengths of queries (Q, D) and gallery (…, M, D).

    The other order, to divide the vectors first, would turn products that are zero into noise.
    """
    products /= torch.linalg.vector_norm(queries, dim=-1)[:, None]
    products /= torch.linalg.vector_norm(gallery, dim=-1)
    return products


def _minus_distance(queries: Tensor, gallery: Tensor) -> Tensor:
    """Compute −|q − g| of all pairs: |q − g|² = |q|² + |g|² − 2 q·g costs one matrix product."""
    sums = queries.square().sum(dim=1, keepdim=True) + gallery.square().sum(dim=1)  # (Q, N)
    squares = torch.addmm(sums, queries, gallery.T, alpha=-2)
    _correct_near_ones(squares, sums, queries, lambda row, column: gallery[column])
    return squares.sqrt_().neg_()


def _minus_distance_to_own(queries: Tensor, candidates: Tensor, products: Tensor) -> Tensor:
    """Compute −|q − g| as :func:`_minus_distance` does, of candidates (Q, C, D)."""
    sums = queries.square().sum(dim=1, keepdim=True) + candidates.square().sum(dim=2)  # (Q, C)
    squares = sums - 2 * products
    _correct_near_ones(squares, sums, queries, lambda row, column: candidates[row, column])
    return squares.sqrt_().neg_()


def _correct_near_ones(
    squares: Tensor, sums: Tensor, queries: Tensor, item_of: Callable[[Tensor, Tensor], Tensor]
) -> None:
    """Compute |q − g|² of near vectors from q − g, in place.

    In |q|² + |g|² − 2 q·g large numbers cancel for them, and rounding would decide their order.
    Such pairs are few.

    Args:
        squares: (Q, M) of |q − g|².
        sums: (Q, M) of |q|² + |g|².
        queries: (Q, D).
        item_of: rows and columns (m,) of pairs → their items g (m, D).
    """
    near = (squares < _NEAR * sums).nonzero()  # (m, 2)
    for row, column in (pair.T for pair in near.split(_pairs_at_once(queries.shape[1]))):
        squares[row, column] = (queries[row] - item_of(row, column)).square().sum(dim=1)


def _pairs_at_once(dim: int) -> int:
    return max(1, PAIR_BYTES // (3 * 8 * dim))

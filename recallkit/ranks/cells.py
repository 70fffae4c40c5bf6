"""Sums of sigmoids over N items at P positives in O(N + P) for each query, not in O(N·P).

How this works: similarities over τ are dropped into cells of width 1. Within a cell an item lies at
t, |t| ≤ ½, from the centre, and a positive at v in its own cell. For cells d apart, σ(d + t − v) is
a polynomial in t and v, up to rounding. So all that a cell must know of its items is Σ t^m.

    moments       M[j,m] = Σ_{z in cell j} t_z^m,    m = 0 … K − 1             O(N·K)
    translation   L[i,n] = Σ_{j,m} M[j,m] · T[j−i,m,n]                         small products
    evaluation    Σ_z σ(s[q,z] − s[q,p]) = Σ_n L[i,n] · v_p^n,  p in cell i    O(P·K)

The gradient takes the same way back: moments of the positives, weighted by dL/dr, are translated by
the transpose of T for σ', and evaluated at the items. Items more than c before or behind a positive
are only counted, as 1 or 0; :mod:`recallkit.ranks.blocks` gives c.

The error: T interpolates at K × K Chebyshev points. So each σ and σ' has a relative error of about
4 (¼)^K / K! · max |σ^(K)| / σ, and so have the sums, whose terms are positive. Computed: 4e-8 or
less with K = 8 in float32, 2e-14 with K = 15 in float64. With the rounding of the sums, ranks are
right to 1e-6 in float32. This is the fast multipole method (Greengard and Rokhlin, 1987) with one
level, on a line.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

ORDERS = {torch.float32: 8, torch.float64: 15}  # K
GROUPS = {torch.float32: 2, torch.float64: 4}  # groups of cells within c, on each side
LARGEST = 2**20  # of a similarity over τ: beyond it, neighbouring cells are no longer exact
# Measured on a CPU, forward and backward, in units of one sigmoid for an item and a positive:
COST_OF_A_MOMENT = 1.5  # of an item: K of them to make, K to evaluate
COST_OF_A_PRODUCT = 1 / 30  # of a number of a matrix that translates, for σ, σ' and back
CACHED_ITEMS = 2**17  # items of :func:`in_cache`: half a megabyte in float32


@dataclass(frozen=True)
class Cells:
    """The cells of some queries, and the matrices that translate between them.

    Attributes:
        first: (q, 1) the number of the first cell of each query; a cell's number is its centre.
        groups: number of groups in which positives lie. Around them are ``reach`` more.
        reach: groups on each side that are near; beyond them, items are only counted.
        width: cells of a group.
        order: K, the number of moments.
        sigmoid, slope: (2·reach + 1, K·width, K·width) from moments to polynomials.
    """

    first: Tensor
    groups: int
    reach: int
    width: int
    order: int
    sigmoid: Tensor
    slope: Tensor

    @property
    def total(self) -> int:
        """The number of cells of a query."""
        return (self.groups + 2 * self.reach) * self.width


def cells_that_pay(
    items: Tensor, own: Tensor, positives: Tensor, limit: float, most: int
) -> Cells | None:
    """Lay cells, if they cost less than one sigmoid for each item and positive.

    Args:
        items: (L, W) similarities over τ that are to be compared with the positives of q queries.
        own: as for :func:`lay_cells`.
        positives: as for :func:`lay_cells`.
        limit: as for :func:`lay_cells`.
        most: the largest table of a query, in numbers.

    Returns:
        None where all sigmoids cost less; where similarities are too large for cells; and on GPUs,
        which have the engine "fused".
    """
    count, width, order = items.numel() / len(own), own.shape[1], ORDERS[own.dtype]
    fixed = count * order * COST_OF_A_MOMENT
    if never_pay(width, own) or not float(own.abs().max()) < LARGEST:
        return None
    cells = lay_cells(own, positives, limit)
    products = cells.groups * cells.slope.numel()
    too_large = cells.total * order > most
    too_slow = fixed + products * COST_OF_A_PRODUCT > count * width
    return None if too_large or too_slow else cells


def never_pay(positives: int, like: Tensor) -> bool:
    """Tell whether so few positives a query, of the type and device of ``like``, need no cells."""
    return like.is_cuda or ORDERS[like.dtype] * COST_OF_A_MOMENT > positives


def lay_cells(own: Tensor, positives: Tensor, limit: float) -> Cells:
    """Lay cells around the positives of some queries.

    Args:
        own: (q, P) similarities over τ to the positives, float32 or float64, below ``LARGEST``.
        positives: (q, P) int64, −1 at padding.
        limit: c, the difference beyond which a sigmoid is 0 or 1.
    """
    lowest = own.masked_fill(positives < 0, torch.inf).amin(dim=1, keepdim=True)
    highest = own.masked_fill(positives < 0, -torch.inf).amax(dim=1, keepdim=True)
    lowest = torch.where(lowest > highest, 0, lowest).round_()  # without a positive: anywhere
    span = max(0.0, float((highest.round_() - lowest).max()))
    reach = GROUPS[own.dtype]
    width = math.ceil((limit + 1) / reach)
    groups = 1 + int(span // width)
    matrices = translations(width, own.dtype)
    return Cells(lowest - reach * width, groups, reach, width, ORDERS[own.dtype], *matrices)


def sigmoid_sums(cells: Cells, items: Tensor, row: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """Sum σ and σ' of s[q,z] − s[q,p] over the items of each query, p included.

    Args:
        cells: of q queries.
        items: (L, W) similarities over τ of items, each row of one query.
        row: (L,) the query that each row belongs to.
        own: (q, P) similarities over τ of the positives.

    Returns:
        Two (q, P): Σ_z σ, Σ_z σ'.
    """
    moments = own.new_zeros(cells.order, len(own) * cells.total)
    for some, rows in in_cache(items, row):
        _add_moments(moments, *_locate(cells, some, rows))
    by_group = _without_lowest(cells, _by_group(cells, moments))  # (G, q, K·width)
    at = _locate(cells, own, torch.arange(len(own), device=own.device))
    sums = []
    for matrices, counted in ((cells.sigmoid, True), (cells.slope, False)):
        local = _to_positives(cells, by_group, matrices)
        if counted:
            _count_before(cells, by_group, local)
        sums.append(_evaluate(_by_power(cells, local), *at).view_as(own))
    return sums[0], sums[1]


def weighted_slopes(
    cells: Cells, items: Tensor, row: Tensor, own: Tensor, weights: Tensor
) -> Tensor:
    """Sum weights[q,p] · σ'(s[q,z] − s[q,p]) over the positives of each query, for each item.

    Args:
        cells: of q queries.
        items: as for :func:`sigmoid_sums`; overwritten.
        row: as for :func:`sigmoid_sums`.
        own: as for :func:`sigmoid_sums`.
        weights: (q, P), 0 at padding.

    Returns:
        (L, W), in the memory of ``items``.
    """
    moments = own.new_zeros(cells.order, len(own) * cells.total)
    index, offset = _locate(cells, own, torch.arange(len(own), device=own.device))
    _add_moments(moments, index, offset, weights)
    local = _to_items(cells, _by_group(cells, moments))
    tables = _by_power(cells, _without_lowest(cells, local))
    for some, rows in in_cache(items, row):
        some.view(-1).copy_(_evaluate(tables, *_locate(cells, some, rows)))
    return items


def in_cache(items: Tensor, row: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield some items (L, W) at a time, with their rows (L,): all on a GPU.

    What is made of them then stays in the cache of a CPU, and needs little memory.
    """
    count = len(items) if items.is_cuda else max(1, CACHED_ITEMS // items.shape[1])
    return zip(items.split(count), row.split(count), strict=True)


def _locate(cells: Cells, values: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
    """Find the cell of each value (L, W), counted over all queries, and its offset in it.

    Values outside are moved to the nearest cell; the lowest is left out of all sums.
    """
    first = cells.first[row]  # (L, 1)
    offset = values.clamp(first, first + (cells.total - 1))
    centre = offset.round()
    offset -= centre
    index = centre.sub_(first).long().add_(row[:, None] * cells.total)
    return index.flatten(), offset.flatten()


def _add_moments(
    moments: Tensor, index: Tensor, offset: Tensor, weights: Tensor | None = None
) -> None:
    """Add weights · offset^m to the m-th row of ``moments`` (K, cells)."""
    power = torch.ones_like(offset) if weights is None else weights.flatten()
    for m, moment in enumerate(moments):
        if m > 0:
            power = power * offset if m == 1 else power.mul_(offset)
        moment.scatter_add_(0, index, power)


def _evaluate(tables: Tensor, index: Tensor, offset: Tensor) -> Tensor:
    """Evaluate the polynomials of the cells: tables (K, cells), one coefficient a row."""
    value = tables[-1].index_select(0, index)
    coefficient = torch.empty_like(value)  # one buffer for all: fresh memory costs page faults
    for table in reversed(tables[:-1]):
        torch.index_select(table, 0, index, out=coefficient)
        torch.addcmul(coefficient, value, offset, out=value)
    return value


def _by_group(cells: Cells, tables: Tensor) -> Tensor:
    """Arrange (K, q·cells) as (G, q, K·width) for products."""
    tables = tables.view(cells.order, len(cells.first), -1, cells.width)
    return tables.permute(2, 1, 0, 3).flatten(2)


def _without_lowest(cells: Cells, groups: Tensor) -> Tensor:
    """Clear the lowest cell in (G, q, K·width), where all that is far below was dropped."""
    groups[0, :, :: cells.width] = 0
    return groups


def _by_power(cells: Cells, groups: Tensor) -> Tensor:
    """Arrange (G, q, K·width) as (K, q·cells)."""
    groups = groups.unflatten(2, (cells.order, cells.width))
    return groups.permute(2, 1, 0, 3).flatten(1)


def _to_positives(cells: Cells, moments: Tensor, matrices: Tensor) -> Tensor:
    """Translate moments of items (G, q, K·width) to polynomials at positives, of the same shape."""
    local = torch.zeros_like(moments)
    inner = local[cells.reach : cells.reach + cells.groups].flatten(0, 1)  # with positives
    for shift, matrix in enumerate(matrices):
        inner.addmm_(moments[shift : shift + cells.groups].flatten(0, 1), matrix)
    return local


def _to_items(cells: Cells, moments: Tensor) -> Tensor:
    """Translate moments of positives (G, q, K·width) to polynomials of σ' at items."""
    local = torch.zeros_like(moments)
    inner = moments[cells.reach : cells.reach + cells.groups].flatten(0, 1)
    for shift, matrix in enumerate(cells.slope):
        local[shift : shift + cells.groups].flatten(0, 1).addmm_(inner, matrix.T)
    return local


def _count_before(cells: Cells, moments: Tensor, local: Tensor) -> None:
    """Add the number of items in groups beyond the reach of each group."""
    count = moments[:, :, : cells.width].sum(dim=2, keepdim=True)  # (G, q, 1)
    beyond = count.flip(0).cumsum(0).flip(0)[2 * cells.reach + 1 :]
    last = cells.reach + cells.groups - 1
    local[cells.reach : last, :, : cells.width] += beyond


@functools.lru_cache(maxsize=8)
def translations(width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Make the matrices that translate between groups of cells, for σ and for σ'.

    Args:
        width: cells of a group.
        dtype: float32 or float64, which sets K and the reach.

    Returns:
        Two (2·reach + 1, K·width, K·width): from the moments of a group to polynomials in the group
        that lies ``reach`` behind it … ``reach`` before it.
    """
    reach, order = GROUPS[dtype], ORDERS[dtype]
    far = (reach + 1) * width - 1
    distance = torch.arange(-far, far + 1, dtype=torch.float64)  # of cells
    points = _chebyshev_points(order) / 2
    between = distance[:, None, None] + points[:, None] - points  # (d, K, K)
    place = torch.arange(width)
    groups = torch.arange(-reach, reach + 1)[:, None, None]
    apart = far + groups * width + place[:, None] - place  # (2·reach + 1, width, width)
    step = torch.sigmoid(between)
    made = []
    for values in (step, step * torch.sigmoid(-between)):
        blocks = _powers(values)[apart]  # (2·reach + 1, width, width, K, K)
        made.append(blocks.permute(0, 3, 1, 4, 2).flatten(3).flatten(1, 2).to(dtype).contiguous())
    return made[0], made[1]


def _chebyshev_points(order: int) -> Tensor:
    return torch.cos(math.pi * (torch.arange(order, dtype=torch.float64) + 0.5) / order)


def _powers(values: Tensor) -> Tensor:
    """Turn values (d, K, K) at Chebyshev points of [−½, ½]² into coefficients of t^m v^n.

    Through Chebyshev polynomials, in two steps: to invert a matrix of powers would lose digits.
    """
    order = values.shape[-1]
    degree = torch.arange(order, dtype=torch.float64)
    to_chebyshev = torch.cos(math.pi * degree[:, None] * (degree + 0.5) / order) * 2 / order
    to_chebyshev[0] /= 2
    powers = torch.zeros(order, order, dtype=torch.float64)  # row n: T_n(2t) in powers of t
    powers[0, 0], powers[1, 1] = 1, 2
    for n in range(2, order):
        powers[n, 1:] = 4 * powers[n - 1, :-1]
        powers[n] -= powers[n - 2]
    return powers.T @ (to_chebyshev @ values @ to_chebyshev.T) @ powers

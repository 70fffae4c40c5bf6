"""Counting the items before each positive by float32 products, certified by float64.

How this works: a positive of similarity a is certainly behind an item with r > a + e, and certainly
before one with r < a − e. Between these two bounds, its *window*, float64 decides, ties included.
A sample of the gallery tells how large the windows are, and how to count (see :mod:`.ranks`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recallkit.metrics.ranking_keys import ranking_keys, similarities_of
from recallkit.metrics.rough import RoughGallery, RoughQueries, places_reaching
from recallkit.ranks.precision import products_in

LISTED_ITEM_COST = 64  # in comparisons of one item with one positive
MOST_ROWS = 1024  # queries that read the gallery once
MOST_DOUBTS = 1 / 128  # of all pairs; beyond, float64 for all pairs costs less

_LISTED = 2**18  # items that are placed at once
_SAMPLE = 128  # items of the gallery that tell how to count
_AT_ONCE = 2**22  # comparisons


@dataclass(frozen=True)
class Positives:
    """Queries and their positives, whose similarities are known.

    Attributes:
        queries: (Q, D).
        values: (Q, P) float32, computed in float64; inf for padding.
        places: (Q, P) int64, their gallery indices, from −1: of items that are as similar those
            with a lower index come before.
        left_out: (Q,) int64, the place of each query in the gallery; None if it is not there.
        groups: (Q,) and (N,) int64, or None: a query's own group is left out.
    """

    queries: Tensor
    values: Tensor
    places: Tensor
    left_out: Tensor | None = None
    groups: tuple[Tensor, Tensor] | None = None

    def some(self, rows: slice) -> "Positives":
        """Return those of some queries."""
        left_out = None if self.left_out is None else self.left_out[rows]
        groups = None if self.groups is None else (self.groups[0][rows], self.groups[1])
        return Positives(self.queries[rows], self.values[rows], self.places[rows], left_out, groups)

    def drop_left_out(self, rows: slice, columns: slice, block: Tensor) -> None:
        """Set the similarities in a block (rows, columns) of what is left out to −inf."""
        if self.left_out is not None:
            column = self.left_out[rows] - columns.start
            [here] = ((column >= 0) & (column < block.shape[1])).nonzero(as_tuple=True)
            block[here, column[here]] = -torch.inf
        if self.groups is not None:
            own = self.groups[0][rows, None] == self.groups[1][columns]
            block.masked_fill_(own, -torch.inf)


def number_before(known: Positives, gallery: RoughGallery) -> Tensor | None:
    """Count the gallery items that come before each positive.

    Returns:
        (Q, P) int64, not defined at padding. None: too many items are in doubt.
    """
    keys, order = ranking_keys(known.values, known.places).sort(dim=1)
    with products_in("float32", known.queries.device.type):
        counter = _Counter(known, keys, RoughQueries.of(known.queries, gallery))
        listed, doubts = counter.shares()
        if doubts > MOST_DOUBTS:
            return None
        in_lists = listed * LISTED_ITEM_COST <= keys.shape[1]
        ascending = counter.in_lists() if in_lists else counter.in_passes()
    return torch.empty_like(ascending).scatter_(1, order, ascending)


class _Counter:
    """Counts for the positives of some queries, each query's in ascending order of their keys.

    Args:
        known: the queries.
        keys: (Q, P) int64, the ranking keys of their positives, ascending.
        rough: the same queries in float32.
    """

    def __init__(self, known: Positives, keys: Tensor, rough: RoughQueries) -> None:
        self.known, self.keys, self.rough = known, keys, rough
        values = known.values.sort(dim=1).values
        bounds, error = rough.as_rough(values), rough.error[:, None]
        padding = values == torch.inf
        self.lowest = (bounds - error).masked_fill(padding, torch.inf).float()  # (Q, P) windows
        self.highest = (bounds + error).masked_fill(padding, torch.inf).float()

    def shares(self) -> tuple[float, float]:
        """Tell of a sample which share is as near as a farthest positive, and which in a window."""
        items = self.rough.gallery.rows
        similarities = self.rough.similarities(items[:: max(1, len(items) // _SAMPLE)])
        rows, columns = torch.where(similarities >= self.lowest[:, :1])
        low, high = self._places(rows, similarities[rows, columns])
        return len(rows) / similarities.numel(), float((low != high).sum()) / similarities.numel()

    def in_lists(self) -> Tensor:
        """List the items as near as the farthest positive, and place each between two of them."""
        in_place = self.keys.new_zeros(self.keys.shape[0], self.keys.shape[1] + 1)
        lists, length = [], 0
        for rows, columns, block in self.rough.blocks():
            self.known.drop_left_out(rows, columns, block)
            flat = places_reaching(block, self.lowest[rows, :1])
            row = flat // block.shape[1]
            column = flat - row * block.shape[1] + columns.start
            lists.append((row + rows.start, column, block.flatten()[flat]))
            length += len(flat)
            if length > _LISTED:
                self._place(in_place, lists)
                lists, length = [], 0
        self._place(in_place, lists)
        below = in_place.cumsum(dim=1)  # listed items not before each positive
        return below[:, -1:] - below[:, :-1]

    def _place(self, in_place: Tensor, lists: Sequence[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Add to the counts (Q, P + 1) of places listed rows, columns and rough similarities."""
        if not lists:
            return
        rows, columns, values = (torch.cat(parts) for parts in zip(*lists, strict=True))
        places, most = self._places(rows, values)
        [doubtful] = ((places != most) & (values > -torch.inf)).nonzero(as_tuple=True)
        some = rows[doubtful]
        places[doubtful] = self._number_smaller(some, self._keys(some, columns[doubtful]))
        ones = torch.ones_like(places)
        in_place.view(-1).scatter_add_(0, rows * in_place.shape[1] + places, ones)

    def in_passes(self) -> Tensor:
        """Compare each row with each positive."""
        before = torch.zeros_like(self.keys)
        for rows, columns, block in self.rough.blocks():
            self.known.drop_left_out(rows, columns, block)
            above, near = torch.empty_like(block), torch.empty_like(block)
            for p in range(before.shape[1]):
                # Masks of float32 are filled and summed twice as fast as masks of booleans.
                certain = torch.gt(block, self.highest[rows, p, None], out=above).sum(dim=1)
                possible = torch.ge(block, self.lowest[rows, p, None], out=near).sum(dim=1)
                before[rows, p] += certain.long()
                if not torch.equal(certain, possible):
                    window = near.sub_(above).masked_fill_(block == -torch.inf, 0)
                    before[rows, p] += self._before_in_window(window, rows, columns, p)
        return before

    def _before_in_window(self, window: Tensor, rows: slice, columns: slice, p: int) -> Tensor:
        """Count what comes before positive ``p`` of each row, where ``window`` is 1, (rows,)."""
        flat, width = places_reaching(window, torch.ones_like(window[:, :1])), window.shape[1]
        row = flat // width
        keys = self._keys(row + rows.start, flat % width + columns.start)
        nearer = keys > self.keys[rows, p][row]
        return torch.bincount(row[nearer], minlength=rows.stop - rows.start)

    def _places(self, rows: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Count for items (M,) of rows (M,) the positives that may be, and must be, farther.

        Returns:
            How many positives an item is at least before, and how many at most, (M,) both. They
            differ where it is in a window.
        """
        searched = _composed(rows, values)
        every = torch.arange(len(self.keys), device=rows.device)[:, None]
        least, most = (
            torch.searchsorted(_composed(every, bounds).flatten(), searched, right=right)
            for bounds, right in ((self.highest, False), (self.lowest, True))
        )
        first = rows * self.keys.shape[1]
        return least - first, most - first

    def _number_smaller(self, rows: Tensor, keys: Tensor) -> Tensor:
        """Count for the keys (M,) of items of rows (M,) the positives with a smaller one, (M,)."""
        some = max(1, _AT_ONCE // self.keys.shape[1])
        counts = [
            (self.keys[row] < key[:, None]).sum(dim=1)
            for row, key in zip(rows.split(some), keys.split(some), strict=True)
        ]
        return torch.cat(counts) if counts else rows

    def _keys(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Measure pairs (M,) in float64, and return their ranking keys, (M,) int64."""
        gallery = self.rough.gallery
        exact = similarities_of(
            self.known.queries[rows], gallery.rows, columns[:, None], gallery.distance
        )
        return ranking_keys(exact, columns[:, None])[:, 0]


def _composed(rows: Tensor, values: Tensor) -> Tensor:
    """Combine rows and float32 values into int64 that order by the row, then by the value."""
    return (rows << 32) + (ranking_keys(values, torch.zeros_like(rows)) >> 32)

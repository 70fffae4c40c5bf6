"""Ranks of a large batch that is its own gallery: each similarity is made once for two queries.

A tile holds the similarities of some items to some others, where a block holds those to all items.
Since s[q,z] = s[z,q], its transpose holds those of the others to the first. So only tiles on and
above the diagonal are made, forward and again backward. With w = dL/dS, as in
:mod:`recallkit.ranks.blocks`, the gradient is (w + wᵀ) E, and w + wᵀ is symmetric, too: a tile
above the diagonal, w[I,J] + w[J,I]ᵀ, serves the items I and the items J. This takes half of the
four products of blocks, in as little memory:

    forward     ½ B² D    tiles of S = E Eᵀ
    backward    ½ B² D    the same again
                1 B² D    (w + wᵀ) E

The similarities to positives are made first, since each tile is compared with all of them; their
own part of the gradient, −Σ_z σ' of each, is complete after the last tile, and added then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recallkit.ranks.blocks import block_budget, block_height, block_rows
from recallkit.ranks.cells import never_pay
from recallkit.ranks.precision import products_in
from recallkit.ranks.segments import (
    SEGMENT,
    Alive,
    add_sigmoids,
    empty_block,
    find_alive,
    placed,
    slopes,
)


def tiles_pay(queries: Tensor, gallery: Tensor, positives: Tensor) -> bool:
    """Tell whether tiles are the cheapest: the batch is its own gallery, large, its classes small.

    With many positives a query, what is saved by cells of whole rows is more.
    """
    own_gallery = queries is gallery and len(queries) > _side(queries)
    return own_gallery and never_pay(positives.shape[1], queries)


def tiles_ranks(
    embeddings: Tensor,
    positives: Tensor,
    left_out: Tensor | None,
    temperature: float,
    skip: bool = True,
) -> Tensor:
    """Compute relaxed ranks of a batch in itself; see :func:`.relaxed_ranks`.

    Products are in float32 proper, or float64. Memory besides the batch and its gradient: O(B·P)
    and a few tiles. Differentiable once. The result is that of :func:`.blocks_ranks` up to
    rounding; ``skip`` means the same.
    """
    side = _side(embeddings)
    return _TilesRanks.apply(embeddings, positives, left_out, temperature, skip, side)


def _side(like: Tensor) -> int:
    """Count the rows and columns of a tile: whole segments, where one fits a block."""
    side = isqrt(block_budget(like) // like.element_size())
    return max(1, side if side < SEGMENT else side // SEGMENT * SEGMENT)


@dataclass(frozen=True)
class _Batch:
    """A batch, and how it is cut.

    Attributes:
        embeddings: (B, D).
        positives: (B, P), −1 at padding.
        left_out: (B,), or None.
        own: (B, P) similarities over τ to the positives.
        temperature: τ.
        side: rows and columns of a tile; fewer in the last.
    """

    embeddings: Tensor
    positives: Tensor
    left_out: Tensor | None
    own: Tensor
    temperature: float
    side: int

    def tiles(self) -> Iterator[tuple[slice, slice]]:
        """Yield rows and columns of each tile on and above the diagonal."""
        some = list(block_rows(len(self.embeddings), self.side))
        for i, rows in enumerate(some):
            for columns in some[i:]:
                yield rows, columns

    def blocks(self, rows: slice, columns: slice) -> list[tuple[Tensor, slice]]:
        """Make a tile and, above the diagonal, its transpose: each a block, and whose it is."""
        ours, theirs = self.embeddings[rows], self.embeddings[columns]
        block = empty_block(len(ours), len(theirs), ours)
        torch.mm(ours / self.temperature, theirs.T, out=block[:, : len(theirs)])
        if rows == columns:
            return [(self._marked(block, rows, columns), rows)]
        turned = empty_block(len(theirs), len(ours), ours)
        turned[:, : len(ours)] = block[:, : len(theirs)].T
        return [
            (self._marked(block, rows, columns), rows),
            (self._marked(turned, columns, rows), columns),
        ]

    def alive(self, block: Tensor, rows: slice, skip: bool) -> Alive:
        """Find what matters in a block of some rows."""
        return find_alive(block, self.own[rows], self.positives[rows], len(self.own), skip)

    def _marked(self, block: Tensor, rows: slice, columns: slice) -> Tensor:
        """Leave out what does not compete, and give each positive exactly its own similarity.

        Another order of sums rounds otherwise, and σ(0) = ½ is taken for granted.
        """
        row, slot, column = _inside(self.positives[rows], columns)
        block[row, column] = self.own[rows][row, slot]
        if self.left_out is not None:
            row, _, column = _inside(self.left_out[rows, None], columns)
            block[row, column] = -torch.inf  # σ(−∞) = 0
        return block


def _inside(items: Tensor, columns: slice) -> tuple[Tensor, Tensor, Tensor]:
    """Find items (q, m) that lie in some columns: their rows, slots, and places in the columns."""
    row, slot = ((items >= columns.start) & (items < columns.stop)).nonzero(as_tuple=True)
    return row, slot, items[row, slot] - columns.start


class _TilesRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx, embeddings, positives, left_out, temperature, skip, side):
        ctx.skip = skip
        with products_in("float32", embeddings.device.type):
            own = _similarities_of_positives(embeddings, positives, temperature)
            ctx.save_for_backward(embeddings, positives, left_out, own)
            ctx.cut = temperature, side
            batch = _Batch(embeddings, positives, left_out, own, temperature, side)
            ranks, ctx.tiles = torch.zeros_like(own), []  # those with an item that matters
            for tile in batch.tiles():
                matters = False
                for block, rows in batch.blocks(*tile):
                    alive = batch.alive(block, rows, skip)
                    add_sigmoids(ranks[rows], alive, own[rows])
                    matters |= len(alive.row) > 0
                if matters:
                    ctx.tiles.append(tile)
        # p itself was counted with σ(0) = ½, in place of the 1 of the definition.
        return ranks.add_(0.5).masked_fill_(positives < 0, torch.inf)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_ranks):
        batch = _Batch(*ctx.saved_tensors, *ctx.cut)
        grad_ranks = grad_ranks.masked_fill(batch.positives < 0, 0) / batch.temperature
        grad, back = torch.zeros_like(batch.embeddings), torch.zeros_like(grad_ranks)
        with products_in("float32", grad.device.type):
            for rows, columns in ctx.tiles:
                weights = _weights(batch, rows, columns, grad_ranks, back, ctx.skip)
                grad[rows].addmm_(weights, batch.embeddings[columns])
                if rows != columns:
                    grad[columns].addmm_(weights.T, batch.embeddings[rows])
            _add_own_part(grad, batch, back)
        return grad, *(None,) * 5


def _weights(
    batch: _Batch, rows: slice, columns: slice, grad_ranks: Tensor, back: Tensor, skip: bool
) -> Tensor:
    """Compute a tile of w + wᵀ, and add g · Σ_z σ' of its items to ``back`` (B, P)."""
    found = []
    for block, some in batch.blocks(rows, columns):
        alive = batch.alive(block, some, skip)
        segments, sums = slopes(alive, batch.own[some], grad_ranks[some])
        others = columns if some == rows else rows
        weights = placed(segments, alive, block)[:, : others.stop - others.start]
        # What nearly cancels is subtracted before the product, where the tile has the positive.
        row, slot, column = _inside(batch.positives[some], others)
        weights[row, column] -= sums[row, slot]
        sums[row, slot] = 0
        back[some] += sums
        found.append(weights)
    return found[0] + found[-1].T


def _similarities_of_positives(embeddings: Tensor, positives: Tensor, temperature: float) -> Tensor:
    """Compute similarities over τ to the positives (B, P), some rows at a time."""
    own = embeddings.new_empty(positives.shape)
    for rows in _few_rows(embeddings, positives):
        ours, found = embeddings[rows] / temperature, _found(embeddings, positives[rows])
        own[rows] = (found.double() @ ours.double()[:, :, None]).squeeze(2)
    return own


def _add_own_part(grad: Tensor, batch: _Batch, back: Tensor) -> None:
    """Subtract back[q,p] · E_p from the gradient of q, and back[q,p] · E_q from that of p.

    At padding ``back`` is 0: subtracting it at item 0 changes nothing.
    """
    for rows in _few_rows(grad, back):
        found, pull = _found(batch.embeddings, batch.positives[rows]), back[rows, :, None]
        grad[rows] -= (pull * found).sum(dim=1)
        of_positives = pull * -batch.embeddings[rows, None]  # (q, P, D)
        grad.index_add_(0, batch.positives[rows].clamp(min=0).flatten(), of_positives.flatten(0, 1))


def _found(embeddings: Tensor, positives: Tensor) -> Tensor:
    return embeddings[positives.clamp(min=0)]  # (q, P, D)


def _few_rows(embeddings: Tensor, positives: Tensor) -> Iterator[slice]:
    """Yield the rows whose positives' embeddings together fit a block."""
    return block_rows(
        len(positives), block_height(positives.shape[1] * embeddings.shape[1], embeddings)
    )

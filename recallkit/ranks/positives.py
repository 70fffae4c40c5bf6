"""The positives of each query: labels in, a table of gallery indices out."""

from typing import Any

import torch
from torch import Tensor

from recallkit.labels import canonical_labels

SMALL = 2**16  # pairs, of which a mask costs less than a sort and what follows it


def find_positives(query_labels: Any, gallery_labels: Any = None) -> Tensor:
    """List for every query the gallery items of its class.

    Labels are arbitrary integers or text in any order; classes have any size. The cost is a sort
    of the gallery's labels and the table itself: no Q×N mask is made, but for a small batch.

    Args:
        query_labels: (Q,) of any kind that :func:`.canonical_labels` takes.
        gallery_labels: (N,) of the same kind. None: the queries are the gallery, and a query is not
            a positive of its own.

    Returns:
        (Q, P) int64 gallery indices, ascending in a row, P the largest number of positives of any
        query (at least 1). Rows with fewer are filled up with −1.

    Raises:
        ValueError: labels that are missing, floats, or integers beside text.
    """
    given = {"query_labels": query_labels}
    if gallery_labels is not None:
        given["gallery_labels"] = gallery_labels
    return table_of_positives(*canonical_labels(given))[0]


def table_of_positives(
    query_labels: Tensor, gallery_labels: Tensor | None = None
) -> tuple[Tensor, bool]:
    """Return the table of :func:`find_positives` for canonical labels, and whether it is full.

    A full table has no padding, which saves its reader the search.
    """
    within = gallery_labels is None
    gallery_labels = query_labels if gallery_labels is None else gallery_labels
    if not (len(query_labels) and len(gallery_labels)):
        table = torch.full((len(query_labels), 1), -1, device=query_labels.device)
        return table, len(table) == 0
    if len(query_labels) * len(gallery_labels) <= SMALL:
        table = _from_mask(query_labels, gallery_labels, within)
        if table is not None:
            return table, True
    ordered, order = torch.sort(gallery_labels, stable=True)
    start = torch.searchsorted(ordered, query_labels.contiguous())  # (Q,)
    count = torch.searchsorted(ordered, query_labels.contiguous(), right=True) - start  # (Q,)
    slot = torch.arange(max(1, int(count.max()) - within), device=order.device)  # (P,)
    slot = slot.expand(len(query_labels), -1)  # (Q, P)
    if within:
        own = torch.empty_like(order)  # the place of each item within its class
        own[order] = torch.arange(len(order), device=order.device)
        count = count - 1
        slot = slot + (slot >= (own - start)[:, None])
    place = (start[:, None] + slot).clamp(max=len(order) - 1)
    padding = torch.arange(slot.shape[1], device=order.device) >= count[:, None]
    return order[place].masked_fill(padding, -1), not padding.any()


def _from_mask(query_labels: Tensor, gallery_labels: Tensor, within: bool) -> Tensor | None:
    """Read the table off a mask (Q, N), if all queries have as many positives; else None."""
    mask = query_labels[:, None] == gallery_labels
    if within:
        mask.fill_diagonal_(False)
    items = mask.nonzero()[:, 1]  # ascending for each query in turn
    width, rest = divmod(len(items), len(mask))
    if rest or width == 0 or (mask.sum(dim=1) != width).any():
        return None
    return items.view(len(mask), width)

"""Retrieval tasks whose positives are told by a function of the labels, or by a table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from recallkit.metrics.task import RetrievalTask

Relevance = Callable[[Any, Any], Any] | Tensor | np.ndarray
"""A function (labels of q queries, labels of the gallery) → (q, N) bool, or a table (Q, N) bool."""

ENTRIES = 2**24  # of the part of the table that is held at once: 16 MB


@dataclass(frozen=True)
class RelevanceTask(RetrievalTask):
    """A retrieval whose positives ``relevance`` tells; there are no classes.

    Attributes:
        relevance: a function, which is asked a few times for each query, or a table.
        given_labels: of queries and gallery as the function takes them: each a tensor, an array or
            a list. Of no use for a table.
    """

    relevance: Relevance
    given_labels: tuple[Any, Any]

    def number_of_positives(self) -> Tensor:
        """Count the positives of each query, (Q,) int64."""
        rows = torch.arange(len(self.queries), device=self.queries.device)
        parts = rows.split(self._rows_at_once())
        return torch.cat([self._relevant(part).sum(dim=1) for part in parts])

    def width(self) -> Tensor:
        """Return how many columns the table of positives needs for each query, (Q,) int64."""
        return self.number_of_positives()

    def classes(self) -> None:
        """Return None: items that are relevant to one query need not be so to each other."""
        return None

    def positives(self, rows: Tensor) -> Tensor:
        """Make the table of positives of some queries, (rows, P) int64, −1 at padding."""
        parts = rows.split(self._rows_at_once())
        found = [row.nonzero().flatten() for part in parts for row in self._relevant(part)]
        return pad_sequence(found, batch_first=True, padding_value=-1)

    def _rows_at_once(self) -> int:
        return max(1, ENTRIES // len(self.gallery))

    def _relevant(self, rows: Tensor) -> Tensor:
        """Tell the positives of some queries, (rows, N) bool, in a tensor of its own."""
        relevant = self._asked(rows).to(self.queries.device, copy=True)
        if self.itself is not None:
            own = self.itself[rows]
            inside = (own >= 0).nonzero().flatten()
            relevant[inside, own[inside]] = False
        if (groups := self.groups_of(rows)) is not None:
            relevant &= groups[0][:, None] != groups[1]
        return relevant

    def _asked(self, rows: Tensor) -> Tensor:
        """Return what the table or function says of some queries, checked."""
        if not callable(self.relevance):
            table = _checked(self.relevance, (len(self.queries), len(self.gallery)))
            return table[rows.to(table.device)]
        ours, others = self.given_labels
        return _checked(self.relevance(_chosen(ours, rows), others), (len(rows), len(self.gallery)))


def _chosen(labels: Any, rows: Tensor) -> Any:
    """Return the labels of some rows, in the type in which they came."""
    if isinstance(labels, Tensor):
        return labels[rows.to(labels.device)]
    chosen = rows.tolist()
    return labels[chosen] if isinstance(labels, np.ndarray) else [labels[row] for row in chosen]


def _checked(table: Any, shape: tuple[int, int]) -> Tensor:
    table = torch.as_tensor(table)
    if table.dtype != torch.bool or table.shape != shape:
        raise ValueError(
            f"relevance must tell for {shape[0]} queries and {shape[1]} gallery items which are "
            f"relevant, as bool of shape {shape}, not {table.dtype} of shape {tuple(table.shape)}"
        )
    return table

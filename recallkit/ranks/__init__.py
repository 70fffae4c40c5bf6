"""The relaxed rank, and the engines that compute it."""

from recallkit.ranks.among_positives import ranks_among_positives
from recallkit.ranks.positives import find_positives, table_of_positives
from recallkit.ranks.relaxed import ENGINES, compute_ranks, relaxed_ranks

__all__ = [
    "ENGINES",
    "compute_ranks",
    "find_positives",
    "ranks_among_positives",
    "relaxed_ranks",
    "table_of_positives",
]

"""The relaxed rank, and the engines that compute it."""

from recallkit.ranks.among_positives import ranks_among_positives
from recallkit.ranks.positives import find_positives, table_of_positives
from recallkit.ranks.precision import check_precision
from recallkit.ranks.relaxed import (
    ENGINES,
    check_engine,
    compute_ranks,
    is_small,
    relaxed_ranks,
)
from recallkit.ranks.small import SmallProblem

__all__ = [
    "ENGINES",
    "SmallProblem",
    "check_engine",
    "check_precision",
    "compute_ranks",
    "find_positives",
    "is_small",
    "ranks_among_positives",
    "relaxed_ranks",
    "table_of_positives",
]

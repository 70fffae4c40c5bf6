"""Exact search and the metrics of retrieval."""

from recallkit.evaluation.metrics import metrics_of_neighbours, positive_ranks, retrieval_metrics
from recallkit.evaluation.search import search

__all__ = ["metrics_of_neighbours", "positive_ranks", "retrieval_metrics", "search"]

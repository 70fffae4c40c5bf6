"""Exact search and the metrics of retrieval."""

from recallkit.evaluation.counting import positive_ranks
from recallkit.evaluation.metrics import metrics_of_neighbours, retrieval_metrics
from recallkit.evaluation.revisited import revisited_metrics, revisited_of_embeddings
from recallkit.evaluation.search import search
from recallkit.evaluation.whitening import Whitening, fit_whitening

__all__ = [
    "Whitening",
    "fit_whitening",
    "metrics_of_neighbours",
    "positive_ranks",
    "retrieval_metrics",
    "revisited_metrics",
    "revisited_of_embeddings",
    "search",
]

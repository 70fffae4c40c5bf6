"""Exact search, the metrics of retrieval, and those of segmentation."""

from recallkit.metrics.arrays import as_embeddings
from recallkit.metrics.distances import DISTANCES, Distance
from recallkit.metrics.neighbours import search
from recallkit.metrics.ranks import positive_ranks
from recallkit.metrics.recall import (
    Retrieval,
    measure_retrieval,
    metrics_of_neighbours,
    retrieval_metrics,
)
from recallkit.metrics.revisited import revisited_metrics, revisited_of_embeddings
from recallkit.metrics.segmentation import (
    SegmentationMetrics,
    boundary,
    confusion,
    segmentation_metrics,
)
from recallkit.metrics.whitening import Whitening, fit_whitening

__all__ = [
    "DISTANCES",
    "Distance",
    "Retrieval",
    "SegmentationMetrics",
    "Whitening",
    "as_embeddings",
    "boundary",
    "confusion",
    "fit_whitening",
    "measure_retrieval",
    "metrics_of_neighbours",
    "positive_ranks",
    "retrieval_metrics",
    "revisited_metrics",
    "revisited_of_embeddings",
    "search",
    "segmentation_metrics",
]

"""Search and metrics of other libraries, each with the same queries and gallery."""

from dataclasses import dataclass
from importlib import import_module

from torch import Tensor

from recallkit.metrics.faiss_index import FlatIndex


@dataclass(frozen=True)
class Task:
    """Queries, the gallery to search, and the labels of both.

    Attributes:
        queries: (Q, D) unit vectors, which are in the gallery too.
        labels: (Q,).
        gallery: (N, D).
        gallery_labels: (N,).
        k: number of neighbours, and the larger k of R@k.
    """

    queries: Tensor
    labels: Tensor
    gallery: Tensor
    gallery_labels: Tensor
    k: int


def search_of_faiss(task: Task) -> Tensor:
    """Find the neighbours by a flat index of faiss, which takes a copy of the gallery first.

    It ranks by products in float32. So neighbours that nearly tie may change places.

    Returns:
        Gallery indices (Q, k).
    """
    index = FlatIndex(task.gallery.shape[1], task.gallery.device)
    index.add(task.gallery)
    return index.search(task.queries, task.k)[1]


def metrics_of_pml(task: Task) -> dict[str, float]:
    """Compute R@1 and mAP@R by pytorch-metric-learning.

    It searches as many neighbours as a class has images, whatever k is, by a flat index of faiss.
    It has no R@k of another k.
    """
    calculator = import_module("pytorch_metric_learning.utils.accuracy_calculator")
    names = {"precision_at_1": "R@1", "mean_average_precision_at_r": "mAP@R"}
    device = task.gallery.device
    by_search = calculator.AccuracyCalculator(tuple(names), k="max_bin_count", device=device)
    values = by_search.get_accuracy(
        task.queries, task.labels, task.gallery, task.gallery_labels, ref_includes_query=False
    )
    return {names[name]: value for name, value in values.items()}


def metrics_of_oml(task: Task) -> dict[str, float]:
    """Compute R@1 and R@k by open-metric-learning, which calls them CMC.

    Its mean average precision is another than ours, and is left out. It makes the distances of up
    to 5,000 queries to the whole gallery at once.
    """
    knn, metrics = (import_module(f"oml.functional.{name}") for name in ("knn", "metrics"))
    _, found, positives = knn.batched_knn_qg(
        task.queries, task.gallery, task.k, task.labels, task.gallery_labels
    )
    values = metrics.calc_retrieval_metrics(
        found, positives, None, (1, task.k), precision_top_k=(), map_top_k=(), verbose=False
    )
    return {f"R@{k}": float(value) for k, value in values["cmc"].items()}

"""The cost of exact search and of metrics beside their products: ``recallkit bench search``.

Each method and the matrix products in float32, which the search begins with, take turns in one
process, so other work on the machine hardly changes their ratio; see :mod:`recallkit.bench.cases`
and :mod:`recallkit.metrics.rough`. The products in float64, which define the answer, are timed as
well. Methods of other libraries are measured where these are installed; see
:mod:`recallkit.bench.libraries`.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from tqdm import tqdm

from recallkit.bench import search_by_libraries as others
from recallkit.bench.cases import MB, main, peak, run_case, seconds, start_of_peak
from recallkit.bench.libraries import bench_environment, installed, use_threads
from recallkit.metrics import retrieval_metrics, search
from recallkit.tables import text_table
from recallkit.training.environment import keep_freed_memory

REPEATS = 3
SIZES = (  # N, D and k
    (60_502, 512, 10),  # the test images of Stanford Online Products
    (60_502, 512, 1000),
    (500_000, 64, 10),  # a larger gallery of short vectors
)


@dataclass(frozen=True)
class SearchCase:
    """One case of the benchmark.

    Attributes:
        method: a key of :data:`METHODS`.
        size: N, of the gallery.
        dim: D.
        k: number of neighbours, and the larger k of R@k.
        queries: Q, of the N; the cost of a query is the same for all.
        device: "cpu".
        threads: number of CPU threads.
    """

    method: str
    size: int
    dim: int
    k: int
    queries: int = 1024
    device: str = "cpu"
    threads: int = 2


def _search(task: others.Task) -> Any:
    return search(task.queries, task.gallery, task.k, engine="torch")


def _metrics(task: others.Task) -> Any:
    ks = (1, task.k)
    return retrieval_metrics(task.queries, task.labels, task.gallery, task.gallery_labels, ks=ks)


METHODS: dict[str, Callable[[others.Task], Any]] = {
    "float32 products": lambda task: _products(task.queries, task.gallery),
    "float64 products": lambda task: _products(task.queries.double(), task.gallery.double()),
    "search": _search,
    "search of faiss": others.search_of_faiss,
    "metrics": _metrics,
    "metrics of pytorch-metric-learning": others.metrics_of_pml,
    "metrics of open-metric-learning": others.metrics_of_oml,
}
"""Method → its work: the neighbours, or the metrics, of a task."""


def available(method: str) -> bool:
    """Tell whether a method can run here; that of pytorch-metric-learning needs faiss too."""
    return installed(method) and ("pytorch-metric" not in method or installed("faiss"))


def measure_search(case: SearchCase) -> dict[str, Any]:
    """Measure the seconds and bytes of one case, in this process.

    Returns:
        Medians of ``REPEATS`` after a warm-up: nanoseconds a pair of query and gallery item, the
        same for the float32 products, and the median ratio of the two; MB at the peak over the
        vectors, under Linux alone.
    """
    use_threads(case.threads)
    method, task = METHODS[case.method], task_of(case)
    method(task_of(replace(case, size=4 * case.k, queries=8)))  # libraries load at a first call
    _products(task.queries, task.gallery)
    peak_mb = _peak_mb(lambda: method(task))
    keep_freed_memory()  # as a training does; the peak needed it given back
    own, products = [], []
    for _ in range(REPEATS):
        own.append(seconds(lambda: method(task), case.device))
        products.append(seconds(lambda: _products(task.queries, task.gallery), case.device))
    pairs = len(task.queries) * case.size
    return {
        "ns_per_pair": 1e9 * median(own) / pairs,
        "products_ns_per_pair": 1e9 * median(products) / pairs,
        "ratio": median(a / b for a, b in zip(own, products, strict=True)),
        "peak_mb": peak_mb,
    }


def _peak_mb(work: Callable[[], Any]) -> float | None:
    if sys.platform != "linux":
        return None
    before = start_of_peak("cpu")
    work()
    return (peak("cpu") - before) / MB


def task_of(case: SearchCase) -> others.Task:
    """Draw unit vectors around a centre for each class of five, in the order of the classes."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(case.size) // 5
    centres = torch.randn(int(labels[-1]) + 1, case.dim, generator=generator)
    noise = torch.randn(case.size, case.dim, generator=generator)
    gallery = normalize(centres[labels] + noise, dim=1)
    some = torch.arange(0, case.size, max(1, case.size // case.queries))[: case.queries]
    return others.Task(gallery[some], labels[some], gallery, labels, case.k)


def _products(queries: Tensor, gallery: Tensor) -> None:
    for block in queries.split(1024):  # the blocks of the search; no other size is faster
        for items in gallery.split(4096):
            block @ items.T


def search_cases(methods: Sequence[str] = tuple(METHODS), threads: int = 2) -> list[SearchCase]:
    """List the methods that can run here for each gallery and k."""
    return [
        SearchCase(method, *size, threads=threads)
        for size in SIZES
        for method in methods
        if available(method)
    ]


def bench_search(
    cases: Sequence[SearchCase], limit_s: float = 300, limit_gb: float = 16
) -> dict[str, Any]:
    """Measure the cases.

    Returns:
        The result to store: the cases with their measurements, and the environment.
    """
    measured = [
        run_case(__name__, case, limit_s, limit_gb)
        for case in tqdm(cases, desc="benchmark", unit="case")
    ]
    return {"cases": measured, **bench_environment("cpu")}


def search_table(cases: Sequence[Mapping[str, Any]]) -> str:
    """Format the cases as a table, a row each."""
    header = ["gallery", "k", "method", "ns a pair", "× products", "MB over vectors"]
    return text_table(header, [_row(case) for case in cases])


def _row(case: Mapping[str, Any]) -> list[str]:
    head = [f"{case['size']:,} × {case['dim']}", f"{case['k']:,}", case["method"]]
    if "failed" in case:
        return [*head, case["failed"], "", ""]
    memory = "" if case["peak_mb"] is None else f"{case['peak_mb']:.0f}"
    return [*head, f"{case['ns_per_pair']:.2f}", f"{case['ratio']:.2f}", memory]


if __name__ == "__main__":
    main(SearchCase, measure_search)

"""The cost of exact search beside its matrix products: ``recallkit bench search``.

Products and search take turns in one process, so other work on the machine hardly changes their
ratio. The products are those of float32, which the search begins with (see
:mod:`recallkit.metrics.rough`). Those of float64, which define the answer, are timed as well.
"""

from collections.abc import Mapping, Sequence
from statistics import median

import torch
from torch import Tensor
from torch.nn.functional import normalize

from recallkit.bench.cases import seconds
from recallkit.metrics import retrieval_metrics, search
from recallkit.tables import text_table

CASES = (  # the test images of Stanford Online Products, and a larger gallery of short vectors
    {"size": 60_502, "dim": 512, "k": 10},
    {"size": 60_502, "dim": 512, "k": 1000},
    {"size": 500_000, "dim": 64, "k": 10},
)


def bench_search(
    size: int = 60_502, dim: int = 512, k: int = 1000, queries: int = 1024, repeats: int = 3
) -> dict[str, float]:
    """Time a search for k neighbours, and the matrix products that it needs.

    Args:
        size: N, of the gallery. Default: the test images of Stanford Online Products.
        dim: D.
        k: number of neighbours.
        queries: Q, of the N; the cost of a query is the same for all.
        repeats: rounds; the median counts.

    Returns:
        Nanoseconds a pair of query and gallery item, on as many threads as torch has now:
        ``search`` (torch), ``metrics`` (R@k, mAP@R and mAP by counting), ``float64`` and
        ``float32`` (products alone); and the ratios of the first two to the last.
    """
    gallery, labels = _clustered(size, dim)
    some = gallery[:: max(1, size // queries)][:queries]
    some_labels = labels[:: max(1, size // queries)][:queries]
    work = {
        "float64": lambda: _products(some.double(), gallery.double()),
        "float32": lambda: _products(some, gallery),
        "search": lambda: search(some, gallery, k, engine="torch"),
        "metrics": lambda: retrieval_metrics(some, some_labels, gallery, labels, ks=(1, k)),
    }
    rounds = [
        {name: seconds(call, "cpu") for name, call in work.items()} for _ in range(repeats + 1)
    ]
    pairs = len(some) * size
    costs = {name: median(r[name] for r in rounds[1:]) / pairs * 1e9 for name in work}
    return costs | {
        f"{name} ratio": costs[name] / costs["float32"] for name in ("search", "metrics")
    }


def _clustered(size: int, dim: int) -> tuple[Tensor, Tensor]:
    """Draw unit vectors around a centre for each class of five, in the order of the classes."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(size) // 5
    centres = torch.randn(int(labels[-1]) + 1, dim, generator=generator)
    return normalize(centres[labels] + torch.randn(size, dim, generator=generator), dim=1), labels


def _products(queries: Tensor, gallery: Tensor) -> None:
    for block in queries.split(1024):  # the blocks of the search; no other size is faster
        for items in gallery.split(4096):
            block @ items.T


def search_table(rows: Sequence[Mapping[str, float]]) -> str:
    """Format the costs as a table, a row for each gallery and k."""
    case = ("size", "dim", "k")
    names = [name for name in rows[0] if name not in case]
    cells = [
        [
            f"{row['size']:,} × {row['dim']}, k = {row['k']}",
            *(f"{row[name]:.2f}" for name in names),
        ]
        for row in rows
    ]
    return text_table(["ns a pair", *names], cells)

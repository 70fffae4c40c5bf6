"""A flat index of faiss: on the GPU of the queries if faiss supports it, else on the CPU.

faiss is optional. It comes with ``recallkit[course]``: on Linux x86-64 as faiss-gpu, elsewhere as
faiss-cpu.
"""

import sys
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from recallkit.errors import RecallkitError

LARGEST_K_ON_GPU = 2048  # faiss selects the nearest in registers, which hold no more


class FlatIndex:
    """The nearest items of a gallery by dot products in float32.

    Args:
        dim: D, of queries and gallery.
        device: that of the queries.

    Attributes:
        on_gpu: whether it computes on ``device``, a GPU. If not, it computes on the CPU.
        largest_k: how many neighbours of a query it can find.

    Raises:
        RecallkitError: if faiss is not installed.
    """

    def __init__(self, dim: int, device: torch.device) -> None:
        faiss = _required_faiss()
        number = device.index or 0
        self.on_gpu = device.type == "cuda" and number < faiss.get_num_gpus()
        self.largest_k = LARGEST_K_ON_GPU if self.on_gpu else sys.maxsize
        self._index = _gpu_index(faiss, dim, number) if self.on_gpu else faiss.IndexFlatIP(dim)

    def add(self, gallery: Tensor) -> None:
        """Copy the gallery (N, D), on any device, into the index."""
        vectors = self._float32(gallery)
        with torch.cuda.device_of(vectors):  # faiss joins the current stream of this device
            self._index.add(vectors)

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Find the ``k`` most similar items, nearest first, equal ones in any order.

        Args:
            queries: (Q, D) floating point.
            k: at most ``largest_k``.

        Returns:
            Similarities (Q, k) float64, rounded as float32 products are, and gallery indices (Q, k)
            int64, on the device of the queries.
        """
        vectors = self._float32(queries)
        with torch.cuda.device_of(vectors):
            similarities, indices = self._index.search(vectors, k)
        return similarities.to(queries.device).double(), indices.to(queries.device)

    def _float32(self, vectors: Tensor) -> Tensor:
        """Return the vectors as faiss reads them: from torch's memory, without a further copy."""
        vectors = vectors.detach().float().contiguous()
        return vectors if self.on_gpu else vectors.cpu()


def faiss_or_none() -> ModuleType | None:
    """Import faiss, with support of tensors; None if it is not installed."""
    try:
        import faiss
        import faiss.contrib.torch_utils  # arrays of numpy are still taken
    except ImportError:
        return None
    return faiss


def _required_faiss() -> ModuleType:
    faiss = faiss_or_none()
    if faiss is None:
        raise RecallkitError(
            'engine="faiss" needs faiss, which cannot be imported: '
            'pip install "recallkit[course]", or use engine="torch", which gives the same result'
        )
    return faiss


def _gpu_index(faiss: Any, dim: int, number: int) -> Any:
    config = faiss.GpuIndexFlatConfig()
    config.device = number
    return faiss.GpuIndexFlatIP(faiss.StandardGpuResources(), dim, config)

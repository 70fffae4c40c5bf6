"""The memory that work takes: exact, repeatable, on any device.

The resident size of a process says little about its tensors, since the allocator of the C library
keeps what was freed. Here every operation of PyTorch is watched, and the bytes of the tensors that
it made are counted as long as they live. Memory that a kernel takes and frees within one operation
is not seen.

Work need not be computed to be measured. On the device "meta" tensors have a shape and no content,
so a step can be measured that no machine could run.
"""

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Work = Callable[[], Any]


def memory_trace(work: Work) -> list[int]:
    """Count the bytes of living tensors after each operation of ``work``.

    Args:
        work: called once, without arguments; its backward passes are watched too. Tensors that
            lived before it are not counted.

    Returns:
        One number for each operation, views and the operations of autograd included.
    """
    with _LivingTensors() as living:
        work()
    return living.trace


def peak_bytes(work: Work, device: str | torch.device = "cpu") -> int:
    """Measure the most bytes that the tensors made by ``work`` held at once.

    Args:
        work: called once, without arguments.
        device: where it computes. On CUDA the allocator is asked, which also sees the working space
            of kernels. Elsewhere the tensors are counted, as in :func:`memory_trace`.
    """
    if torch.device(device).type != "cuda":
        return max(memory_trace(work), default=0)
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    work()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


@dataclass(frozen=True)
class StepMemory:
    """The peak of a training step as a sum: once + per image with a graph + per image of the batch.

    A plain step has a graph for all images of its batch; a step in chunks for one chunk at a time.

    Attributes:
        fixed: bytes whatever the sizes.
        graph: bytes for each image whose activations wait for the backward pass.
        image: further bytes for each image of the batch: its embedding and its gradient.
    """

    fixed: float
    graph: float
    image: float

    @classmethod
    def fit(cls, peaks: Mapping[tuple[int, int], float]) -> "StepMemory":
        """Fit the three numbers to measured peaks by least squares.

        Args:
            peaks: (batch size, chunk size) → bytes; three or more, in which both sizes vary.

        Raises:
            ValueError: if the peaks do not determine the three numbers.
        """
        sizes = np.array([(1, min(batch, chunk), batch) for batch, chunk in peaks], dtype=float)
        solution, _, rank, _ = np.linalg.lstsq(sizes, np.array(list(peaks.values())), rcond=None)
        if rank < 3:
            raise ValueError("peaks must hold three or more, with batch and chunk sizes that vary")
        return cls(*solution.tolist())

    def peak(self, batch_size: int, chunk_size: int | None = None) -> float:
        """Predict the bytes of a step in chunks; without ``chunk_size``, of a plain step."""
        with_graph = batch_size if chunk_size is None else min(batch_size, chunk_size)
        return self.fixed + self.graph * with_graph + self.image * batch_size


class _LivingTensors(TorchDispatchMode):
    """Counts the bytes of every storage born within the context, until it dies."""

    def __init__(self) -> None:
        super().__init__()
        self.trace: list[int] = []
        self._now = 0
        self._known: dict[int, weakref.ref] = {}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for tensor in _tensors((args, kwargs)):
            self._meet(tensor, counts=False)  # not met before: it was made before ``work``
        result = operation(*args, **kwargs)
        for tensor in _tensors(result):
            self._meet(tensor, counts=True)
        self.trace.append(self._now)
        return result

    def _meet(self, tensor: Tensor, counts: bool) -> None:
        storage = tensor.untyped_storage()  # views share it
        key, size = id(storage), storage.nbytes() if counts else 0
        if key not in self._known:
            self._known[key] = weakref.ref(storage, lambda _: self._forget(key, size))
            self._now += size

    def _forget(self, key: int, size: int) -> None:
        del self._known[key]
        self._now -= size


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]

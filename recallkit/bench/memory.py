"""What a piece of work costs in memory: exact, repeatable, on any device.

The resident size of a process tells little of its tensors: the allocator of the C library keeps
what was freed. Here every operation of PyTorch is watched, and the bytes of the tensors it made are
counted from birth to death. What a kernel takes and gives back within one operation is not seen.

Nothing has to be computed to be counted: on the device "meta" tensors have a shape and no content,
so a step of any size can be measured that no machine could run.
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
    """Bytes of living tensors after each operation of ``work``, those of before not counted.

    Args:
        work: called once, without arguments; its backward passes are watched too.

    Returns:
        One number an operation, views and the operations of autograd included.
    """
    with _LivingTensors() as living:
        work()
    return living.trace


def peak_bytes(work: Work, device: str | torch.device = "cpu") -> int:
    """The most bytes that the tensors made by ``work`` held at once.

    Args:
        work: called once, without arguments.
        device: where it computes. On CUDA the allocator is asked, which sees the working space of
            kernels too; elsewhere the tensors are counted, as in :func:`memory_trace`.
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
        graph: bytes an image whose activations wait for the backward pass.
        image: bytes an image of the batch besides: its embedding, and the gradient of that.
    """

    fixed: float
    graph: float
    image: float

    @classmethod
    def fit(cls, peaks: Mapping[tuple[int, int], float]) -> "StepMemory":
        """Least squares through measured peaks.

        Args:
            peaks: (batch size, chunk size) → bytes; three or more, in which both sizes vary.

        Raises:
            ValueError: if the peaks do not decide the three numbers.
        """
        sizes = np.array([(1, min(batch, chunk), batch) for batch, chunk in peaks], dtype=float)
        solution, _, rank, _ = np.linalg.lstsq(sizes, np.array(list(peaks.values())), rcond=None)
        if rank < 3:
            raise ValueError("peaks must hold three or more, with batch and chunk sizes that vary")
        return cls(*solution.tolist())

    def peak(self, batch_size: int, chunk_size: int | None = None) -> float:
        """Bytes of a step in chunks; without ``chunk_size``, of a plain step."""
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
            self._meet(tensor, counts=False)  # unknown so far: it lived before
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

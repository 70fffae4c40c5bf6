"""Memory of a step: what fits, what a graph takes, and whether an error means that it ran out."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

PROBE_FROM = 32  # the size at which doubling begins


def largest_that_fits(fits: Callable[[int], bool], most: int) -> int:
    """Double from 32 while ``fits`` returns True; never exceed ``most``.

    This costs less than two passes over the size that is returned, and one over the next.
    """
    size = min(PROBE_FROM, most)
    while size < most and fits(min(2 * size, most)):
        size = min(2 * size, most)
    return size


def storage_bytes(tensors: Iterable[Tensor], besides: Iterable[Tensor] = ()) -> int:
    """Count the bytes behind ``tensors``; shared storage counts once, ``besides`` not at all."""
    known = {tensor.untyped_storage()._cdata for tensor in besides}
    storages = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors}
    return sum(size for key, size in storages.items() if key not in known)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out, on a device or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)

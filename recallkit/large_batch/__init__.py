"""The gradient of a batch of any size, in the memory of one chunk. Begin with ``step``."""

from recallkit.large_batch.agreement import PassesDifferError
from recallkit.large_batch.memory import is_out_of_memory, largest_that_fits, storage_bytes
from recallkit.large_batch.state import BufferStates, RandomState
from recallkit.large_batch.step import CPU_CHUNK, LargeBatchStep

__all__ = [
    "CPU_CHUNK",
    "BufferStates",
    "LargeBatchStep",
    "PassesDifferError",
    "RandomState",
    "is_out_of_memory",
    "largest_that_fits",
    "storage_bytes",
]

"""Matrix products in float32 proper, whatever the caller has allowed elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_BACKENDS = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)


@contextmanager
def full_precision(device_type: str) -> Iterator[None]:
    """Within this context autocast is off and float32 products are not rounded to TF32 or bf16.

    An error e in a similarity is an error e/τ in the argument of the sigmoid. TF32 keeps 10 bits:
    near similarity 1, e ≈ 5e-4, and at τ = 0.01 the argument would be off by 0.05.

    Args:
        device_type: ``"cpu"``, ``"cuda"``, …: whose autocast is switched off.
    """
    before = [backend.fp32_precision for backend in _BACKENDS]
    for backend in _BACKENDS:
        backend.fp32_precision = "ieee"
    try:
        with torch.autocast(device_type, enabled=False):
            yield
    finally:
        for backend, value in zip(_BACKENDS, before, strict=True):
            backend.fp32_precision = value

"""Matrix products in the precision asked for here, whatever the caller has allowed elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_BACKENDS = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)


PRECISIONS = ("float32", "tf32")


@contextmanager
def products_in(precision: str, device_type: str) -> Iterator[None]:
    """Within this context autocast is off and float32 products are rounded as asked, no further.

    An error e in a similarity is an error e/τ in the argument of the sigmoid. TF32 keeps 10 bits:
    each factor is off by up to 5e-4 of itself, and at τ = 0.01 the argument by up to some 0.05.

    Args:
        precision: ``"float32"``, or ``"tf32"``, which only CUDA devices have: elsewhere the
            products are float32 all the same.
        device_type: ``"cpu"``, ``"cuda"``, …: whose autocast is switched off.
    """
    before = [backend.fp32_precision for backend in _BACKENDS]
    rounding = "tf32" if precision == "tf32" and device_type == "cuda" else "ieee"
    for backend in _BACKENDS:
        backend.fp32_precision = rounding
    try:
        with torch.autocast(device_type, enabled=False):
            yield
    finally:
        for backend, value in zip(_BACKENDS, before, strict=True):
            backend.fp32_precision = value

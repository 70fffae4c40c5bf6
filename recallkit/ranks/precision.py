"""Matrix products in a stated precision, whatever is allowed elsewhere in the process."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor

PRECISIONS = ("float32", "tf32")
_OF_CUDA = torch.backends.cuda.matmul
_OF_OTHERS = torch.backends.mkldnn.matmul  # pyright: ignore[reportAttributeAccessIssue]  # torch's


def check_precision(precision: str) -> None:
    """Refuse a precision of matrix products that is not known.

    Raises:
        ValueError: naming those that are.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {list(PRECISIONS)}, not {precision!r}")


def in_single(queries: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
    """Return queries and gallery in float32 if they are in half precision, else as they are.

    Where they are one tensor they stay one, since engines save a product then.
    """
    dtype = torch.promote_types(queries.dtype, torch.float32)
    single = queries.to(dtype)
    return single, single if gallery is queries else gallery.to(dtype)


@contextmanager
def products_in(precision: str, device_type: str) -> Iterator[None]:
    """Compute float32 products in ``precision`` within this context, with autocast off.

    An error e in a similarity is an error e/τ in the argument of the sigmoid. TF32 keeps 10 bits.
    Each factor is off by up to 5e-4 of itself, and at τ = 0.01 the argument by up to about 0.05.

    Args:
        precision: ``"float32"`` or ``"tf32"``. Only CUDA devices have TF32; elsewhere the products
            stay in float32.
        device_type: the device whose autocast is switched off: ``"cpu"``, ``"cuda"``, ….
    """
    on_cuda = device_type == "cuda"
    backend = _OF_CUDA if on_cuda else _OF_OTHERS
    before = backend.fp32_precision
    backend.fp32_precision = "tf32" if precision == "tf32" and on_cuda else "ieee"
    try:
        with without_autocast(device_type):
            yield
    finally:
        backend.fp32_precision = before


def without_autocast(device_type: str) -> AbstractContextManager:
    """Return a context with autocast off for ``device_type``; to enter none takes no time."""
    if torch.is_autocast_enabled(device_type):
        return torch.autocast(device_type, enabled=False)
    return nullcontext()

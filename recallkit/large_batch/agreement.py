"""A check that the second pass over each chunk gave what the first gave.

If it did not, the gradient is that of other embeddings than the loss has seen. So the outputs are
compared. The differences stay on the device until all chunks are done: no chunk waits for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recallkit.errors import RecallkitError
from recallkit.large_batch.parts import Chunk

TF32 = 2.0**-10  # the resolution of the factors of a product in TF32


class PassesDifferError(RecallkitError):
    """The second pass over a chunk gave other embeddings than the first."""


@dataclass(frozen=True)
class _Compared:
    """A chunk whose passes were compared.

    Attributes:
        chunk: its number, from 0.
        rows: how it is called in an error.
        numbers: (2,) on the device: the largest difference and the largest entry.
        allowed: the difference allowed, as a share of the largest entry.
    """

    chunk: int
    rows: str
    numbers: Tensor
    allowed: float


class Agreement:
    """The differences between the two passes over each chunk.

    Args:
        tolerance: the difference allowed, as a share of the largest entry of a chunk's embeddings;
            None: :func:`default_tolerance`.
        autocast: the type in which the network runs.
    """

    def __init__(self, tolerance: float | None, autocast: torch.dtype | None) -> None:
        self.tolerance, self.autocast = tolerance, autocast
        self._compared: list[_Compared] = []

    @torch.no_grad()
    def compare(self, number: int, chunk: Chunk, first: Tensor, second: Tensor) -> None:
        """Note how far the second output of a chunk, (b, D), is from the first.

        Entries that were not finite in the first pass do not count: the loss has judged them.
        Tensors without values, on the meta device, are not compared.
        """
        if first.is_meta:
            return
        known = first.isfinite()
        difference = torch.where(known, second - first, 0).abs()
        difference = difference.nan_to_num(nan=torch.inf, posinf=torch.inf).max()
        numbers = torch.stack([difference, torch.where(known, first, 0).abs().max()]).double()
        allowed = self.tolerance
        if allowed is None:
            allowed = default_tolerance(first, chunk.part.network, self.autocast)
        self._compared.append(_Compared(number, chunk.rows, numbers, allowed))

    def check(self, chunks: int, changed: Callable[[], Sequence[str]]) -> None:
        """Wait for the device once, and refuse passes that differ.

        Args:
            chunks: how many there are.
            changed: names the buffers that a pass changes; called if there is an error.

        Raises:
            PassesDifferError: naming the chunk that differs most, and the likely cause.
        """
        if not self._compared:
            return
        device = self._compared[0].numbers.device
        numbers = torch.stack([c.numbers.to(device) for c in self._compared]).tolist()
        excess = [d - c.allowed * top for (d, top), c in zip(numbers, self._compared, strict=True)]
        worst = max(range(len(excess)), key=excess.__getitem__)
        if excess[worst] > 0:
            compared, (difference, top) = self._compared[worst], numbers[worst]
            raise PassesDifferError(
                f"the second pass over chunk {compared.chunk + 1} of {chunks} ({compared.rows}) "
                f"gave embeddings that differ from the first by up to {difference:.2g}; "
                f"{compared.allowed * top:.2g} is allowed. The gradient would be wrong and is not "
                f"kept. {_likely_cause(changed())}"
            )


def default_tolerance(output: Tensor, network: nn.Module, autocast: torch.dtype | None) -> float:
    """Return the difference allowed between two passes, as a share of the largest entry.

    It is the square root of the resolution of the coarsest type in use: half of the digits. That is
    1.5e-8 for float64, 3.5e-4 for float32, 0.03 for float16 and for TF32, 0.09 for bfloat16. Most
    passes are equal bit for bit. Where a library takes another kernel for a pass without a graph,
    or adds in no fixed order, a rounding grows through the layers some ten or a hundred times, and
    stays below. A dropped path or another augmentation changes embeddings by a tenth or more.

    Args:
        output: the embeddings; TF32 counts if they are float32, on CUDA, and torch may use it.
        network: the types of its parameters count.
        autocast: the type in which the network runs; None: what is set outside.
    """
    device = output.device.type
    if autocast is None and torch.is_autocast_enabled(device):
        autocast = torch.get_autocast_dtype(device)
    types = {p.dtype for p in network.parameters() if p.is_floating_point()}
    types |= {output.dtype} | ({autocast} if autocast else set())
    resolution = max(torch.finfo(kind).eps for kind in types)
    if device == "cuda" and torch.float32 in types and _allows_tf32():
        resolution = max(resolution, TF32)
    return resolution**0.5


def _allows_tf32() -> bool:
    backends = (
        torch.backends.cuda.matmul,
        torch.backends.cudnn.conv,  # pyright: ignore[reportAttributeAccessIssue]  # torch's stubs
    )
    return any(backend.fp32_precision == "tf32" for backend in backends)


def _likely_cause(changed: Sequence[str]) -> str:
    if changed:
        return (
            f"Likely cause: buffers that change in training mode ({', '.join(changed[:3])}). "
            f"Put their modules into evaluation mode, module.eval()."
        )
    return (
        "Likely cause: random numbers from a source other than the default generators of torch, "
        "numpy and Python, such as numpy.random.default_rng() or a torch.Generator of its own, or "
        "a network that remembers earlier calls. If it computes in lower precision than it "
        "returns, name that by autocast=, or raise tolerance=."
    )

"""The least time that a GPU needs for the engine ``fused``, from its data sheet: a roofline.

For a batch of B images that is its own gallery, P positives a query and D numbers an embedding, it
does

    forward     2 B² D      operations of products, for the similarities
                B² P        sigmoids
    backward    1 B² D      half of the similarities again
                2 B² D      the gradient, by w + wᵀ
                B² P        slopes of sigmoids
                6 B²        bytes of memory: half of w + wᵀ is written once and read twice

A product of float32 is made of three in TF32. A sigmoid takes an exponential and a reciprocal,
which the special function units compute, and about six other instructions, a slope five. Each
resource can work while the others do, so the slowest one decides: its time is the limit.

Sources: NVIDIA H100 Tensor Core GPU Architecture (dense operations a second; 132 multiprocessors at
1.98 GHz), NVIDIA H200 data sheet; CUDA C++ Programming Guide, throughput of instructions of
capability 9.0: 16 special functions and 128 float32 instructions a clock and multiprocessor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recallkit.tables import text_table

_PRODUCTS = 3  # in TF32, for one of float32
_SPECIAL = 2  # functions a sigmoid: exponential and reciprocal
_OTHERS = {"forward": 6, "backward": 5}  # instructions a sigmoid or slope
_OPERATIONS = {"forward": 2, "backward": 3}  # of products, times B² D
_BYTES = {"forward": 0, "backward": 6}  # of memory, times B²


@dataclass(frozen=True)
class Gpu:
    """The speeds of a GPU by its data sheet.

    Attributes:
        name: of the GPU.
        tf32: operations a second of dense products in TF32.
        special: special functions a second.
        instructions: of float32 a second, over all lanes.
        memory: bytes a second.
    """

    name: str
    tf32: float
    special: float
    instructions: float
    memory: float


_CLOCKS = 132 * 1.98e9  # multiprocessors times clock: both GPUs have the same chip
GPUS = (
    Gpu("NVIDIA H100", 494.7e12, 16 * _CLOCKS, 128 * _CLOCKS, 3.35e12),
    Gpu("NVIDIA H200", 494.7e12, 16 * _CLOCKS, 128 * _CLOCKS, 4.8e12),
)


def least_seconds(
    gpu: Gpu, part: str, batch_size: int, dim: int, positives: int
) -> dict[str, float]:
    """Return the seconds that each resource needs alone.

    Args:
        gpu: one of :data:`GPUS`.
        part: "forward" or "backward".
        batch_size: B, queries, and items of the gallery.
        dim: D.
        positives: P of each query.
    """
    pairs = batch_size**2
    sigmoids = pairs * positives
    return {
        "products": _PRODUCTS * _OPERATIONS[part] * pairs * dim / gpu.tf32,
        "special functions": _SPECIAL * sigmoids / gpu.special,
        "other instructions": _OTHERS[part] * sigmoids / gpu.instructions,
        "memory": _BYTES[part] * pairs / gpu.memory,
    }


def roofline_table(cases: Sequence[Mapping[str, Any]], device: str) -> str:
    """Tabulate the limits of the GPUs for each stored case of "fused", and what was measured.

    Args:
        cases: of a stored ``recallkit bench ranks``.
        device: the name of the GPU that they were measured on.
    """
    done = [case for case in cases if case["method"] == "fused" and "failed" not in case]
    rows = [_row(gpu, part, case, device) for case in done for gpu in GPUS for part in _OPERATIONS]
    resources = least_seconds(GPUS[0], "forward", 1, 1, 1)
    header = ["B", "GPU", "part", *(f"{name}, ms" for name in resources), "measured, ms", "× limit"]
    return text_table(header, rows)


def _row(gpu: Gpu, part: str, case: Mapping[str, Any], device: str) -> list[str]:
    size, positives = case["batch_size"], case["per_class"] - 1
    least = least_seconds(gpu, part, size, case["dim"], positives)
    measured = case[f"{part}_s"] if gpu.name == device else None
    times = [f"{1e3 * value:.2f}" for value in least.values()]
    seen = ["not run", ""]
    if measured is not None:
        seen = [f"{1e3 * measured:.2f}", f"{measured / max(least.values()):.1f}"]
    return [f"{size:,}", gpu.name.removeprefix("NVIDIA "), part, *times, *seen]

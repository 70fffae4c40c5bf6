"""Cases of a benchmark: each in a process of its own, with limits of time and memory.

A case that fails does not disturb the next. Seconds depend on the other work of a machine. So a
case and what it is compared with are timed in turn, in one process, and their ratio is kept.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from recallkit.errors import RecallkitError

MB = 2**20
MAPPED = "MALLOC_MMAP_THRESHOLD_"  # of glibc: from how many bytes memory is given back when freed
NOT_TRIED = "not tried: a smaller batch failed"
_OUT_OF_MEMORY = ("out of memory", "can't allocate", "MemoryError")


def run_case(module: str, case: Any, limit_s: float, limit_gb: float) -> dict[str, Any]:
    """Measure one case in a process of its own.

    Args:
        module: the module that calls :func:`main`.
        case: a dataclass with a field "device".
        limit_s: seconds that it may take in all.
        limit_gb: memory that it may take on the CPU, under Linux.

    Returns:
        The case with its measurements, or with the reason of its failure in "failed".
    """
    # The resident size is what is held only if all that is freed is given back.
    variables = {**os.environ, MAPPED: str(128 * 1024)}
    command = [sys.executable, "-m", module, json.dumps(asdict(case)), str(limit_gb)]
    try:
        done = subprocess.run(
            command, env=variables, capture_output=True, encoding="utf-8", timeout=limit_s
        )
    except subprocess.TimeoutExpired:
        return asdict(case) | {"failed": f"more than {limit_s:.0f} s"}
    if done.returncode == 0:
        return asdict(case) | json.loads(done.stdout.splitlines()[-1])
    out_of_memory = any(words in done.stderr for words in _OUT_OF_MEMORY)
    where = f"{limit_gb:g} GB" if asdict(case)["device"] == "cpu" else "the memory of the GPU"
    reason = f"more than {where}" if out_of_memory else _last_line(done.stderr)
    return asdict(case) | {"failed": reason}


def main(kind: type, measure: Callable[[Any], dict[str, Any]]) -> None:
    """Measure the case given as JSON in the arguments, and print the result as JSON."""
    case, limit_gb = kind(**json.loads(sys.argv[1])), float(sys.argv[2])
    if case.device == "cpu" and sys.platform == "linux":
        import resource

        limit = int(limit_gb * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    # glibc has read it. Without it, what is timed may keep memory as a training does.
    os.environ.pop(MAPPED, None)
    print(json.dumps(measure(case)))


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["killed"])[-1]


def seconds(work: Callable[[], Any], device: str) -> float:
    """Time ``work`` in seconds, including what it left to the device."""
    _wait(device)
    start = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def start_of_peak(device: str) -> int:
    """Reset the peak and return the bytes held now; on the CPU those of this process (Linux)."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    if sys.platform != "linux":
        raise RecallkitError("the memory of a process can be measured on Linux alone")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def peak(device: str) -> int:
    """Return the most bytes held since :func:`start_of_peak`."""
    return torch.cuda.max_memory_allocated() if device == "cuda" else _status("VmHWM")


def _status(name: str) -> int:
    """Read the bytes that Linux reports for this process."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    [line] = [line for line in lines if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024

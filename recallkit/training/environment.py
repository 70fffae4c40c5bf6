"""The machine that a training runs on: its device, memory, libraries and commit."""

import ctypes
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from recallkit.errors import RecallkitError


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """Return the device called ``name``; for "auto" a GPU if there is one, else the CPU.

    Args:
        name: "auto", "cpu", "cuda", "cuda:1", or any other device that torch knows.
        local_rank: number of this process on its machine. With "auto" or "cuda" it takes the GPU
            of that number.

    Raises:
        RecallkitError: if there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        if name == "cuda":
            torch.cuda.set_device(local_rank)
        device = torch.empty(0, device=name).device
    except (RuntimeError, AssertionError):
        device = torch.device("meta")
    if device.type == "meta":  # it holds no numbers
        raise RecallkitError(
            f"there is no device {name!r} here: --device must be one of {', '.join(_devices())}"
        )
    return device


def _devices() -> list[str]:
    """Return what ``--device`` may be on this machine."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        return ["auto", "cpu"]
    numbers = range(torch.accelerator.device_count())
    return ["auto", "cpu", *(f"{accelerator.type}:{number}" for number in numbers)]


def peak_memory(device: torch.device) -> int | None:
    """Return the peak of memory so far in bytes: of the GPU for CUDA, else of the process.

    None where Python has no ``resource``, which is the case on Windows.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def keep_freed_memory() -> bool:
    """Let this process keep what it frees for its next tensors; return whether that is possible.

    By default, glibc gives the memory of a large tensor back to Linux, and each of its pages costs
    a fault when the next tensor is written: with batches of 512 images, more than a quarter of the
    time of a step of the small network. The peak of memory may rise a little. Nothing is changed on
    other systems, or where the environment has a variable ``MALLOC_…``.
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    limits = {M_MMAP_THRESHOLD: 2**30, M_TRIM_THRESHOLD: 2**31 - 1}
    return mallopt is not None and all(mallopt(name, limit) for name, limit in limits.items())


def environment(device: torch.device) -> dict[str, Any]:
    """Return what a stored number depends on besides its config: device, libraries, commit."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "device": name,
        "device_type": device.type,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "libraries": {package: version(package) for package in ("torch", "torchvision", "numpy")},
        "commit": commit_of(Path(__file__).parent),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def commit_of(folder: Path) -> str:
    """Return the commit of the checkout that holds ``folder``, in twelve digits.

    "-dirty" is added if tracked files differ from it. Stored results do not count: they are no
    code. "unknown" outside a checkout, without git, or if git does not track ``folder``.
    """
    code = (":/", ":(top,exclude)data/results")
    try:
        _git(folder, "ls-files", "--error-unmatch", ".")  # not a package installed below a checkout
        commit = _git(folder, "describe", "--always", "--abbrev=12")
        changed = _git(folder, "diff", "--name-only", "HEAD", "--", *code)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}-dirty" if changed else commit


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    return done.stdout.strip()

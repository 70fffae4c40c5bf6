"""The machine that a training runs on: its device, memory, libraries and commit."""

import platform
import resource
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from recallkit.errors import RecallkitError


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """The device called ``name``; for "auto" a GPU if there is one.

    Of several processes on a machine, number ``local_rank`` takes the GPU of that number.

    Raises:
        RecallkitError: if there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        if name == "cuda":
            torch.cuda.set_device(local_rank)
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise RecallkitError(
            f"there is no device {name!r} here ({error}). Try --device cpu."
        ) from None


def peak_memory(device: torch.device) -> int:
    """Bytes: of the device for CUDA, else of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def environment(device: torch.device) -> dict[str, Any]:
    """What a stored number depends on besides its config: device, libraries, commit."""
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
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def commit_of(folder: Path) -> str:
    """The commit of the checkout that holds ``folder``, "-dirty" if more than results differs.

    A run that is stored over an older one of its settings changes no code, nor does it make the
    next run one of unknown code. "unknown" outside a checkout, or without git.
    """
    code = (":/", ":(top,exclude)data/results")
    try:
        name = _git(folder, "describe", "--always", "--abbrev=12")
        return name + "-dirty" * bool(_git(folder, "diff", "--name-only", "HEAD", "--", *code))
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

"""A check that images fit into memory, and a line that says so before they are read."""

import os
import sys
from pathlib import Path

__all__ = ["SHARE", "available_memory", "fits_into_memory", "left_in_container"]

SHARE = 0.5  # of the memory available; the other half is for copies, the network and other programs


def fits_into_memory(count: int, side: int) -> bool:
    """Tell whether ``count`` RGBA squares take at most half of the memory available, and say it.

    Args:
        count: number of images.
        side: of the squares, in pixels.
    """
    rgb, rgba = 3 * count * side**2, 4 * count * side**2  # bytes
    available = available_memory()
    what = f"reading {count:,} images of {side} × {side} pixels"
    if available is None or rgba <= SHARE * available:
        line = f"{what}: {_size(rgb)} of memory, {_size(rgba)} if one has transparent pixels"
    else:
        line = (
            f"{what} for each batch, from the disk: {_size(rgba)} is more than half of the memory "
            f"available ({_size(available)}). More --workers make it faster."
        )
    print(line, file=sys.stderr)
    return available is None or rgba <= SHARE * available


def available_memory() -> int | None:
    """Return how many bytes of memory are free for this process; None if that is not known.

    On Linux within the limit of its container; on macOS all memory that there is.
    """
    version_2, version_1 = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")
    known = [
        _of_machine(),
        left_in_container(version_2, "memory.max", "memory.current"),
        left_in_container(version_1, "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ]
    return min((size for size in known if size is not None), default=None)


def _of_machine() -> int | None:
    try:
        return 1024 * _table(Path("/proc/meminfo"))["MemAvailable:"]
    except (OSError, KeyError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def left_in_container(folder: Path, limit: str, used: str) -> int | None:
    """Return how many bytes a container may still take; None without a container or a limit.

    Args:
        folder: of the control group.
        limit: name of the file with its limit.
        used: name of the file with what it uses. Files that the system keeps in memory count as
            used, but give way.
    """
    try:
        total, taken = (int((folder / name).read_text(encoding="ascii")) for name in (limit, used))
        kept = _table(folder / "memory.stat")
    except (OSError, ValueError):  # "max" is no limit
        return None
    return max(0, total - taken + kept.get("inactive_file", 0) + kept.get("active_file", 0))


def _table(path: Path) -> dict[str, int]:
    """Read lines of a name and a number."""
    rows = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return {row[0]: int(row[1]) for row in rows}


def _size(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"

"""Arrays in the cache folder, checked when they are read and mapped into memory."""

import hashlib
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from recallkit.errors import RecallkitError
from recallkit.files import cache_folder, write_atomically

__all__ = ["cached_pixels", "checksum", "read_cached", "write_cached"]


def checksum(array: np.ndarray) -> int:
    """Return the CRC-32 of the bytes of ``array``, in C order."""
    return zlib.crc32(np.ascontiguousarray(array).data)


def read_cached(
    path: Path, shape: tuple[int | None, ...], dtype: DTypeLike, crc32: int
) -> np.ndarray | None:
    """Map the array in a ``.npy`` file into memory if it is the wanted one, else return None.

    Args:
        path: of the file; it may be missing or damaged.
        shape: that the array must have; None stands for any size.
        dtype: that it must have.
        crc32: its :func:`checksum`. All bytes are read once to compare it.

    Returns:
        The array, copied on write: torch wants memory that may be written to, and the file must not
        change.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="c")
    except Exception:  # a damaged file fails in many ways; each time it is made again
        return None
    fits = array.ndim == len(shape) and all(
        size in (None, actual) for size, actual in zip(shape, array.shape, strict=True)
    )
    return array if fits and array.dtype == dtype and checksum(array) == crc32 else None


def write_cached(path: Path, array: np.ndarray) -> None:
    """Keep ``array`` at ``path`` if that is possible: without a cache all works, only slower."""

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            np.save(file, array)

    with suppress(RecallkitError):
        write_atomically(path, write)


def cached_pixels(
    name: str, packed: bytes, shape: tuple[int, ...], crc32: int, decode: Callable[[], np.ndarray]
) -> np.ndarray:
    """Return the pixels that ``decode`` makes, from the cache if they are there whole.

    Args:
        name: of the file in the cache; a hash of ``packed`` is added.
        packed: the bytes that the pixels come from.
        shape: of the pixels, which are uint8.
        crc32: their :func:`checksum`; a cached file that has another one is made again.
        decode: makes the pixels.
    """
    path = cache_folder() / f"{name}-{hashlib.sha256(packed).hexdigest()[:16]}.npy"
    pixels = read_cached(path, shape, np.uint8, crc32)
    if pixels is None:
        pixels = decode()
        write_cached(path, pixels)
    return pixels

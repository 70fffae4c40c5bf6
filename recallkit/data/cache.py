"""Decoded pixels of an embedded data set, kept in the cache folder and mapped into memory."""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from recallkit.errors import RecallkitError
from recallkit.files import cache_folder, replacing


def checksum(images: np.ndarray) -> int:
    """CRC-32 of the bytes of ``images``."""
    return zlib.crc32(np.ascontiguousarray(images))


def cached_pixels(
    name: str, packed: bytes, shape: tuple[int, ...], crc32: int, decode: Callable[[], np.ndarray]
) -> np.ndarray:
    """What ``decode`` gives, from the cache if it is there whole.

    Args:
        name: of the file in the cache; a hash of ``packed`` is added.
        packed: the bytes that the pixels come from.
        shape: of the pixels, which are uint8.
        crc32: their checksum; a cached file that has another is made anew.
        decode: makes them.
    """
    path = cache_folder() / f"{name}-{hashlib.sha256(packed).hexdigest()[:16]}.npy"
    images = _read(path, shape, crc32)
    if images is None:
        images = decode()
        _write(path, images)
    return images


def _read(path: Path, shape: tuple[int, ...], crc32: int) -> np.ndarray | None:
    """The cached images; None if there are none, or if they are not those wanted."""
    try:
        # Copy on write: torch wants memory that may be written, the file must not change.
        images = np.lib.format.open_memmap(path, mode="c")
    except (OSError, ValueError, EOFError):
        return None
    whole = images.shape == shape and images.dtype == np.uint8
    return images if whole and checksum(images) == crc32 else None


def _write(path: Path, images: np.ndarray) -> None:
    """Keep ``images`` if that is possible: without a cache all works, only slower."""
    try:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.save(file, images)
    except RecallkitError:
        return


def read_index(archive: zipfile.ZipFile, expected: str) -> dict:
    """The index of a packed file.

    Args:
        archive: the file.
        expected: the format that the index must name.

    Raises:
        ValueError: if the archive is not of this format.
    """
    index = json.loads(archive.read("index.json"))
    if not isinstance(index, dict) or index.get("format") != expected:
        raise ValueError(f"its index does not say {expected!r}")
    return index


def entry(name: str) -> zipfile.ZipInfo:
    """A zip entry with a fixed date: the same data give the same bytes."""
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))

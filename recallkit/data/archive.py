"""The common form of ``emoji.zip`` and ``glyphs.zip``: an index, and how they are read.

``index.json`` names the format, counts the images and lists the classes, split by split; every
class has a name or code, its split, and a list with an entry for each of its images.
"""

import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from recallkit.errors import RecallkitError

__all__ = [
    "ClassesOfSplit",
    "Packed",
    "classes_by_split",
    "open_packed",
    "read_entry",
    "read_index",
    "unpack_xz",
    "zip_entry",
]

_DAMAGE = (  # what reading a damaged file may raise
    *(OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(KeyError, IndexError, TypeError, ValueError, EOFError),
    *(MemoryError, OverflowError, RecursionError),
)

MOST_UNPACKED = 2**28  # bytes of an entry; the largest that is packed here has 3 million


@dataclass(frozen=True)
class Packed:
    """An open packed file.

    Attributes:
        content: all its bytes.
        archive: reads its entries.
        index: what ``index.json`` says.
    """

    content: bytes
    archive: zipfile.ZipFile
    index: dict[str, Any]


@contextmanager
def open_packed(path: Path, name: str, file_format: str) -> Iterator[Packed]:
    """Open a packed file; what goes wrong within the context is an error that names the file.

    Args:
        path: of the file.
        name: of the data set, which ``recallkit prepare NAME`` makes.
        file_format: what its index must say.

    Raises:
        RecallkitError: if the file is missing, damaged, or something else.
    """
    remedy = f"Check out the repository again, or run `recallkit prepare {name}`."
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RecallkitError(f"the {name} data are missing: no file {path}. {remedy}") from None
    except OSError as error:
        raise RecallkitError(f"cannot read {path}: {error.strerror}.") from error
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield Packed(content, archive, read_index(archive, file_format))
    except _DAMAGE as error:
        raise RecallkitError(
            f"{path} is damaged or is not the {name} data ({error}). {remedy}"
        ) from error


def read_index(archive: zipfile.ZipFile, file_format: str) -> dict[str, Any]:
    """Return the index of a packed file.

    Raises:
        ValueError: if it is not of this format.
    """
    index = json.loads(read_entry(archive, "index.json"))
    if not isinstance(index, dict) or index.get("format") != file_format:
        raise ValueError(f"its index does not say {file_format!r}")
    return index


def read_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read an entry, of which a made-up one cannot fill the memory.

    Raises:
        ValueError: if it has more than :data:`MOST_UNPACKED` bytes.
        KeyError: if there is none.
    """
    size = archive.getinfo(name).file_size
    if size > MOST_UNPACKED:
        raise ValueError(f"its entry {name} has {size:,} bytes, the limit is {MOST_UNPACKED:,}")
    with archive.open(name) as entry:
        return entry.read(size)  # unpacks no more than that, whatever follows


def unpack_xz(packed: bytes, size: int) -> bytes:
    """Unpack the first ``size`` bytes of an xz stream; the result is shorter if it is.

    Raises:
        LZMAError: if it is damaged, or needs a dictionary of more than :data:`MOST_UNPACKED` bytes.
    """
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, MOST_UNPACKED).decompress(packed, size)


def zip_entry(name: str) -> zipfile.ZipInfo:
    """Describe a zip entry with a fixed date: the same data give the same bytes."""
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))


@dataclass(frozen=True)
class ClassesOfSplit:
    """The classes of one split, and where their images lie.

    Attributes:
        classes: the entries of the index.
        first_label: the label of the first class; the others follow.
        images: the places of their images among all images.
        sizes: how many images each class has.
    """

    classes: list[dict[str, Any]]
    first_label: int
    images: slice
    sizes: list[int]


def classes_by_split(index: dict[str, Any], members: str) -> dict[str, ClassesOfSplit]:
    """Cut the classes of an index by split; images lie in the order of the classes.

    Args:
        index: of a packed file.
        members: the field of a class that has an entry for each of its images.

    Raises:
        ValueError: if the classes have more images, or fewer, than the index counts.
    """
    splits, start, label = {}, 0, 0
    for split, group in groupby(index["classes"], key=lambda c: c["split"]):
        classes = list(group)
        sizes = [len(c[members]) for c in classes]
        end = start + sum(sizes)
        splits[split] = ClassesOfSplit(classes, label, slice(start, end), sizes)
        start, label = end, label + len(classes)
    if start != index["images"]:
        raise ValueError(f"its classes have {start} images, its index counts {index['images']}")
    return splits

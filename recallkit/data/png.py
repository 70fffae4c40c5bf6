"""PNG files without their text: a long text is no reason to refuse pixels that are whole."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["is_png", "without_text"]

_MAGIC = b"\x89PNG\r\n\x1a\n"
_UNUSED = {b"tEXt", b"zTXt", b"iTXt", b"iCCP"}  # text, and the colour profile
_ORIENTATION = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")  # begin a text that may hold it
_LONGEST = 2**16  # bytes of a text that is kept
_LONGEST_UNPACKED = 2**20


def is_png(prefix: bytes) -> bool:
    """Tell whether a file that begins like this is a PNG file."""
    return prefix.startswith(_MAGIC)


def without_text(file: BinaryIO) -> BinaryIO:
    """Return a PNG file without its text and its colour profile, which are not used here.

    Only a short text that may say how the image is turned is kept: at most 64 KiB, and 1 MiB
    unpacked. What is dropped is not read.

    Args:
        file: seekable; its content need not be whole.

    Returns:
        ``file`` itself if there is nothing to drop, else what is kept, in memory.
    """
    chunks = list(_chunks(file))
    kept = [(start, size) for start, size, kind in chunks if _is_kept(file, start, size, kind)]
    if len(kept) == len(chunks):
        return file
    content = io.BytesIO()
    content.write(_MAGIC)
    for start, size in kept:
        file.seek(start)
        content.write(file.read(size))
    return content


def _chunks(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Give the start, the size and the kind of each chunk; a broken one counts to the end."""
    end = file.seek(0, io.SEEK_END)
    start = len(_MAGIC)
    while start < end:
        file.seek(start)
        head = file.read(8)
        length, kind = struct.unpack(">I4s", head) if len(head) == 8 else (0, b"")
        size = 12 + length  # with its length, kind and checksum
        yield start, min(size, end - start), kind
        start += size


def _is_kept(file: BinaryIO, start: int, size: int, kind: bytes) -> bool:
    if kind not in _UNUSED:
        return True
    if kind == b"iCCP" or size > _LONGEST:
        return False
    file.seek(start + 8)
    keyword, _, text = file.read(size - 12).partition(b"\0")
    if keyword + b"\0" not in _ORIENTATION:
        return False
    if kind == b"zTXt":
        return _unpacks_to_little(text[1:])
    if kind == b"iTXt" and text[:1] != b"\0":  # packed
        # Language and translated keyword stand before it.
        return _unpacks_to_little(text[2:].split(b"\0", 2)[-1])
    return True


def _unpacks_to_little(packed: bytes) -> bool:
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(packed, _LONGEST_UNPACKED)
    except zlib.error:
        return False
    return not unpacking.unconsumed_tail

"""Image files made byte by byte, as their formats define them and independent of Pillow."""

import struct
import zlib
from collections.abc import Iterable

GREY, RGB, PALETTE, GREY_ALPHA = 0, 2, 3, 4  # colour types of PNG


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(
    size: tuple[int, int],
    rows: Iterable[bytes],
    depth: int = 8,
    colour: int = GREY,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A PNG file; ``before`` and ``after`` are chunks around the pixels."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    content = chunk(b"IHDR", header) + before + chunk(b"IDAT", pixels) + after
    return b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b"")


def tiff(tags: dict[int, int], pixels: bytes) -> bytes:
    """A little-endian TIFF file of one strip; ``tags`` beside and in place of the usual ones."""
    start = 400
    usual = {258: 8, 259: 1, 262: 1, 273: start, 277: 1, 278: tags[257], 279: len(pixels)}
    all_tags = usual | tags
    entries = b"".join(
        struct.pack("<HHII", tag, 4 if value > 65535 else 3, 1, value)
        for tag, value in sorted(all_tags.items())
    )
    head = b"II*\0" + struct.pack("<IH", 8, len(all_tags)) + entries + struct.pack("<I", 0)
    return head.ljust(start, b"\0") + pixels

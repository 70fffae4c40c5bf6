"""Image files opened safely: only raster formats, only up to a stated size, each error by name.

Limits, so that no file can ask for more memory than a machine has: an image has at most 2²⁸ pixels
(268 million; 16,384 × 16,384), and its file at most 2³¹ bytes. Pillow itself allows fewer pixels
for some formats, among them WebP and ICO: 179 million. Reading takes at most 16 bytes a pixel. The
size is checked when a file is opened, before a pixel is decoded.
"""

import stat
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from recallkit.data.formats import FORMATS
from recallkit.data.pixels import PixelError
from recallkit.data.png import is_png, without_text
from recallkit.errors import RecallkitError

__all__ = ["MOST_BYTES", "MOST_PIXELS", "opened"]

MOST_PIXELS = 2**28
MOST_BYTES = 2**31

_TILE_WIDTH, _TILE_HEIGHT = 322, 323


@contextmanager
def opened(source: Path | BinaryIO) -> Iterator[Image.Image]:
    """Open an image, to be decoded within this context.

    Args:
        source: the path of a file; or an open, seekable file, for example an upload as
            ``io.BytesIO``, which errors call "the image".

    Raises:
        RecallkitError: naming the file, if it is missing, empty, damaged, not an image, larger than
            the limits stated above, or of a mode that has no rule (:mod:`recallkit.data.pixels`).
    """
    name = str(source) if isinstance(source, Path) else "the image"
    try:
        with _file(source) as file, _identified(file) as image:
            _check_pixels(name, image)
            yield image
    except RecallkitError:
        raise
    except Exception as error:  # a damaged image fails in many ways, each of them final
        raise RecallkitError(_explained(name, error)) from error


def _file(source: Path | BinaryIO) -> AbstractContextManager[BinaryIO]:
    """Open a file that is a file: a pipe would never end."""
    if not isinstance(source, Path):
        return nullcontext(source)
    status = source.stat()
    if not stat.S_ISREG(status.st_mode):
        raise RecallkitError(f"{source} is not a file, and cannot be read as an image.")
    if status.st_size > MOST_BYTES:
        raise RecallkitError(
            f"{source} is too large to be read: {status.st_size:,} bytes, "
            f"the limit is {MOST_BYTES:,}. Save a smaller copy of the image."
        )
    return source.open("rb")


def _identified(file: BinaryIO) -> Image.Image:
    """Open an image as ``Image.open(file, formats=FORMATS)`` does, without its limit on the size.

    That limit is Pillow's for the whole process, and Pillow warns from a half of it.
    """
    prefix = file.read(16)
    if not prefix:
        raise ValueError("it is empty")
    if is_png(prefix):
        file = without_text(file)
    problem = None
    for name in FORMATS:
        factory, accept = Image.OPEN[name]
        file.seek(0)
        try:
            accepted = accept is None or accept(prefix)
            if accepted and not isinstance(accepted, str):  # a text says why not
                return factory(file, "")
        except (SyntaxError, IndexError, TypeError, struct.error) as error:
            if accept is not None:
                problem = error
    raise problem or ValueError("its content is not in a format that is opened")


def _check_pixels(name: str, image: Image.Image) -> None:
    tags = getattr(image, "tag_v2", {})  # of TIFF, which decodes whole tiles
    tile = tags.get(_TILE_WIDTH, 0), tags.get(_TILE_HEIGHT, 0)
    for width, height in (image.size, tile):
        if width * height > MOST_PIXELS:
            raise RecallkitError(
                f"{name} is too large to be read: {width:,} × {height:,} pixels, the limit is "
                f"{MOST_PIXELS:,} pixels in all. Save a smaller copy of the image."
            )
    if min(image.size) < 1:
        raise ValueError("it has no pixels")


def _explained(name: str, error: Exception) -> str:
    """Say what is wrong with a file, and what to do."""
    match error:
        case FileNotFoundError():
            return f"there is no image {name}"
        case PixelError():
            return f"{name}: {error}"
        case Image.DecompressionBombError() | Image.DecompressionBombWarning():
            return (
                f"{name} is too large to be read: it declares more pixels than Pillow allows for "
                f"its format. Save a smaller copy of the image."
            )
        case MemoryError():
            return f"{name} does not fit into memory. Save a smaller copy of the image."
        case OSError(strerror=str(reason)):
            return f"{name} cannot be read: {reason}."
    return (
        f"{name} cannot be read as an image ({error}). "
        f"It is damaged or of a kind that is not read: replace it, or leave it out."
    )

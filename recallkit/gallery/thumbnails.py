"""Small copies of images for pages."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from recallkit.data.image_files import read_image
from recallkit.data.transforms import over_white
from recallkit.errors import RecallkitError
from recallkit.gallery.index import Index

__all__ = ["data_url", "image_reader", "jpeg"]

_QUALITY = 85


def jpeg(image: Tensor) -> bytes:
    """Encode (3 or 4, H, W) uint8, over white, as JPEG: about 3 kB at 96 pixels."""
    pixels = (over_white(image[None])[0] * 255).round().to(torch.uint8).permute(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(pixels.cpu().numpy()).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def data_url(image: Tensor) -> str:
    """Return a JPEG of an image as the address that a page can hold in place of a file."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg(image)).decode()}"


def image_reader(
    index: Index, image_of: Callable[[str], Tensor], side: int
) -> Callable[[int], Tensor | None]:
    """Return a function from a row of an index to its image, None if it cannot be read any more.

    Args:
        index: of the images.
        image_of: gives images that are no files by their path; see :attr:`.Gallery.image`.
        side: of the squares that files are read into, in pixels.
    """

    def read(row: int) -> Tensor | None:
        try:
            if index.stamps[row, 0] >= 0:
                return read_image(Path(index.file(row)), side)
            return image_of(index.paths[row])
        except RecallkitError:
            return None

    return read

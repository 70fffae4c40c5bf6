"""Picture files as square tensors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from recallkit.errors import RecallkitError

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def read_picture(path: Path, side: int = 64) -> Tensor:
    """Read a picture, as large as fits into a square, centred, the rest transparent.

    Args:
        path: a file in any format Pillow reads; orientation tags are obeyed.
        side: of the square, in pixels.

    Returns:
        (4, side, side) uint8, RGBA.

    Raises:
        RecallkitError: naming the file, if it is missing, empty, or not a whole picture.
    """
    with opened(path) as picture:
        picture = ImageOps.exif_transpose(picture).convert("RGBA")
    return fit_picture(picture, side)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A picture file, to be decoded within this context.

    Raises:
        RecallkitError: naming the file, if it is missing, empty, or not a whole picture.
    """
    try:
        with Image.open(path) as picture:
            yield picture
    except FileNotFoundError:
        raise RecallkitError(f"there is no picture {path}") from None
    except Exception as error:  # a damaged picture fails in many ways, each of them final
        raise RecallkitError(
            f"{path} cannot be read as a picture ({error}). Replace or delete it."
        ) from error


def fit_picture(picture: Image.Image, side: int = 64) -> Tensor:
    """A picture of Pillow, as large as fits into a square, as :func:`read_picture` gives it."""
    picture = picture.convert("RGBA")
    square = ImageOps.pad(picture, (side, side), Image.Resampling.BILINEAR, color=(0, 0, 0, 0))
    return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()


def list_pictures(folder: Path) -> list[Path]:
    """The picture files directly in ``folder``, by name; hidden ones left out."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )

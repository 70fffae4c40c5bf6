"""Image files: read as squares, or whole; and many of them in the place of a tensor."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, overload

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from recallkit.data.formats import FORMATS, SUFFIXES
from recallkit.data.prefetch import DecodedChunks, Reading
from recallkit.data.transforms import flattened
from recallkit.errors import RecallkitError

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "Box",
    "ImageFiles",
    "fit_image",
    "list_images",
    "opened",
    "read_image",
    "read_photograph",
    "read_whole_photograph",
]


def read_image(path: Path, side: int = 64) -> Tensor:
    """Read an image, as large as fits into a square, centred, the rest transparent.

    Args:
        path: a file in one of :data:`FORMATS`; orientation tags are obeyed.
        side: of the square, in pixels.

    Returns:
        (4, side, side) uint8, RGBA.

    Raises:
        RecallkitError: naming the file, if it is missing, empty, or not a whole image.
    """
    with opened(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    return fit_image(upright, side)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file, to be decoded within this context.

    Raises:
        RecallkitError: naming the file, if it is missing, empty, or not a whole image.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            yield image
    except FileNotFoundError:
        raise RecallkitError(f"there is no image {path}") from None
    except Exception as error:  # a damaged image fails in many ways, each of them final
        raise RecallkitError(
            f"{path} cannot be read as an image ({error}). Replace or delete it."
        ) from error


def fit_image(image: Image.Image, side: int = 64) -> Tensor:
    """Fit an image of Pillow into a square, as :func:`read_image` does: (4, side, side) uint8."""
    square = ImageOps.pad(
        image.convert("RGBA"), (side, side), Image.Resampling.BILINEAR, color=(0, 0, 0, 0)
    )
    return _tensor(square)


def list_images(folder: Path) -> list[Path]:
    """List the image files directly in ``folder`` by name, hidden ones left out."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


Box = tuple[float, float, float, float]  # left, upper, right, lower, in pixels


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """N image files in the place of a (N, 3, S, S) uint8 tensor: nothing is kept in memory.

    They satisfy :class:`.Images`: ``len``, ``shape``, ``files[i]`` (one image, decoded),
    ``files[indices]`` (those files, not decoded), ``split`` (chunks, decoded as they are asked
    for) and ``to`` (all images, decoded).

    Args:
        paths: of the images.
        side: S, in pixels.
        fit: "crop" keeps the middle square of an image, as the benchmarks do; "contain" keeps all
            of it, in a white square.
        margin: share of the middle square that is left out on each edge. 1/16 is the test of the
            benchmarks: the shorter side to 256 pixels, of which the middle 224 are seen.
        boxes: for each image the box that it is cropped to first. None: it is not.
        reading: how the files are read; see :class:`.Reading`.

    Raises:
        ValueError: if ``side`` is below 1.
    """

    paths: Sequence[Path]
    side: int
    fit: Literal["crop", "contain"] = "crop"
    margin: float = 0.0
    boxes: Sequence[Box] | None = None
    reading: Reading = field(default_factory=Reading)

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"side must be at least 1, not {self.side}")

    @property
    def shape(self) -> torch.Size:
        """Shape of the tensor in whose place they stand: (N, 3, S, S)."""
        return torch.Size((len(self.paths), 3, self.side, self.side))

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int, /) -> Tensor: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int] | Tensor, /) -> "ImageFiles": ...

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor, /) -> "Tensor | ImageFiles":
        """Decode one image (3, S, S), white if it is skipped; or choose several files.

        Raises:
            RecallkitError: naming a file that is missing or damaged.
        """
        places = torch.arange(len(self))[index]
        if places.ndim == 0:
            return self._read_or_skip(int(places))
        chosen = places.tolist()
        boxes = None if self.boxes is None else [self.boxes[i] for i in chosen]
        return replace(self, paths=[self.paths[i] for i in chosen], boxes=boxes)

    def split(self, size: int, /) -> DecodedChunks:
        """Decode the images in order, ``size`` at a time."""
        return DecodedChunks(self, size, self.reading)

    def to(self, device: torch.device | str, /) -> Tensor:
        """Decode all images, (N, 3, S, S) uint8 on a device."""
        none = torch.empty(0, *self.shape[1:], dtype=torch.uint8)
        return torch.cat([none, *self.split(500)]).to(device)

    def _read_or_skip(self, index: int) -> Tensor:
        try:
            return self.read(index)
        except RecallkitError as error:
            self.reading.note([str(error)])
            return torch.full(self.shape[1:], 255, dtype=torch.uint8)

    def read(self, index: int) -> Tensor:
        """Decode one image, (3, S, S) uint8.

        Raises:
            RecallkitError: naming a file that is missing or damaged.
        """
        if self.fit == "contain":
            return flattened(read_image(self.paths[index], self.side)[None])[0]
        box = None if self.boxes is None else self.boxes[index]
        return read_photograph(self.paths[index], self.side, self.margin, box)


def read_photograph(path: Path, side: int, margin: float = 0.0, box: Box | None = None) -> Tensor:
    """Read the middle square of a photograph, less a margin, (3, side, side) uint8.

    Raises:
        RecallkitError: naming the file, if it is missing, empty, or not a whole image.
    """
    whole = _open(path, 2 * side, box)
    return _tensor(ImageOps.fit(whole, (side, side), Image.Resampling.BILINEAR, margin))


def read_whole_photograph(path: Path, longest: int, box: Box | None = None) -> Tensor:
    """Read a photograph, its aspect kept, the longer side ``longest`` pixels: (3, H, W) uint8.

    Raises:
        RecallkitError: naming the file, if it is missing, empty, or not a whole image.
    """
    whole = _open(path, 2 * longest, box)
    return _tensor(ImageOps.contain(whole, (longest, longest), Image.Resampling.BILINEAR))


def _open(path: Path, enough: int, box: Box | None) -> Image.Image:
    """Decode no finer than needed, turn upright, crop to the box."""
    with opened(path) as image:
        if box is None:
            image.draft("RGB", (enough, enough))  # a JPEG is decoded at a smaller scale
        whole = ImageOps.exif_transpose(image).convert("RGB")
        if box is None:
            return whole
        left, upper, right, lower = (round(value) for value in box)
        return whole.crop((left, upper, right, lower))


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()  # (C, H, W)

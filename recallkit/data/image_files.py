"""Image files: read as squares, or whole; and many of them in the place of a tensor."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Literal, overload

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from tqdm import tqdm

from recallkit.data.formats import FORMATS, SUFFIXES
from recallkit.data.image_set import Images
from recallkit.data.memory import fits_into_memory
from recallkit.data.opening import opened
from recallkit.data.pixels import decoded, over_white
from recallkit.data.prefetch import DecodedChunks, Reading, decoded_batches
from recallkit.data.squares import Squares, in_square
from recallkit.data.transforms import flattened
from recallkit.errors import RecallkitError

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "Box",
    "ImageFiles",
    "fit_image",
    "opened",
    "read_image",
    "read_images",
    "read_photograph",
    "read_whole_photograph",
]


def read_image(path: Path | BinaryIO, side: int = 64) -> Tensor:
    """Read an image, as large as fits into a square, centred, the rest transparent.

    Args:
        path: of a file in one of :data:`FORMATS`, of at most 2²⁸ pixels; or the file itself, open,
            for example an upload as ``io.BytesIO``. Of several frames the first is read, and
            orientation tags are obeyed. :mod:`recallkit.data.pixels` says how each kind of pixel
            becomes 8 bits a colour.
        side: of the square, in pixels.

    Returns:
        (4, side, side) uint8, RGBA.

    Raises:
        RecallkitError: naming the file, if it is missing, empty, damaged, too large, or its pixels
            have no known scale.
    """
    with opened(path) as image:
        return in_square(_contained(image, side), side)


def fit_image(image: Image.Image, side: int = 64) -> Tensor:
    """Fit an image of Pillow into a square, as :func:`read_image` does: (4, side, side) uint8.

    Raises:
        ValueError: if its pixels have no known scale.
    """
    return in_square(_contained(image, side), side)


def _contained(image: Image.Image, longest: int) -> Tensor:
    """Decode an open image, its longer side ``longest`` pixels: (3 or 4, H, W) uint8."""
    _draft(image, longest / max(image.size))
    return _tensor(_shrunk(decoded(image), longest))


def _shrunk(image: Image.Image, longest: int) -> Image.Image:
    """Resize an image, its aspect kept; a strip stays at least one pixel thick."""
    scale = longest / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def _draft(image: Image.Image, scale: float) -> None:
    """Let a JPEG be decoded at 1/2, 1/4 or 1/8, at least twice as large as it is needed.

    A photograph of 12 megapixels is read several times faster. Made small, it differs from what
    full decoding gives by less than 1 of 255 on average.
    """
    width, height = (max(16, math.ceil(2 * scale * length)) for length in image.size)
    image.draft(None, (width, height))


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
        whole = torch.empty(self.shape, dtype=torch.uint8)
        for images, chunk in zip(whole.split(500), self.split(500), strict=False):
            images.copy_(chunk)
        return whole.to(device)

    def readable(self) -> list[int]:
        """Decode every file once; return the places of those that are whole images.

        Raises:
            BadImageError: if a file cannot be read, and such files are not to be skipped.
        """
        chunks = [list(chunk.tolist()) for chunk in torch.arange(len(self)).split(500)]
        read = decoded_batches(self, chunks, self.reading)
        with tqdm(total=len(self), desc="checking images", delay=2, leave=False) as bar:
            kept: list[int] = []
            for chunk, (places, _) in zip(chunks, read, strict=True):
                kept += places
                bar.update(len(chunk))
        return kept

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


def read_photograph(
    path: Path | BinaryIO, side: int, margin: float = 0.0, box: Box | None = None
) -> Tensor:
    """Read the middle square of a photograph, less a margin, (3, side, side) uint8.

    Transparent pixels count as white.

    Raises:
        RecallkitError: as :func:`read_image`.
    """
    with opened(path) as image:
        shortest = side / (1 - 2 * margin)
        whole = _photograph(image, shortest / min(image.size), box)
        return _tensor(ImageOps.fit(whole, (side, side), Image.Resampling.BILINEAR, margin))


def read_whole_photograph(path: Path, longest: int, box: Box | None = None) -> Tensor:
    """Read a photograph, its aspect kept, the longer side ``longest`` pixels: (3, H, W) uint8.

    Transparent pixels count as white.

    Raises:
        RecallkitError: as :func:`read_image`.
    """
    with opened(path) as image:
        whole = _photograph(image, longest / max(image.size), box)
        return _tensor(_shrunk(whole, longest))


def _photograph(image: Image.Image, scale: float, box: Box | None) -> Image.Image:
    """Decode no finer than needed, over white, and crop to the box: RGB."""
    if box is None:
        _draft(image, scale)
        return over_white(decoded(image))
    left, upper, right, lower = (round(value) for value in box)
    return over_white(decoded(image)).crop((left, upper, right, lower))


def _tensor(image: Image.Image) -> Tensor:
    """Return (3 or 4, H, W) uint8, the latter with alpha."""
    colours = image.convert("RGB" if image.mode in {"L", "RGB"} else "RGBA")
    return torch.from_numpy(np.array(colours)).permute(2, 0, 1).contiguous()


def read_images(
    paths: Sequence[Path], side: int, reading: Reading | None = None
) -> tuple[Images, list[int]]:
    """Read images for a data set: into memory where they fit, as files where they do not.

    In memory they are N squares in one tensor that is filled in place. A line says before how much
    memory it will take. The images stay files, and are decoded for each batch, if ``reading`` has
    workers; or if they would take more than half of the memory that is available.

    Args:
        paths: of the images.
        side: each is fitted into a square of this size (pixels), as :func:`read_image` does.
        reading: how the files are read. None: a bad one is an error.

    Returns:
        The images: a tensor (N, 3, side, side) uint8 over white; (N, 4, side, side) RGBA, alpha not
        multiplied in, if any has a transparent pixel; or :class:`ImageFiles`. And their places
        among ``paths``: in memory those that are skipped are left out.

    Raises:
        BadImageError: naming up to ten images that cannot be read, unless such are skipped.
    """
    reading = Reading() if reading is None else reading
    if reading.workers or not fits_into_memory(len(paths), side):
        files = ImageFiles(paths, side, "contain", reading=reading)
        return files, list(range(len(paths)))
    squares, kept, problems = Squares(len(paths), side), [], []
    for i, path in enumerate(tqdm(paths, desc="reading images", delay=2, leave=False)):
        try:
            with opened(path) as image:
                squares.append(_contained(image, side))
            kept.append(i)
        except RecallkitError as error:
            problems.append(str(error))
    reading.note_all(problems, len(paths))
    return squares.images, kept

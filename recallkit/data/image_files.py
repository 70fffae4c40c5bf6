"""Picture files as square tensors."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from recallkit.data.prefetch import Parts, Reading
from recallkit.data.transforms import flattened
from recallkit.errors import RecallkitError

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def read_image(path: Path, side: int = 64) -> Tensor:
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
    return fit_image(picture, side)


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


def fit_image(picture: Image.Image, side: int = 64) -> Tensor:
    """A picture of Pillow, as large as fits into a square, as :func:`read_image` gives it."""
    picture = picture.convert("RGBA")
    square = ImageOps.pad(picture, (side, side), Image.Resampling.BILINEAR, color=(0, 0, 0, 0))
    return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()


def list_images(folder: Path) -> list[Path]:
    """The picture files directly in ``folder``, by name; hidden ones left out."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """N picture files in the place of a (N, 3, S, S) uint8 tensor: nothing is kept in memory.

    It has what such a tensor is used for here: ``len``, ``shape``, ``files[i]`` (one picture,
    decoded), ``files[indices]`` (those files, not decoded), ``split`` (parts, decoded as they are
    asked for) and ``to`` (all pictures, decoded).

    Args:
        paths: of the pictures.
        side: S, in pixels.
        fit: "crop" keeps the middle square of a picture, as the benchmarks do; "contain" keeps all
            of it, in a white square.
        margin: which share of the middle square is left out on each edge. 1/16 is the test of the
            benchmarks: the shorter side to 256 pixels, of which the middle 224 are seen.
        boxes: for each picture (left, upper, right, lower) in pixels to crop it to first, or None.
        reading: by how many workers parts are decoded, and what of those that cannot be.

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
        """(N, 3, S, S), as the tensor's would be."""
        return torch.Size((len(self.paths), 3, self.side, self.side))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> "Tensor | ImageFiles":
        """One picture (3, S, S), white if it is skipped; or the files at several places.

        Raises:
            RecallkitError: naming a file that is missing or damaged.
        """
        places = torch.arange(len(self))[index]
        if places.ndim == 0:
            return self._shown(int(places))
        chosen = places.tolist()
        boxes = None if self.boxes is None else [self.boxes[i] for i in chosen]
        return replace(self, paths=[self.paths[i] for i in chosen], boxes=boxes)

    def split(self, size: int) -> Parts:
        """The decoded pictures in order, ``size`` at a time."""
        return Parts(self, size, self.reading)

    def to(self, device: torch.device | str) -> Tensor:
        """All of them, decoded, (N, 3, S, S) on a device."""
        return torch.cat([torch.empty(0, *self.shape[1:], dtype=torch.uint8), *self.split(500)]).to(
            device
        )

    def _shown(self, index: int) -> Tensor:
        try:
            return self.read(index)
        except RecallkitError as error:
            self.reading.note([str(error)])
            return torch.full(self.shape[1:], 255, dtype=torch.uint8)

    def read(self, index: int) -> Tensor:
        """One picture (3, S, S) uint8.

        Raises:
            RecallkitError: naming a file that is missing or damaged.
        """
        if self.fit == "contain":
            return flattened(read_image(self.paths[index], self.side)[None])[0]
        box = None if self.boxes is None else self.boxes[index]
        return read_photograph(self.paths[index], self.side, self.margin, box)


def read_photograph(path: Path, side: int, margin: float = 0.0, box: Box | None = None) -> Tensor:
    """The middle square of a photograph, less a margin, (3, side, side) uint8.

    Raises:
        RecallkitError: naming the file, if it is missing, empty, or not a whole picture.
    """
    whole = _open(path, 2 * side, box)
    return _tensor(ImageOps.fit(whole, (side, side), Image.Resampling.BILINEAR, margin))


def read_whole_photograph(path: Path, longest: int, box: Box | None = None) -> Tensor:
    """A photograph with its aspect, the longer side brought to ``longest``, (3, H, W) uint8.

    Raises:
        RecallkitError: naming the file, if it is missing, empty, or not a whole picture.
    """
    whole = _open(path, 2 * longest, box)
    return _tensor(ImageOps.contain(whole, (longest, longest), Image.Resampling.BILINEAR))


def _open(path: Path, enough: int, box: Box | None) -> Image.Image:
    """Decode no finer than needed, turn upright, crop to the box."""
    with opened(path) as picture:
        if box is None:
            picture.draft("RGB", (enough, enough))  # of a JPEG, which can do so
        whole = ImageOps.exif_transpose(picture).convert("RGB")
        return whole if box is None else whole.crop(tuple(round(value) for value in box))


def _tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()

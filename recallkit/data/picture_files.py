"""Pictures in files that stand where a tensor of pictures would: decoded when asked for."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from recallkit.errors import RecallkitError

Box = tuple[float, float, float, float]


class PictureFiles:
    """N picture files in the place of a (N, 3, S, S) uint8 tensor: nothing is kept in memory.

    It has what such a tensor is used for here: ``len``, ``shape``, ``files[i]`` (one picture,
    decoded), ``files[indices]`` (those files, not decoded), ``split`` (parts, not decoded) and
    ``to`` (all pictures, decoded by a few threads).

    Args:
        paths: of the pictures.
        side: S. The middle square of a picture is brought to this size.
        margin: which share of the square is left out on each edge. 1/16 is the test of the
            benchmarks: the shorter side to 256 pixels, of which the middle 224 are seen.
        boxes: for each picture (left, upper, right, lower) in pixels to crop it to first, or None.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        side: int,
        margin: float = 0.0,
        boxes: Sequence[Box] | None = None,
    ) -> None:
        if side < 1:
            raise ValueError(f"side must be at least 1, not {side}")
        self.paths, self.side, self.margin = tuple(paths), side, margin
        self.boxes = None if boxes is None else tuple(boxes)

    @property
    def shape(self) -> torch.Size:
        """(N, 3, S, S), as the tensor's would be."""
        return torch.Size((len(self.paths), 3, self.side, self.side))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> "Tensor | PictureFiles":
        """One picture (3, S, S), or the files at several places.

        Raises:
            RecallkitError: naming a file that is missing or damaged.
        """
        places = torch.arange(len(self))[index]
        if places.ndim == 0:
            return self.read(int(places))
        chosen = places.tolist()
        boxes = None if self.boxes is None else [self.boxes[i] for i in chosen]
        return PictureFiles([self.paths[i] for i in chosen], self.side, self.margin, boxes)

    def split(self, size: int) -> "list[PictureFiles]":
        """Parts of ``size`` pictures, the last perhaps smaller."""
        return [self[i : i + size] for i in range(0, len(self), size)]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Tensor:
        """All of them, decoded, (N, 3, S, S) on a device."""
        pictures = torch.empty(self.shape, dtype=torch.uint8)
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for place, picture in enumerate(pool.map(self.read, range(len(self)))):
                pictures[place] = picture
        return pictures.to(device, non_blocking=non_blocking)

    def read(self, index: int) -> Tensor:
        """One picture (3, S, S) uint8.

        Raises:
            RecallkitError: naming a file that is missing or damaged.
        """
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
    try:
        with Image.open(path) as picture:
            if box is None:
                picture.draft("RGB", (enough, enough))  # of a JPEG, which can do so
            whole = ImageOps.exif_transpose(picture).convert("RGB")
            return whole if box is None else whole.crop(tuple(round(value) for value in box))
    except FileNotFoundError:
        raise RecallkitError(f"there is no picture {path}") from None
    except Exception as error:  # a damaged picture fails in many ways, each of them final
        raise RecallkitError(
            f"{path} cannot be read as a picture ({error}). Replace or delete it."
        ) from error


def _tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()

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
    """N picture files as if they were a (N, 3, S, S) uint8 tensor.

    ``files[17]``, ``files[3:9]``, ``files[[5, 2]]`` and ``files[index_tensor]`` decode what they
    name, with a few threads, since decoding leaves Python's lock; ``files.split(n)`` cuts into
    parts that are decoded when used. Nothing is kept.

    Args:
        paths: of the pictures.
        side: S. The shorter side becomes S, and the middle of the longer is kept, as at the test of
            the benchmarks (resize, centre crop).
        boxes: for each picture (left, upper, right, lower) in pixels to crop it to first, or None.
    """

    def __init__(
        self, paths: Sequence[Path], side: int, boxes: Sequence[Box] | None = None
    ) -> None:
        if side < 1:
            raise ValueError(f"side must be at least 1, not {side}")
        self.paths, self.side = tuple(paths), side
        self.boxes = None if boxes is None else tuple(boxes)

    @property
    def shape(self) -> torch.Size:
        """(N, 3, S, S)."""
        return torch.Size((len(self.paths), 3, self.side, self.side))

    @property
    def ndim(self) -> int:
        """4, as of the tensor."""
        return 4

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> Tensor:
        """Decoded pictures; (3, S, S) for an integer, else (n, 3, S, S).

        Raises:
            RecallkitError: naming a file that is missing or damaged.
        """
        places = torch.arange(len(self))[index]
        if places.ndim == 0:
            return self._read(int(places))
        if len(places) == 0:
            return torch.empty(0, *self.shape[1:], dtype=torch.uint8)
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            return torch.stack(list(pool.map(self._read, places.tolist())))

    def split(self, size: int) -> "list[PictureFiles]":
        """Parts of ``size`` pictures, the last perhaps smaller, not yet decoded."""
        return [self.part(range(i, min(i + size, len(self)))) for i in range(0, len(self), size)]

    def part(self, places: Sequence[int]) -> "PictureFiles":
        """The pictures at these places, not yet decoded."""
        boxes = None if self.boxes is None else [self.boxes[i] for i in places]
        return PictureFiles([self.paths[i] for i in places], self.side, boxes)

    def to(self, device: torch.device | str) -> Tensor:
        """All of them, decoded, on a device."""
        return self[:].to(device)

    def _read(self, place: int) -> Tensor:
        return read_photograph(
            self.paths[place], self.side, None if self.boxes is None else self.boxes[place]
        )


def read_photograph(path: Path, side: int, box: Box | None = None) -> Tensor:
    """The middle square of a photograph, (3, side, side) uint8.

    Raises:
        RecallkitError: naming the file, if it is missing, empty, or not a whole picture.
    """
    try:
        with Image.open(path) as picture:
            if box is None:
                picture.draft("RGB", (side, side))  # JPEG: decode no finer than needed
            whole = ImageOps.exif_transpose(picture).convert("RGB")
            cropped = whole if box is None else whole.crop(tuple(round(value) for value in box))
            square = ImageOps.fit(cropped, (side, side), Image.Resampling.BILINEAR)
    except FileNotFoundError:
        raise RecallkitError(f"there is no picture {path}") from None
    except Exception as error:  # a damaged picture fails in many ways, each of them final
        raise RecallkitError(
            f"{path} cannot be read as a picture ({error}). Replace or delete it."
        ) from error
    return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()

"""Pictures that stay on the disk until a batch needs them: decoded in workers, uint8 all the way.

Host memory is bounded by, in bytes, with B images a batch, sides of S pixels and W workers,

    3 S² · (2 B + 3 W · PIECE)

two batches (one in use, one being filled) and the pieces on their way. For B = 16,384 at 224 px,
and 16 workers, that is 5.4 GB; as float32 the two batches alone would be 19.7 GB.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from recallkit.data.pictures import read_picture
from recallkit.data.transforms import flattened
from recallkit.errors import RecallkitError

OnBadImage = Literal["raise", "skip"]
PIECE = 32  # images that a worker decodes at a time
AHEAD = 2  # pieces that wait for each worker


def host_bytes(batch_size: int, side: int, workers: int) -> int:
    """The bound on host memory stated above, in bytes."""
    return 3 * side**2 * (2 * batch_size + (AHEAD + 1) * max(workers, 1) * PIECE)


class PictureFiles:
    """Picture files in the place of a tensor (N, 3, S, S) uint8: decoded when they are asked for.

    It has what such a tensor is used for here: ``len``, ``shape``, ``files[i]`` (one picture),
    ``files[indices]`` (those files, not decoded) and ``split`` (decoded, a part at a time).

    Args:
        paths: (N,) of the files.
        side: S; a picture is made as large as fits into the square, on white.
        workers: processes that decode; 0: this one does.
        on_bad_image: a file that is no whole picture: "raise" an error that names it, or "skip":
            leave it out of batches, let it be white in an evaluation, and note it in ``bad``.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        side: int,
        workers: int = 0,
        on_bad_image: OnBadImage = "raise",
        bad: set[str] | None = None,
    ) -> None:
        if workers < 0:
            raise ValueError(f"workers must be at least 0, not {workers}")
        self.paths, self.side, self.workers = list(paths), side, workers
        self.on_bad_image = on_bad_image
        self.bad: set[str] = set() if bad is None else bad  # shared by all parts of a data set

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def shape(self) -> torch.Size:
        """(N, 3, S, S), as the tensor's would be."""
        return torch.Size((len(self), 3, self.side, self.side))

    def __getitem__(self, index: int | Tensor | Sequence[int]) -> "Tensor | PictureFiles":
        """One picture (3, S, S), or the files at several indices."""
        if isinstance(index, int) or (isinstance(index, Tensor) and index.ndim == 0):
            _, pictures, problems = _Decode(self.paths, self.side)([int(index)])
            self._note(problems)
            return pictures[0]
        chosen = [self.paths[int(i)] for i in index]
        return PictureFiles(chosen, self.side, self.workers, self.on_bad_image, self.bad)

    def split(self, size: int) -> "_Parts":
        """The decoded pictures in order, ``size`` at a time; workers are a part or two ahead."""
        return _Parts(self, size)

    def batches(
        self, batches: Iterable[list[int]], pin: bool = False
    ) -> Iterator[tuple[list[int], Tensor]]:
        """Decode batch after batch, each while the one before it is in use.

        Args:
            batches: of indices.
            pin: put batches into pinned memory, from where a GPU fetches them while it computes.

        Yields:
            The indices of the images in the batch, without the skipped, and the images
            (B, 3, S, S) uint8.
        """
        plan = _Plan(batches)
        pieces = iter(self._loader(plan))
        with ThreadPoolExecutor(1) as thread:
            ahead: Future = thread.submit(self._assemble, plan, pieces, pin)
            while (batch := ahead.result()) is not None:
                ahead = thread.submit(self._assemble, plan, pieces, pin)
                yield batch
                del batch  # the caller may still hold it; here it must not be a third one

    def _loader(self, pieces: Iterable[list[int]]) -> DataLoader:
        return DataLoader(
            range(len(self)),  # indices; what they stand for is decoded in the worker
            batch_sampler=pieces,
            num_workers=self.workers,
            collate_fn=_Decode(self.paths, self.side),
            prefetch_factor=AHEAD if self.workers else None,
            generator=torch.Generator(),  # else it would draw from the default one
        )

    def _assemble(
        self, plan: "_Plan", pieces: Iterator["Piece"], pin: bool
    ) -> tuple[list[int], Tensor] | None:
        """The next batch, piece by piece into one block of memory; None after the last."""
        piece = next(pieces, None)
        if piece is None:
            return None
        size = plan.sizes.pop(0)
        images = torch.empty(size, 3, self.side, self.side, dtype=torch.uint8, pin_memory=pin)
        kept: list[int] = []
        taken = 0
        while True:
            indices, pictures, problems = piece
            self._note(problems)
            good = [i for i in range(len(indices)) if i not in problems]
            images[len(kept) : len(kept) + len(good)] = pictures[good]
            kept += [indices[i] for i in good]
            taken += len(indices)
            if taken == size:
                return kept, images[: len(kept)]
            piece = next(pieces)

    def _note(self, problems: dict[int, str]) -> None:
        for problem in problems.values():
            if self.on_bad_image == "raise":
                raise RecallkitError(f"{problem} Or leave such out by --on-bad-image skip.")
            self.bad.add(problem)


# Indices, pictures (n, 3, S, S) white where there is none, and what is wrong with those.
Piece = tuple[list[int], Tensor, dict[int, str]]


class _Plan:
    """Batches cut into pieces for the workers; remembers how large each batch is."""

    def __init__(self, batches: Iterable[list[int]]) -> None:
        self.batches = batches
        self.sizes: list[int] = []

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            self.sizes.append(len(batch))
            for begin in range(0, len(batch), PIECE):
                yield batch[begin : begin + PIECE]


class _Decode:
    """In a worker: indices → indices with their pictures, or what is wrong with them."""

    def __init__(self, paths: list[Path], side: int) -> None:
        self.paths, self.side = paths, side

    def __call__(self, indices: list[int]) -> Piece:
        pictures = torch.full((len(indices), 3, self.side, self.side), 255, dtype=torch.uint8)
        problems = {}
        for i, index in enumerate(indices):
            try:
                pictures[i] = flattened(read_picture(self.paths[index], self.side)[None])[0]
            except RecallkitError as error:  # errors do not pass between processes unharmed
                problems[i] = str(error)
        return indices, pictures, problems


class _Parts:
    """What ``PictureFiles.split`` returns."""

    def __init__(self, files: PictureFiles, size: int) -> None:
        self.files, self.size = files, size

    def __len__(self) -> int:
        return -(-len(self.files) // self.size)

    def __iter__(self) -> Iterator[Tensor]:
        waiting = torch.empty(0, *self.files.shape[1:], dtype=torch.uint8)
        for _, pictures, problems in self.files._loader(_Plan([list(range(len(self.files)))])):
            self.files._note(problems)
            waiting = torch.cat([waiting, pictures])
            while len(waiting) >= self.size:
                yield waiting[: self.size]
                waiting = waiting[self.size :]
        if len(waiting):
            yield waiting

"""Pictures that stay on the disk until a batch needs them: decoded in workers, uint8 all the way.

Host memory is bounded by, in bytes, with B images a batch, sides of S pixels and W workers,

    3 S² · (2 B + 3 W · PIECE)

two batches (one in use, one being filled) and the pieces on their way. For B = 16,384 at 224 px,
and 16 workers, that is 5.2 GB; as float32 the two batches alone would be 19.7 GB.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from recallkit.errors import RecallkitError

OnBadImage = Literal["raise", "skip"]


PIECE = 32  # images that a worker decodes at a time


AHEAD = 2  # pieces that wait for each worker


class BadImageError(RecallkitError):
    """A picture cannot be read."""


@dataclass
class Reading:
    """How pictures are read.

    Attributes:
        workers: processes that decode; 0: the one that asks. What is read does not depend on it.
        on_bad_image: a file that is no whole picture: "raise" an error that names it, or "skip":
            leave it out of batches, let it be white in an evaluation, and note it in ``bad``.
        bad: of each such file, its name and why.
    """

    workers: int = 0
    on_bad_image: OnBadImage = "raise"
    bad: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError(f"workers must be at least 0, not {self.workers}")

    def note(self, problems: Iterable[str]) -> None:
        """What is wrong with pictures: an error, or kept in mind."""
        for problem in problems:
            if self.on_bad_image == "raise":
                raise BadImageError(f"{problem} Or leave such out by --on-bad-image skip.")
            self.bad.add(problem)


class Files(Protocol):
    """N pictures that are decoded when asked for."""

    shape: torch.Size  # (N, 3, S, S)

    def read(self, index: int) -> Tensor:
        """(3, S, S) uint8; RecallkitError, naming the file, if it cannot be read."""


# Indices, pictures (n, 3, S, S) white where there is none, and what is wrong with those.
Piece = tuple[list[int], Tensor, dict[int, str]]


def host_bytes(batch_size: int, side: int, workers: int) -> int:
    """The bound on host memory stated above, in bytes."""
    return 3 * side**2 * (2 * batch_size + (AHEAD + 1) * max(workers, 1) * PIECE)


def decoded_batches(
    files: Files, batches: Iterable[list[int]], reading: Reading, pin: bool = False
) -> Iterator[tuple[list[int], Tensor]]:
    """Decode batch after batch, each while the one before it is in use.

    Args:
        files: the pictures.
        batches: of indices.
        reading: how.
        pin: put batches into pinned memory, from where a GPU fetches them while it computes.

    Yields:
        The indices of the images in the batch, without the skipped, and the images (B, 3, S, S)
        uint8.
    """
    plan = _Plan(batches)
    pieces = iter(_loader(files, plan, reading))

    def assemble() -> tuple[list[int], Tensor] | None:
        piece = next(pieces, None)
        return None if piece is None else _assemble(piece, pieces, plan.sizes.pop(0), reading, pin)

    with ThreadPoolExecutor(1) as thread:
        ahead: Future = thread.submit(assemble)
        while (batch := ahead.result()) is not None:
            ahead = thread.submit(assemble)
            yield batch
            del batch  # the caller may still hold it; here it must not be a third one


def _assemble(
    piece: Piece, pieces: Iterator[Piece], size: int, reading: Reading, pin: bool
) -> tuple[list[int], Tensor]:
    """A batch of ``size``, piece by piece into one block of memory."""
    images = torch.empty(size, *piece[1].shape[1:], dtype=torch.uint8, pin_memory=pin)
    kept: list[int] = []
    taken = 0
    while True:
        indices, pictures, problems = piece
        reading.note(problems.values())
        good = [i for i in range(len(indices)) if i not in problems]
        images[len(kept) : len(kept) + len(good)] = pictures[good]
        kept += [indices[i] for i in good]
        taken += len(indices)
        if taken == size:
            return kept, images[: len(kept)]
        piece = next(pieces)


def _loader(files: Files, pieces: Iterable[list[int]], reading: Reading) -> DataLoader:
    return DataLoader(
        range(files.shape[0]),  # indices; what they stand for is decoded in the worker
        batch_sampler=pieces,
        num_workers=reading.workers,
        collate_fn=_Decode(files),
        prefetch_factor=AHEAD if reading.workers else None,
        generator=torch.Generator(),  # else it would draw from the default one
    )


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
    """In a worker: indices → a piece."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def __call__(self, indices: list[int]) -> Piece:
        pictures = torch.full((len(indices), *self.files.shape[1:]), 255, dtype=torch.uint8)
        problems = {}
        for i, index in enumerate(indices):
            try:
                pictures[i] = self.files.read(index)
            except RecallkitError as error:  # errors do not pass between processes unharmed
                problems[i] = str(error)
        return indices, pictures, problems


class Parts:
    """Decoded pictures in order, some at a time; workers are a part or two ahead.

    A picture that is skipped is white.

    Args:
        files: the pictures.
        size: how many a part has, the last perhaps fewer.
        reading: how.
    """

    def __init__(self, files: Files, size: int, reading: Reading) -> None:
        self.files, self.size, self.reading = files, size, reading

    def __len__(self) -> int:
        return -(-self.files.shape[0] // self.size)

    def __iter__(self) -> Iterator[Tensor]:
        """(≤ size, 3, S, S) uint8 each."""
        waiting = torch.empty(0, *self.files.shape[1:], dtype=torch.uint8)
        everything = _Plan([list(range(self.files.shape[0]))])
        for _, pictures, problems in _loader(self.files, everything, self.reading):
            self.reading.note(problems.values())
            waiting = torch.cat([waiting, pictures])
            while len(waiting) >= self.size:
                yield waiting[: self.size]
                waiting = waiting[self.size :]
        if len(waiting):
            yield waiting

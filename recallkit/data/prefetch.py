"""Images that stay on the disk until a batch needs them: decoded by workers, uint8 all the way.

Host memory is bounded by, in bytes, with B images a batch, sides of S pixels and W workers,

    3 S² · (2 B + 3 W · TASK)

two batches (one in use, one being filled) and the decoded images on their way from the workers. For
B = 16,384 at 224 px, and 16 workers, that is 5.2 GB; as float32 the two batches alone would take
19.7 GB.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal, Protocol, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from recallkit.errors import RecallkitError

__all__ = [
    "BadImageError",
    "DecodedChunks",
    "Files",
    "OnBadImage",
    "Reading",
    "decoded_batches",
    "host_bytes",
]

OnBadImage = Literal["raise", "skip"]

TASK = 32  # images that a worker decodes at a time
TASKS_AHEAD = 2  # tasks that wait for each worker


class BadImageError(RecallkitError):
    """An image file cannot be read."""


@dataclass
class Reading:
    """The way image files are read.

    Attributes:
        workers: number of processes that decode. 0: the process that asks does. The images do not
            depend on it.
        on_bad_image: what to do with a file that is not a whole image. "raise": an error that names
            it. "skip": leave it out of batches, show it as white in an evaluation, and note it in
            ``bad``.
        bad: for each skipped file its name and what is wrong.

    Raises:
        ValueError: if ``workers`` is below 0.
    """

    workers: int = 0
    on_bad_image: OnBadImage = "raise"
    bad: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError(f"workers must be at least 0, not {self.workers}")

    def note(self, problems: Iterable[str]) -> None:
        """Raise the first problem as an error, or keep all of them in ``bad``.

        Raises:
            BadImageError: if bad images are not to be skipped, and there is one.
        """
        for problem in problems:
            if self.on_bad_image == "raise":
                raise BadImageError(
                    f"{problem} To skip unreadable images, add --on-bad-image skip."
                )
            self.bad.add(problem)

    def note_all(self, problems: Sequence[str], images: int) -> None:
        """Note the problems of a folder that was read whole; as an error it shows ten of them.

        Args:
            problems: one for each bad image.
            images: number of all images.

        Raises:
            BadImageError: if bad images are not to be skipped, and there is one.
        """
        if problems and self.on_bad_image == "raise":
            shown = "\n  ".join(problems[:10])
            raise BadImageError(
                f"{len(problems)} of {images} images cannot be read. Mend them, or add "
                f"--on-bad-image skip:\n  {shown}"
            )
        self.note(problems)


class Files(Protocol):
    """N image files that are decoded when they are asked for."""

    @property
    def shape(self) -> torch.Size:
        """Shape of the decoded images: (N, 3, S, S)."""
        ...

    def read(self, index: int) -> Tensor:
        """Decode one image, (3, S, S) uint8; RecallkitError, naming the file, if it cannot be."""
        ...


# Indices, images (n, 3, S, S), white where there is none, and what is wrong with those, by place.
Decoded = tuple[list[int], Tensor, dict[int, str]]


def host_bytes(batch_size: int, side: int, workers: int) -> int:
    """Return the bound on host memory stated above, in bytes."""
    return 3 * side**2 * (2 * batch_size + (TASKS_AHEAD + 1) * max(workers, 1) * TASK)


def decoded_batches(
    files: Files, batches: Iterable[list[int]], reading: Reading, pin: bool = False
) -> Iterator[tuple[list[int], Tensor]]:
    """Decode batch after batch, each while the one before it is in use.

    Args:
        files: the images.
        batches: lists of indices.
        reading: how the files are read.
        pin: put batches into pinned memory, from where a GPU fetches them while it computes.

    Yields:
        The indices of the images in the batch, without the skipped ones, and the images
        (B, 3, S, S) uint8.

    Raises:
        BadImageError: a file cannot be read, and such files are not to be skipped.
    """
    tasks = _Tasks(batches)
    decoded = iter(_loader(files, tasks, reading))

    def assemble() -> tuple[list[int], Tensor] | None:
        first = next(decoded, None)
        if first is None:
            return None
        return _assemble(first, decoded, tasks.batch_sizes.pop(0), reading, pin)

    with ThreadPoolExecutor(1) as thread:
        ahead: Future[tuple[list[int], Tensor] | None] = thread.submit(assemble)
        while (batch := ahead.result()) is not None:
            ahead = thread.submit(assemble)
            yield batch
            del batch  # the caller may still hold it; here it must not be a third one


def _assemble(
    first: Decoded, others: Iterator[Decoded], size: int, reading: Reading, pin: bool
) -> tuple[list[int], Tensor]:
    """Gather a batch of ``size`` images, task by task, in one tensor."""
    batch = torch.empty(size, *first[1].shape[1:], dtype=torch.uint8, pin_memory=pin)
    kept: list[int] = []
    taken, decoded = 0, first
    while True:
        indices, images, problems = decoded
        reading.note(problems.values())
        good = [i for i in range(len(indices)) if i not in problems]
        batch[len(kept) : len(kept) + len(good)] = images[good]
        kept += [indices[i] for i in good]
        taken += len(indices)
        if taken == size:
            return kept, batch[: len(kept)]
        decoded = next(others)


def _loader(files: Files, tasks: Iterable[list[int]], reading: Reading) -> DataLoader:
    indices = cast("Dataset[int]", range(files.shape[0]))  # the worker decodes their files
    return DataLoader(
        indices,
        batch_sampler=tasks,
        num_workers=reading.workers,
        collate_fn=_Decode(files),
        prefetch_factor=TASKS_AHEAD if reading.workers else None,
        generator=torch.Generator(),  # else it would draw from the default one
    )


class _Tasks:
    """Batches cut into tasks for the workers; remembers how large each batch is."""

    def __init__(self, batches: Iterable[list[int]]) -> None:
        self.batches = batches
        self.batch_sizes: list[int] = []

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            self.batch_sizes.append(len(batch))
            for begin in range(0, len(batch), TASK):
                yield batch[begin : begin + TASK]


class _Decode:
    """Turns the indices of a task into images, in a worker."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def __call__(self, indices: list[int]) -> Decoded:
        images = torch.full((len(indices), *self.files.shape[1:]), 255, dtype=torch.uint8)
        problems = {}
        for i, index in enumerate(indices):
            try:
                images[i] = self.files.read(index)
            except RecallkitError as error:  # as text: errors do not pass well between processes
                problems[i] = str(error)
        return indices, images, problems


class DecodedChunks:
    """Decoded images in order, a chunk at a time; workers decode ahead. A skipped image is white.

    Args:
        files: the images.
        size: images a chunk; the last may have fewer.
        reading: how the files are read.
    """

    def __init__(self, files: Files, size: int, reading: Reading) -> None:
        self.files, self.size, self.reading = files, size, reading

    def __len__(self) -> int:
        return -(-self.files.shape[0] // self.size)

    def __iter__(self) -> Iterator[Tensor]:
        """Give chunks (≤ size, 3, S, S) uint8.

        Raises:
            BadImageError: a file cannot be read, and such files are not to be skipped.
        """
        waiting = torch.empty(0, *self.files.shape[1:], dtype=torch.uint8)
        tasks = _Tasks([list(range(self.files.shape[0]))])
        for _, images, problems in _loader(self.files, tasks, self.reading):
            self.reading.note(problems.values())
            waiting = torch.cat([waiting, images])
            while len(waiting) >= self.size:
                yield waiting[: self.size]
                waiting = waiting[self.size :]
        if len(waiting):
            yield waiting

"""Make an index of images, or extend one: only what is new or changed is embedded.

A file is unchanged if its path, size and time of change are those of a row. If its path or time is
another, its content decides, by a hash: a file that was renamed, moved or copied keeps its
embedding. What is done is saved from time to time, and when the embedding ends early.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from recallkit.data.prefetch import OnBadImage, Reading
from recallkit.gallery.embedding import embedded_batches, refuse_bad
from recallkit.gallery.index import Index
from recallkit.gallery.listing import FoundImages

if TYPE_CHECKING:
    from recallkit.gallery.run import TrainedRun

__all__ = ["Changes", "Embedding", "extend_index", "file_digest"]

SAVE_SECONDS = 60.0  # a crash costs no more than this


@dataclass(frozen=True)
class Embedding:
    """The way images are embedded.

    Attributes:
        on_bad_image: "raise": an error names all that cannot be read, when the others are done.
            "skip": they are left out.
        workers: processes that decode. 0: this one does.
        batch_size: images in a forward pass.
        check_content: hash each file, also where size and time are those of its row.
        save_seconds: save when the last save is that many seconds ago. Default: 60.
    """

    on_bad_image: OnBadImage = "raise"
    workers: int = 0
    batch_size: int = 64
    check_content: bool = False
    save_seconds: float = SAVE_SECONDS


@dataclass(frozen=True)
class Changes:
    """The changes to the images of an index.

    Attributes:
        kept: number of images whose embedding was there.
        embedded: number of images that were embedded.
        gone: paths that are not there any more, or changed beyond reading.
        bad: what is wrong with the images that were left out, a sentence each.
    """

    kept: int
    embedded: int
    gone: tuple[str, ...]
    bad: tuple[str, ...]

    def describe(self) -> str:
        """Say all of it in one line."""
        texts = [f"{self.embedded:,} images embedded", f"{self.kept:,} kept as they were"]
        if self.gone:
            shown = ", ".join(map(repr, self.gone[:5])) + (", …" if len(self.gone) > 5 else "")
            texts.append(f"{len(self.gone):,} gone ({shown})")
        if self.bad:
            texts.append(f"{len(self.bad):,} could not be read and were left out")
        return ", ".join(texts)


def extend_index(
    run: "TrainedRun",
    found: FoundImages,
    index: Index | None = None,
    options: Embedding | None = None,
    save: Callable[[Index], None] | None = None,
) -> tuple[Index, Changes]:
    """Make an index of the images that were found, with what another index of the run holds.

    Args:
        run: whose network embeds.
        found: the images.
        index: of the same run, or None.
        options: how images are embedded.
        save: called with an incomplete index from time to time, and if the embedding ends early,
            also by Ctrl-C; and with the complete one.

    Raises:
        BadImageError: naming images that cannot be read, unless such are skipped. The others are
            in the index that was saved.
    """
    options = options or Embedding()
    save = save or (lambda _: None)
    work = _Work(run, found, index, options)
    missing = [place for place in range(len(found)) if not work.done[place]]
    reading = Reading(options.workers, "skip")
    saved = time.monotonic()
    try:
        files = run.files(found.files(missing), reading)
        for kept, rows in embedded_batches(run, files, options.batch_size):
            work.add([missing[i] for i in kept], rows)
            if time.monotonic() - saved >= options.save_seconds:
                save(work.index(complete=False))
                saved = time.monotonic()
    except BaseException:  # Ctrl-C, a full disk: what is done stays
        if work.done.any():
            save(work.index(complete=False))
        raise
    refused = bool(reading.bad) and options.on_bad_image == "raise"
    if work.done.any():
        save(work.index(complete=not refused))
    if refused or not work.done.any():
        refuse_bad(reading.bad, len(found))
    return work.index(complete=True), work.changes(len(missing), reading.bad)


class _Work:
    """A table with a row for each image that was found, filled bit by bit.

    Attributes:
        done: (N,) bool, whether a row is filled.
    """

    def __init__(
        self, run: "TrainedRun", found: FoundImages, index: Index | None, options: Embedding
    ) -> None:
        self.run, self.found, self.old = run, found, index
        self.table = torch.zeros(len(found), run.config.embedding_dim)
        self.stamps = np.array([_stamp(file) for file in found.files()], dtype=np.int64)
        self.digests = [""] * len(found)
        self.done = np.zeros(len(found), dtype=bool)
        if index is not None:
            self._take_over(index, options.check_content)

    def _take_over(self, index: Index, check_content: bool) -> None:
        """Fill the rows of unchanged files."""
        row_of = {path: row for row, path in enumerate(index.paths)}
        row_with = {digest: row for row, digest in enumerate(index.digests) if digest}
        sizes = {int(size) for size in index.stamps[:, 0]}
        for place, path in enumerate(self.found.paths):
            row = row_of.get(path)
            same = row is not None and bool((index.stamps[row] == self.stamps[place]).all())
            if check_content or not same:
                row = None
                if int(self.stamps[place, 0]) in sizes:
                    self.digests[place] = file_digest(self.found.root / path)
                    row = row_with.get(self.digests[place])
            if row is not None:
                self.table[place] = index.embeddings[row]
                self.digests[place] = index.digests[row]
                self.done[place] = True

    def add(self, places: list[int], rows: torch.Tensor) -> None:
        """Fill the rows of images that have been embedded."""
        self.table[places] = rows
        self.done[places] = True
        for place in places:
            file = self.found.root / self.found.paths[place]
            digest = self.digests[place] or file_digest(file)
            changed = _stamp(file) != tuple(self.stamps[place])  # while it was embedded
            self.digests[place] = "" if changed else digest

    def index(self, complete: bool) -> Index:
        """Make an index of the rows that are filled."""
        whole = Index(
            self.table,
            self.found.paths,
            str(self.found.root),
            self.found.labels,
            self.stamps,
            tuple(self.digests),
            self.run.identity,
            str(self.run.folder.absolute()),
            complete,
        )
        return whole if self.done.all() else whole.rows(np.flatnonzero(self.done).tolist())

    def changes(self, missing: int, bad: Iterable[str]) -> Changes:
        """Count what became of the images."""
        there = {path for path, done in zip(self.found.paths, self.done, strict=True) if done}
        gone = tuple(path for path in (self.old.paths if self.old else ()) if path not in there)
        bad = tuple(sorted(bad))
        return Changes(len(self.found) - missing, missing - len(bad), gone, bad)


def _stamp(file: Path) -> tuple[int, int]:
    """Size and time of change; of a file that cannot be read none: decoding names it."""
    try:
        status = file.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def file_digest(file: Path) -> str:
    """Return a hash of the content of a file: 32 hexadecimal digits, "" if it cannot be read."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return ""

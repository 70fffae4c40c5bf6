"""An index: the embeddings of images by one run, with all that is needed to keep and extend it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from recallkit.errors import RecallkitError

if TYPE_CHECKING:
    from recallkit.gallery.run import TrainedRun

__all__ = ["Index", "check_same_run"]

MEASURE = "cosine"  # networks end in unit vectors: their dot product is the cosine


@dataclass(frozen=True, eq=False)
class Index:
    """Embeddings of N images, and which image each row is.

    Attributes:
        embeddings: (N, D) float32 unit vectors on the CPU.
        paths: of the images, relative to ``root``, with "/" between folders.
        root: an absolute folder; or the name of a data set whose images are no files.
        labels: the class of each image, "" for one without.
        stamps: (N, 2) int64: size in bytes, and time of the last change in nanoseconds.
        digests: a hash of the content of each file, 32 hexadecimal digits; "" for no file.
        run: the identity of the run; see :attr:`.TrainedRun.identity`.
        run_folder: where the run was when the index was made.
        complete: False if the embedding was interrupted.
    """

    embeddings: Tensor
    paths: tuple[str, ...]
    root: str
    labels: tuple[str, ...]
    stamps: np.ndarray
    digests: tuple[str, ...]
    run: str
    run_folder: str
    complete: bool = True

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of their first image."""
        return tuple(name for name in dict.fromkeys(self.labels) if name)

    def file(self, row: int) -> Path:
        """Return the absolute path of an image file."""
        return Path(self.root) / self.paths[row]

    def name(self, row: int) -> str:
        """Return the absolute path of an image; of one that is no file, its path in the index."""
        return str(self.file(row)) if self.stamps[row, 0] >= 0 else self.paths[row]

    def numbers(self) -> Tensor:
        """Return the labels as numbers, (N,) int64; images without a class are refused.

        Raises:
            RecallkitError: if an image has no class.
        """
        missing = sum(not label for label in self.labels)
        if missing:
            raise RecallkitError(
                f"{missing:,} of {len(self):,} images of {self.root} have no class: put each into "
                f"a sub-folder that is named after its class"
            )
        number = {label: place for place, label in enumerate(sorted(set(self.labels)))}
        return torch.tensor([number[label] for label in self.labels], dtype=torch.int64)

    def rows(self, rows: Sequence[int]) -> "Index":
        """Choose some of the images."""
        chosen = list(rows)
        return replace(
            self,
            embeddings=self.embeddings[torch.tensor(chosen, dtype=torch.int64)],
            paths=tuple(self.paths[i] for i in chosen),
            labels=tuple(self.labels[i] for i in chosen),
            stamps=self.stamps[chosen],
            digests=tuple(self.digests[i] for i in chosen),
        )


def check_same_run(index: Index, run: "TrainedRun", source: "str | Path") -> None:
    """Refuse an index whose embeddings are not comparable with those of a run.

    Raises:
        RecallkitError: naming the file and both runs.
    """
    if index.run != run.identity:
        raise RecallkitError(
            f"{source} holds embeddings of another run, that of {index.run_folder}, and not of "
            f"{run.folder}. Add --run {index.run_folder}, or embed the images by this run into "
            f"another file."
        )

"""A trained run: its network with the preprocessing that it was trained for."""

import hashlib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from recallkit.config import Config
from recallkit.data.benchmarks import BENCHMARKS
from recallkit.data.benchmarks.loading import MARGIN
from recallkit.data.catalogue import kept_side
from recallkit.data.image_files import ImageFiles
from recallkit.data.prefetch import OnBadImage, Reading
from recallkit.data.transforms import TestTransform
from recallkit.gallery.embedding import embedded_batches, refuse_bad
from recallkit.gallery.extending import Embedding
from recallkit.gallery.index import Index
from recallkit.gallery.listing import expand
from recallkit.gallery.opening import open_gallery, plan_gallery
from recallkit.gallery.searching import SearchResult, search_files
from recallkit.networks import RetrievalNetwork
from recallkit.training.run_data import read_data
from recallkit.training.run_folder import load_run

__all__ = ["TrainedRun", "load_trained_run"]

_CHUNK = 2**20  # bytes of a file that are hashed at once


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """The network of a finished run, and what images must become for it.

    Attributes:
        folder: of the run.
        config: its settings.
        network: in evaluation mode: normalised images (B, 3, S, S) → unit vectors (B, D).
    """

    folder: Path
    config: Config
    network: RetrievalNetwork

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        return next(self.network.parameters()).device

    @property
    def transform(self) -> TestTransform:
        """The transform of squares (B, 3 or 4, H, W) uint8 into the input of the network."""
        return TestTransform(self.config.image_size)

    @cached_property
    def identity(self) -> str:
        """32 hexadecimal digits that tell whose embeddings are comparable.

        They are a hash of the weights and of the preprocessing, so a copy of the run has the same.
        """
        preprocessing = repr((self.config.image_size, *self._square()))
        digest = hashlib.blake2b(preprocessing.encode(), digest_size=16)
        with (self.folder / "weights.safetensors").open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def files(self, paths: Iterable[Path], reading: Reading) -> ImageFiles:
        """Read image files as the run reads its test images."""
        side, fit, margin = self._square()
        return ImageFiles(list(paths), side, fit, margin, reading=reading)

    def _square(self) -> tuple[int, Literal["crop", "contain"], float]:
        """Side, fit and margin of the squares: those of benchmarks are cropped, others whole."""
        if self.config.dataset in BENCHMARKS:
            return self.config.image_size, "crop", MARGIN
        data = read_data(self.folder)
        side = kept_side(self.config.image_size, None) if data is None else data.side
        return side, "contain", 0.0

    def embed(
        self,
        paths: str | Path | Iterable[str | Path],
        *,
        on_bad_image: OnBadImage = "raise",
        batch_size: int = 64,
        workers: int = 0,
    ) -> Tensor:
        """Embed image files, with a progress bar after two seconds.

        Args:
            paths: one file, several, or a folder, whose images are taken at any depth, sorted by
                path.
            on_bad_image: "raise" ends with an error that names the files that cannot be read.
                "skip" leaves them out, with a warning that names them; a row is missing then.
            batch_size: images in a forward pass. Default 64: larger ones are no faster on a CPU.
            workers: processes that decode. 0: this one does.

        Returns:
            (N, D) float32 unit vectors on the CPU, in the order of the files.

        Raises:
            RecallkitError: naming files that are missing, or cannot be read.
        """
        reading = Reading(workers, "skip")
        files = self.files(expand(paths), reading)
        batches = [rows for _, rows in embedded_batches(self, files, batch_size)]
        if on_bad_image == "raise":
            refuse_bad(reading.bad, len(files))
        elif reading.bad:
            warnings.warn("left out: " + "; ".join(sorted(reading.bad)), stacklevel=2)
        return torch.cat([torch.empty(0, self.config.embedding_dim), *batches])

    def search(
        self,
        paths: str | Path | Iterable[str | Path],
        gallery: str | Path | Index | None = None,
        k: int | None = None,
        *,
        on_bad_image: OnBadImage = "raise",
    ) -> SearchResult:
        """Find the images of a gallery that are most similar to some image files.

        The index of a folder is kept in the run folder: the second search of it is quick.

        Args:
            paths: the queries, as for :meth:`embed`. A query that is in the gallery does not find
                itself.
            gallery: a folder, an index file, an index, or None for all images the run was made of.
            k: how many to find. Default: 8, or as many as there are.
            on_bad_image: as for :meth:`embed`, for queries and gallery.

        Raises:
            RecallkitError: files that are missing, or cannot be read; an index of another run.
            ValueError: a k below 1 or beyond the gallery.
        """
        plan = plan_gallery(self.folder, gallery)
        opened = open_gallery(self, plan, Embedding(on_bad_image))
        return search_files(self, expand(paths), opened.index, k, on_bad_image)


def load_trained_run(folder: Path, device: str = "auto") -> TrainedRun:
    """Load the run in ``folder``; see :func:`.load_run`, whose errors it raises."""
    config, network = load_run(folder, device)
    return TrainedRun(folder, config, network)

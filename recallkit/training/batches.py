"""The batches of a training, from any place in any epoch."""

from collections.abc import Iterator
from itertools import islice
from typing import cast

import torch
from torch import Tensor

from recallkit.data.image_set import Images
from recallkit.data.prefetch import Files, Reading, decoded_batches
from recallkit.sampling import ClassBalancedSampler
from recallkit.training.distributed import Processes, own_rows

Batch = tuple[list[int], Tensor]  # indices, and what they stand for, (b, 3, H, W) uint8


class Batches:
    """Batches without end, epoch after epoch; of each batch the rows of this process.

    Args:
        images: (N, 3, H, W) uint8, or anything else with N rows; or files, decoded while the batch
            before is in use.
        labels: (N,) of all training images.
        sampler: decides which images a batch holds.
        processes: this one and the others that share each batch.
        reading: how files are read.
        pin: put decoded batches into pinned memory, from where a GPU fetches them faster.

    Attributes:
        epoch: of the batch that comes next.
        done: batches taken in this epoch.
    """

    def __init__(
        self,
        images: Images,
        labels: Tensor,
        sampler: ClassBalancedSampler,
        processes: Processes,
        reading: Reading,
        pin: bool,
    ) -> None:
        self.images, self.labels, self.sampler = images, labels, sampler
        self.processes, self.reading, self.pin = processes, reading, pin
        self.go_to(0, 0)

    def go_to(self, epoch: int, done: int) -> None:
        """Go to the place in ``epoch`` at which ``done`` batches were taken."""
        self.sampler.set_epoch(epoch)
        self.epoch, self.done = epoch, done
        self._rest = self._load(islice(self.sampler, done, None))

    def take(self) -> Batch:
        """Return the indices (b,) and the images of the next batch; unreadable images are left out.

        Raises:
            BadImageError: for an unreadable image, unless such are skipped.
        """
        batch = next(self._rest, None)
        if batch is None:
            self.go_to(self.epoch + 1, 0)
            batch = next(self._rest)
        self.done += 1
        return batch

    def _load(self, batches: Iterator[list[int]]) -> Iterator[Batch]:
        rows = (batch[own_rows(self.labels[batch], self.processes)] for batch in batches)
        images = self.images
        if isinstance(images, Tensor):
            return ((indices, _rows(images, indices)) for indices in rows)
        return decoded_batches(cast(Files, images), rows, self.reading, self.pin)


def _rows(images: Tensor, indices: list[int]) -> Tensor:
    """Return ``images[indices]``; this call copies rows whole, and is much faster on a CPU."""
    return images.index_select(0, torch.tensor(indices, device=images.device))

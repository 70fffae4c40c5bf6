"""Image files to embeddings, a batch at a time, so that what is done can be kept."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from tqdm import tqdm

from recallkit.data.image_files import ImageFiles
from recallkit.data.prefetch import BadImageError, decoded_batches

if TYPE_CHECKING:
    from recallkit.gallery.run import TrainedRun

__all__ = ["embedded_batches", "refuse_bad"]

_SHOWN = 10  # bad images that an error names


def embedded_batches(
    run: "TrainedRun", files: ImageFiles, batch_size: int
) -> Iterator[tuple[list[int], Tensor]]:
    """Embed files batch after batch, each decoded while the one before it is embedded.

    Args:
        run: whose network embeds.
        files: the images. Those that cannot be read are left out, if ``files.reading`` skips them.
        batch_size: images in a forward pass.

    Yields:
        The places of images among the files, and their embeddings (n, D) float32 on the CPU.

    Raises:
        ValueError: if ``batch_size`` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    places = range(len(files))
    batches = [list(places[i : i + batch_size]) for i in places[::batch_size]]
    with tqdm(total=len(files), desc="embedding", unit="image", delay=2, leave=False) as bar:
        for batch, (kept, images) in zip(
            batches, decoded_batches(files, batches, files.reading), strict=True
        ):
            if kept:
                yield kept, _embedded(run, images)
            bar.update(len(batch))


@torch.no_grad()
def _embedded(run: "TrainedRun", images: Tensor) -> Tensor:
    return run.network(run.transform(images.to(run.device))).float().cpu()


def refuse_bad(problems: Collection[str], images: int) -> None:
    """Raise an error that names images which cannot be read, if there are any.

    Raises:
        BadImageError: naming up to ten of them.
    """
    if problems:
        more = f"\n  and {len(problems) - _SHOWN:,} more" if len(problems) > _SHOWN else ""
        named = "\n  ".join(sorted(problems)[:_SHOWN])
        raise BadImageError(
            f"{len(problems):,} of {images:,} images cannot be read. Mend them, or leave them out "
            f"by --on-bad-image skip:\n  {named}{more}"
        )

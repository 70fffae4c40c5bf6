"""One descriptor from several sizes of an image, as landmark retrieval has them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from recallkit.data.picture_files import PictureFiles, read_whole_photograph
from recallkit.data.transforms import normalise
from recallkit.errors import RecallkitError

SCALES = (1.0, 2**-0.5, 0.5)  # those of Radenović et al., 2018


@torch.no_grad()
def multi_scale(network: nn.Module, images: Tensor, scales: Sequence[float] = SCALES) -> Tensor:
    """The mean of the embeddings of an image at several sizes, brought back to the unit sphere.

    Args:
        network: normalised images (B, 3, H, W), of any size, → unit vectors (B, D).
        images: (B, 3, H, W), normalised.
        scales: factors of both sides. Default 1, 1/√2, 1/2.

    Returns:
        (B, D) float32 unit vectors.

    Raises:
        ValueError: no scale, or one that is not above 0.
    """
    if not scales or any(not scale > 0 for scale in scales):
        raise ValueError(f"scales must be numbers above 0, and at least one, not {tuple(scales)}")
    total = sum(network(_resized(images, scale)).float() for scale in scales)
    return F.normalize(total, dim=1)


@torch.no_grad()
def describe(
    network: nn.Module, files: PictureFiles, longest: int, scales: Sequence[float] = SCALES
) -> Tensor:
    """Descriptors of whole photographs, the aspect kept, one at a time.

    Args:
        network: of convolutions: it must take images of any size. Its mode is restored.
        files: photographs, with the boxes to crop them to if there are any.
        longest: the longer side is brought to so many pixels.
        scales: as for :func:`multi_scale`.

    Returns:
        (N, D) float32 on the network's device.

    Raises:
        RecallkitError: a photograph that cannot be read, or a network of one size only.
    """
    was_training, device = network.training, next(network.parameters()).device
    network.eval()
    found = []
    for place in tqdm(range(len(files)), desc="describing", leave=False, delay=2):
        box = None if files.boxes is None else files.boxes[place]
        pixels = read_whole_photograph(files.paths[place], longest, box).to(device)[None]
        try:
            found.append(multi_scale(network, normalise(pixels.float() / 255), scales))
        except (AssertionError, RuntimeError) as error:
            raise RecallkitError(
                f"the network takes squares of one size only ({error}): add --longest 0"
            ) from error
    network.train(was_training)
    return torch.cat(found)


def _resized(images: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return images
    size = [max(1, round(side * scale)) for side in images.shape[-2:]]
    return F.interpolate(images, size=size, mode="bilinear", antialias=True)

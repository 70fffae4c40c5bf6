"""One descriptor from several sizes of an image, as landmark retrieval has them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from recallkit.data.image_files import ImageFiles, read_whole_photograph
from recallkit.data.image_set import ImageSet, are_features
from recallkit.data.transforms import TestTransform, normalise
from recallkit.errors import RecallkitError
from recallkit.metrics import retrieval_metrics

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
    network: nn.Module, files: ImageFiles, longest: int, scales: Sequence[float] = SCALES
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


@torch.no_grad()
def embed(network: nn.Module, images: Tensor, image_size: int, *, batch_size: int = 500) -> Tensor:
    """Embed images in evaluation mode, with a progress bar if it takes long.

    Args:
        network: on any device; its mode is restored. For features the head of a network.
        images: (N, C, H, W) uint8, or files in place of such a tensor; or features (N, V, C)
            float32, of which the first view is taken.
        image_size: side of the square the network sees; of no use for features.
        batch_size: images a forward pass.

    Returns:
        (N, D) float32 on the network's device.
    """
    was_training, device = network.training, next(network.parameters()).device
    transform = _first_view if are_features(images) else TestTransform(image_size)
    network.eval()
    chunks = tqdm(images.split(batch_size), desc="embedding", leave=False, delay=2)
    embeddings = [network(transform(chunk.to(device))).float() for chunk in chunks]
    network.train(was_training)
    return torch.cat(embeddings)


def _first_view(features: Tensor) -> Tensor:
    return features[:, 0]  # (B, C)


@torch.no_grad()
def embed_pixels(images: Tensor, image_size: int) -> Tensor:
    """Take the pixels for an embedding: (N, 3·S²) float32, each image centred, of unit length.

    What retrieval is worth with no network at all. Where the channels are one grey image seen three
    times (stride 0), one is taken, (N, S²): the same similarities for a third of the work.
    """
    grey = isinstance(images, Tensor) and images.shape[1] == 3 and images.stride(1) == 0
    channels = 1 if grey else 3  # grey images are one channel seen three times
    chunks = [
        TestTransform(image_size)(chunk.to("cpu"))[:, :channels] for chunk in images.split(500)
    ]
    pixels = torch.cat(chunks).flatten(1)
    return nn.functional.normalize(pixels - pixels.mean(dim=1, keepdim=True), dim=1)


def evaluate(network: nn.Module, images: ImageSet, image_size: int) -> dict[str, float]:
    """R@k, P@1, mAP@R and mAP of a network, by the protocol of the images."""
    return evaluate_embeddings(embed(network, images.images, image_size), images)


def evaluate_pixels(images: ImageSet, image_size: int) -> dict[str, float]:
    """The same for :func:`embed_pixels`, of at most 32 × 32 pixels: 3,072 numbers an image."""
    return evaluate_embeddings(embed_pixels(images.images, min(image_size, 32)), images)


def evaluate_features(images: ImageSet) -> dict[str, float]:
    """The same for features of a frozen backbone themselves, by their cosine."""
    features = torch.cat([_first_view(chunk) for chunk in images.images.split(500)])
    return evaluate_embeddings(nn.functional.normalize(features, dim=1), images)


def evaluate_embeddings(embeddings: Tensor, images: ImageSet) -> dict[str, float]:
    """R@k, P@1, mAP@R and mAP of embeddings, by the protocol of the images.

    Args:
        embeddings: (N, D), in the order of the images.
        images: their labels and protocol.

    Returns:
        Metric → value, from 0 to 1; where the protocol has several searches, their names before
        the metrics', as in "small R@1".
    """
    protocol, labels = images.protocol, images.labels
    if not protocol.searches:
        return retrieval_metrics(embeddings, labels, ks=protocol.ks)
    found = {}
    for name, (queries, gallery) in protocol.searches.items():
        others = () if gallery is None else (embeddings[gallery], labels[gallery])
        metrics = retrieval_metrics(embeddings[queries], labels[queries], *others, ks=protocol.ks)
        found |= {f"{name} {metric}".strip(): value for metric, value in metrics.items()}
    return found

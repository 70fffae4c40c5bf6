"""Images to embeddings, and embeddings to metrics.

    embed         squares of one size, in batches: what a training sees
    embed_pixels  the same without a network, for comparison
    describe      whole photographs at several sizes, as landmark retrieval has them
    evaluate…     the metrics of one of these, by the protocol of the images

Embedding takes far longer than the metrics. To use embeddings twice, embed once and pass them to
:func:`evaluate_embeddings`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from recallkit.data.image_files import ImageFiles, read_whole_photograph
from recallkit.data.image_set import Images, ImageSet, are_features
from recallkit.data.transforms import TestTransform, normalise
from recallkit.errors import RecallkitError
from recallkit.large_batch import is_out_of_memory
from recallkit.metrics import Distance, Retrieval, measure_retrieval
from recallkit.networks import RetrievalNetwork

SCALES = (1.0, 2**-0.5, 0.5)  # those of Radenović et al., 2018

_CHUNK = 500  # images that are transformed at once
_PIXELS_SIDE = 32  # of the squares whose pixels are compared: 3,072 numbers an image


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[torch.device]:
    """Put a network in evaluation mode, and restore the mode of each of its modules at the end.

    Yields:
        The device of its parameters; the CPU if it has none.
    """
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield next((p.device for p in network.parameters()), torch.device("cpu"))
    finally:
        for module, training in modes.items():
            module.training = training


@torch.no_grad()
def embed(network: nn.Module, images: Images, image_size: int, *, batch_size: int = 500) -> Tensor:
    """Embed images in evaluation mode, with a progress bar after two seconds.

    Args:
        network: on any device; its mode is restored. For features the head of a network.
        images: (N, C, H, W) uint8, C = 3 (RGB) or 4 (RGBA); or files in place of such a tensor; or
            features (N, V, C) float32, of which the first view is taken.
        image_size: side of the square that the network sees, in pixels; not used for features.
        batch_size: images in a forward pass. Default 500: the network keeps no graph, so many fit.

    Returns:
        (N, D) float32 on the network's device.
    """
    transform = _first_view if are_features(images) else TestTransform(image_size)
    chunks = tqdm(images.split(batch_size), desc="embedding", leave=False, delay=2)
    with evaluation_mode(network) as device:
        return torch.cat([network(transform(chunk.to(device))).float() for chunk in chunks])


def embed_features(network: RetrievalNetwork, images: ImageSet, image_size: int) -> ImageSet:
    """Compute the features that the head of a network takes: pooling(backbone(x)).

    Args:
        network: as for :func:`embed`.
        images: N images, as tensor or files.
        image_size: side of the square that the network sees, in pixels.

    Returns:
        The images as features (N, 1, C) float32 on the network's device.
        :func:`evaluate_features` measures them as they are, :func:`evaluate` with the head.
    """
    before_head = nn.Sequential(network.scale, network.backbone, network.pooling)
    features = embed(before_head, images.images, image_size)
    return replace(images, images=features[:, None])


@torch.no_grad()
def embed_pixels(images: Images, image_size: int) -> Tensor:
    """Take the pixels as an embedding: the result of retrieval without a network.

    Args:
        images: (N, C, H, W) uint8, C = 3 or 4, or files in place of such a tensor.
        image_size: S, the side to which images are brought, in pixels.

    Returns:
        (N, 3·S²) float32, each image centred and of unit length, on the CPU. If the channels are
        one grey image seen three times (stride 0), (N, S²): the same similarities for a third of
        the work.
    """
    grey = isinstance(images, Tensor) and images.shape[1] == 3 and images.stride(1) == 0
    channels, transform = 1 if grey else 3, TestTransform(image_size)
    chunks = [transform(chunk.to("cpu"))[:, :channels] for chunk in images.split(_CHUNK)]
    pixels = torch.cat(chunks).flatten(1)
    return F.normalize(pixels - pixels.mean(dim=1, keepdim=True), dim=1)


@torch.no_grad()
def describe(
    network: nn.Module, files: ImageFiles, longest: int, scales: Sequence[float] = SCALES
) -> Tensor:
    """Embed whole photographs with their aspect, one at a time, at several scales.

    Args:
        network: of convolutions: it must take images of any size. Its mode is restored.
        files: photographs, with the boxes to crop them to, if there are any.
        longest: the longer side after resizing, in pixels.
        scales: as for :func:`multi_scale`.

    Returns:
        (N, D) float32 unit vectors on the network's device.

    Raises:
        RecallkitError: a photograph that cannot be read, or a network of one size only.
    """
    boxes = [None] * len(files) if files.boxes is None else files.boxes
    photographs = list(zip(files.paths, boxes, strict=True))
    descriptors = []
    with evaluation_mode(network) as device:
        for path, box in tqdm(photographs, desc="describing", leave=False, delay=2):
            pixels = read_whole_photograph(path, longest, box).to(device)[None]  # (1, 3, H, W)
            try:
                descriptors.append(multi_scale(network, normalise(pixels.float() / 255), scales))
            except (AssertionError, RuntimeError) as error:
                if is_out_of_memory(error):
                    raise
                raise RecallkitError(
                    f"the network takes squares of one size only ({error}): add --longest 0"
                ) from error
    return torch.cat(descriptors)


@torch.no_grad()
def multi_scale(network: nn.Module, images: Tensor, scales: Sequence[float] = SCALES) -> Tensor:
    """Average the embeddings of an image at several scales, and normalise the mean.

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
    embeddings = [network(_resized(images, scale)).float() for scale in scales]
    return F.normalize(reduce(torch.add, embeddings), dim=1)


def evaluate(network: nn.Module, images: ImageSet, image_size: int) -> dict[str, float]:
    """Compute the metrics of a network by the protocol of the images."""
    return evaluate_embeddings(embed(network, images.images, image_size), images)


def evaluate_among(
    network: nn.Module, images: ImageSet, distractors: ImageSet, image_size: int
) -> dict[str, float]:
    """Compute the metrics of images that are searched among themselves and distractors.

    Args:
        network: as for :func:`embed`.
        images: the queries, and a part of the gallery. With groups a query's own group is left out
            of its ranking, without them the query alone.
        distractors: the other part of the gallery; no query. Their groups do not count.
        image_size: side of the square that the network sees, in pixels.
    """
    embeddings, others = (embed(network, part.images, image_size) for part in (images, distractors))
    alone = torch.arange(len(images))
    groups = alone if images.groups is None else images.groups.unique(return_inverse=True)[1]
    no_group = torch.full((len(distractors),), -1)
    return measure_retrieval(
        embeddings,
        images.labels,
        torch.cat([embeddings, others]),
        torch.cat([images.labels, distractors.labels]),
        ks=images.protocol.ks,
        groups=groups,
        gallery_groups=torch.cat([groups, no_group]),
    ).metrics


def evaluate_pixels(images: ImageSet, image_size: int, ks: Sequence[int] = ()) -> dict[str, float]:
    """Compute the metrics of the pixels themselves, of at most 32 × 32 of them."""
    pixels = embed_pixels(images.images, min(image_size, _PIXELS_SIDE))
    return evaluate_embeddings(pixels, images, ks)


def evaluate_features(images: ImageSet) -> dict[str, float]:
    """Compute the metrics of the features of a backbone themselves, by their cosine."""
    features = torch.cat([_first_view(chunk) for chunk in images.images.split(_CHUNK)])
    return evaluate_embeddings(F.normalize(features, dim=1), images)


def evaluate_embeddings(
    embeddings: Tensor, images: ImageSet, ks: Sequence[int] = (), distance: Distance = "dot"
) -> dict[str, float]:
    """Compute R@k, P@1, mAP@R and mAP of embeddings by the protocol of the images.

    Args:
        embeddings: (N, D), in the order of the images.
        images: their labels, groups and protocol. With groups a query's own group is left out of
            its ranking.
        ks: the k of R@k. Default: those of the protocol.
        distance: "dot", "cosine" or "l2"; see :func:`.search`. Embeddings of unit length, as
            networks give them, are ranked alike by all three.

    Returns:
        Metric → value, from 0 to 1. Where the protocol has several searches, the name of each
        stands before its metrics, as in "small R@1".
    """
    searches = measure_embeddings(embeddings, images, ks, distance)
    return named_metrics({name: search.metrics for name, search in searches.items()})


def measure_embeddings(
    embeddings: Tensor, images: ImageSet, ks: Sequence[int] = (), distance: Distance = "dot"
) -> dict[str, Retrieval]:
    """Measure each search of the protocol of the images: its name, "" if there is one, → result.

    The arguments are those of :func:`evaluate_embeddings`.
    """
    protocol = images.protocol
    searches = protocol.searches or {"": (None, None)}
    return {
        name: _measure(embeddings, images, rows, ks or protocol.ks, distance)
        for name, rows in searches.items()
    }


def _measure(
    embeddings: Tensor,
    images: ImageSet,
    rows: tuple[Tensor | None, Tensor | None],
    ks: Sequence[int],
    distance: Distance,
) -> Retrieval:
    """Measure one search: of these queries in this gallery, or of all in all."""

    def of(values: Tensor | None, chosen: Tensor | None) -> Tensor | None:
        return values if values is None or chosen is None else values[chosen]

    queries, gallery = rows
    searched = [None if gallery is None else of(v, gallery) for v in (embeddings, images.labels)]
    return measure_retrieval(
        embeddings if queries is None else embeddings[queries],
        images.labels if queries is None else images.labels[queries],
        *searched,
        ks=ks,
        distance=distance,
        groups=of(images.groups, queries),
        gallery_groups=None if gallery is None else of(images.groups, gallery),
    )


def named_metrics(searches: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Put the name of each search before its metrics: "small" and "R@1" become "small R@1"."""
    return {
        f"{search} {metric}".strip(): value
        for search, metrics in searches.items()
        for metric, value in metrics.items()
    }


def _first_view(features: Tensor) -> Tensor:
    return features[:, 0]  # (B, V, C) → (B, C)


def _resized(images: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return images
    size = [max(1, round(side * scale)) for side in images.shape[-2:]]
    return F.interpolate(images, size=size, mode="bilinear", antialias=True)

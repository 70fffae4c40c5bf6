"""Measurements of a data card: pixels and untrained networks, which no training changes.

``data/results/baselines`` holds these metrics of the test images of an embedded data set, with a
digest of the images and one of the network's weights. They stand for a measurement only where the
digests are the same, so that the images and the network are exactly those of the data card.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from recallkit.data.image_set import ImageSet
from recallkit.errors import RecallkitError
from recallkit.files import embedded, read_json

_ROWS = 2**12  # images that are read at once


def digest_of_images(images: ImageSet, image_size: int) -> str:
    """Return a digest of images in memory, their labels and what is measured on them.

    Returns:
        64 hexadecimal digits; "" for image files, features, groups, and protocols of several
        searches, of which no data card holds measurements.
    """
    pixels, protocol = images.images, images.protocol
    if not isinstance(pixels, Tensor) or pixels.dtype != torch.uint8:
        return ""
    if images.groups is not None or protocol.searches:
        return ""
    grey = pixels.shape[1] == 3 and pixels.stride(1) == 0  # one channel seen three times
    channels = 1 if grey else pixels.shape[1]
    classes = images.labels.unique(return_inverse=True)[1]
    head = torch.tensor([image_size, *pixels.shape, channels, *protocol.ks])
    return _digest([head, classes, *(some[:, :channels] for some in pixels.split(_ROWS))], "images")


def digest_of_network(network: nn.Module) -> str:
    """Return a digest of the names and values of a network's parameters and buffers."""
    state = sorted(network.state_dict().items())
    return _digest([value for _, value in state], " ".join(name for name, _ in state))


def measured_on_card(
    dataset: str, images: ImageSet, image_size: int, network: nn.Module
) -> dict[str, dict[str, float]]:
    """Return the metrics of pixels and of the untrained network that the data card holds.

    Args:
        dataset: the one whose data card is read.
        images: the test images.
        image_size: side of the square that the network sees, in pixels.
        network: before its first step.

    Returns:
        Row ("pixels", "untrained") → metric → value, without the rows that the data card has not
        measured of exactly these images and this network.
    """
    card = _card(dataset)
    if "images_digest" not in card or card["images_digest"] != digest_of_images(images, image_size):
        return {}
    rows = {"pixels": card["test"]["pixels"]}
    if card["network_digest"] == digest_of_network(network):
        rows["untrained"] = card["test"]["untrained"]
    return rows


def _card(dataset: str) -> dict[str, Any]:
    try:
        return read_json(embedded("results") / "baselines" / f"{dataset}.json")
    except (RecallkitError, OSError):  # a data set without a card, or one of the user's
        return {}


def _digest(tensors: Iterable[Tensor], text: str = "") -> str:
    digest = hashlib.sha256(text.encode())
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()

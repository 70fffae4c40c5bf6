"""Features of a frozen backbone, computed once: what is then trained is the head alone.

    features f = pooling(backbone(x))   computed once for V augmented views of each training image
    embedding  = head(f)                trained, a view of each image drawn at every step

A step costs a matrix product instead of a network, so batches can be as large as the data set. What
is lost: the backbone stays as it is, and augmentation has V faces instead of endlessly many.

Features lie in the cache folder, a file for each view, under a hash of all that they depend on. A
file is written whole or not at all, so several processes may compute the same one, and what a
stopped process has finished is found again.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from recallkit.config import Config
from recallkit.data.cache import checksum, read_cached, write_cached
from recallkit.data.image_files import ImageFiles
from recallkit.data.image_set import Images, ImageSet, Splits
from recallkit.data.transforms import TestTransform, flattened
from recallkit.files import cache_folder
from recallkit.networks import RetrievalNetwork
from recallkit.training.build import make_network, make_train_transform

_CHUNK = 100  # images a forward pass


_FORMAT = "1"  # of what is cached; another one when the computation changes


Transform = Callable[[Tensor, Tensor], Tensor]  # images and their places → network input


class DrawnView(nn.Module):
    """From the places of images in a set to the features of one of their views, drawn at random.

    In the place of :class:`.TrainTransform`: what is drawn for an image does not depend on the
    chunks in which a batch passes through the network.

    Args:
        features: (N, V, C) float32.
    """

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.features = features

    def draw(self, count: int, device: torch.device) -> tuple[Tensor]:
        """The view of each of ``count`` images: (B,) int64."""
        return (torch.randint(self.features.shape[1], (count,), device=device),)

    def forward(self, places: Tensor, draws: tuple[Tensor] | None = None) -> Tensor:
        """(B,) int64 to (B, C) float32; ``draws`` is what :meth:`draw` returns."""
        [views] = self.draw(len(places), places.device) if draws is None else draws
        return self.features[places, views]


def feature_splits(config: Config, splits: Splits, device: torch.device) -> Splits:
    """The splits with features in the place of images, from the cache where it has them.

    Args:
        config: of the training; its seed counts only if the weights of the backbone are random.
        splits: of images.
        device: where the backbone runs.

    Returns:
        Splits whose images are (N, V, C) float32: ``config.views`` augmented views of the training
        images; of the others one, the image as it is. Augmentation is the same for every seed.

    Raises:
        RecallkitError: if pictures or weights cannot be read.
        ValueError: if pictures that cannot be read are to be skipped batch by batch.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(config.seed)
        network = make_network(config).to(device, memory_format=torch.channels_last)
    side, test = config.image_size, splits.test
    return Splits(
        augmented_features(network, splits.train, config),
        plain_features(network, splits.validation, side),
        plain_features(network, test, side) if len(test) else test,
    )


def plain_features(network: RetrievalNetwork, images: ImageSet, image_size: int) -> ImageSet:
    """The images as features (N, 1, C) of what precedes the head of ``network``."""
    transform = TestTransform(image_size)
    key = [*_depends_on(network, images), f"plain {image_size}"]
    found = _cached(key, network, images, lambda x, _: transform(x), "features")
    return _with_features(images, torch.from_numpy(found)[:, None])


def augmented_features(network: RetrievalNetwork, images: ImageSet, config: Config) -> ImageSet:
    """The images as features (N, V, C) of augmented views, V = ``config.views``."""
    depends_on = _depends_on(network, images)
    views = [_view(network, images, config, depends_on, i) for i in range(config.views)]
    return _with_features(images, torch.stack(list(map(torch.from_numpy, views)), dim=1))


def _with_features(images: ImageSet, features: Tensor) -> ImageSet:
    return ImageSet(features, images.labels, images.class_names, images.sources, images.protocol)


def _view(
    network: RetrievalNetwork, images: ImageSet, config: Config, depends_on: list[str], number: int
) -> np.ndarray:
    """Features (N, C) of view ``number`` of all images; the same whatever other views there are."""
    transform = make_train_transform(config)
    settings = {name: value for name, value in vars(transform).items() if name[0] != "_"}
    del settings["training"]
    key = [*depends_on, f"view {number} {sorted(settings.items())}"]
    with torch.random.fork_rng([]):
        torch.manual_seed(int(_digest(key), 16) % 2**63)
        draws = transform.draw(len(images), torch.device("cpu"))

    def augmented(chunk: Tensor, places: Tensor) -> Tensor:
        return transform(flattened(chunk), tuple(d[places].to(chunk.device) for d in draws))

    return _cached(key, network, images, augmented, f"features, view {number + 1}/{config.views}")


def _depends_on(network: RetrievalNetwork, images: ImageSet) -> list[str]:
    """The backbone and the images, as hashes."""
    layers = hashlib.sha256(repr(network.backbone).encode())
    for part in (network.scale, network.backbone, network.pooling):
        for name, value in [*part.named_parameters(), *part.named_buffers()]:
            layers.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return [_FORMAT, layers.hexdigest(), _fingerprint(images.images)]


def _fingerprint(images: Images) -> str:
    """A hash of the pixels; of files, of their names, sizes and times, and how they are cropped."""
    if isinstance(images, Tensor):
        hashed = hashlib.sha256(str(tuple(images.shape)).encode())
        grey = images.stride(1) == 0  # one channel seen three times
        for chunk in images.split(1000):
            hashed.update(np.ascontiguousarray((chunk[:, :1] if grey else chunk).numpy()))
        return hashed.hexdigest()
    assert isinstance(images, ImageFiles)
    if images.reading.on_bad_image == "skip":
        raise ValueError(
            "frozen cannot be combined with skipping pictures that are decoded batch by batch: "
            "leave out --on-bad-image skip, or for a folder --workers"
        )
    stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in images.paths]
    rest = (images.side, images.fit, images.margin, images.boxes)
    return _digest([str(stats), str(rest)])


def _digest(texts: list[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _cached(
    key: list[str], network: RetrievalNetwork, images: ImageSet, transform: Transform, name: str
) -> np.ndarray:
    """Features (N, C) float32 from the cache, or computed and put there.

    The name of a file ends in the checksum of its features: one that does not match is removed.
    """
    stem = f"features-{_digest(key)[:20]}"
    for path in cache_folder().glob(f"{stem}-{'[0-9a-f]' * 8}.npy"):
        crc32 = int(path.stem[-8:], 16)
        features = read_cached(path, (len(images), None), np.float32, crc32)
        if features is not None:
            return features
        with suppress(OSError):
            path.unlink()
    features = _computed(network, images.images, transform, name)
    write_cached(cache_folder() / f"{stem}-{checksum(features):08x}.npy", features)
    return features


@torch.no_grad()
def _computed(
    network: RetrievalNetwork, images: Images, transform: Transform, name: str
) -> np.ndarray:
    was_training, device = network.training, next(network.parameters()).device
    network.eval()
    chunks = zip(images.split(_CHUNK), torch.arange(len(images)).split(_CHUNK), strict=True)
    parts = []
    with tqdm(total=len(images), desc=name, unit=" images", leave=False, delay=2) as bar:
        for chunk, places in chunks:
            seen = transform(chunk.to(device), places).contiguous(memory_format=torch.channels_last)
            features = network.pooling(network.backbone(network.scale(seen)))
            parts.append(features.float().cpu())
            bar.update(len(chunk))
    network.train(was_training)
    return torch.cat(parts).numpy()

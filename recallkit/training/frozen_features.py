"""Features of a frozen backbone, computed once: training then changes the head alone.

    features f = pooling(backbone(x))   computed once for V augmented views of each training image
    embedding  = head(f)                trained, with a random view of each image at every step

A step costs a matrix product instead of a network, so batches can be as large as the data set. The
price: the backbone does not learn, and there are V augmented views instead of endlessly many.

Features are kept in the cache folder, a file for each view, named by a hash of all that they depend
on. A file is written whole or not at all: several processes may compute the same one, and finished
files are used again after a stop.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from recallkit.config import Config
from recallkit.data.cache import checksum, read_cached, write_cached
from recallkit.data.image_files import ImageFiles
from recallkit.data.image_set import Images, ImageSet, Splits
from recallkit.data.transforms import TestTransform, flattened
from recallkit.evaluation.embedding import evaluation_mode
from recallkit.files import cache_folder
from recallkit.networks import RetrievalNetwork
from recallkit.training.build import make_network, make_train_transform, on_device

CHUNK = 100  # images a forward pass

_FORMAT = "2"  # of what is cached; another one when the computation changes

ToInput = Callable[[Tensor, Tensor], Tensor]  # images and their places in the set → network input


class DrawnView(nn.Module):
    """Features of a random view of each image, from the images' places in a set.

    It replaces :class:`.TrainTransform`: the view of an image does not depend on the chunks in
    which a batch passes through the network.

    Args:
        features: (N, V, C) float32.
    """

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.features = features

    def draw(self, count: int, device: torch.device) -> tuple[Tensor]:
        """Draw the view of each of ``count`` images: (B,) int64."""
        return (torch.randint(self.features.shape[1], (count,), device=device),)

    def forward(self, places: Tensor, draws: tuple[Tensor] | None = None) -> Tensor:
        """(B,) int64 → (B, C) float32; ``draws`` is what :meth:`draw` returned."""
        [views] = self.draw(len(places), places.device) if draws is None else draws
        return self.features[places, views]


def feature_splits(
    config: Config, splits: Splits, device: torch.device, progress: bool = True
) -> Splits:
    """Return the splits with features in the place of images, from the cache where possible.

    Args:
        config: of the training; its seed matters only if the backbone has random weights.
        splits: of images.
        device: where the backbone runs.
        progress: show a bar on a terminal if computing takes more than two seconds.

    Returns:
        Splits whose images are (N, V, C) float32: ``config.views`` augmented views of each training
        image, and one view of the others, the image as it is. The views are the same for every
        seed.

    Raises:
        RecallkitError: if images or weights cannot be read.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(config.seed)
        network = on_device(make_network(config), device)
    side, test = config.image_size, splits.test
    return replace(
        splits,
        train=augmented_features(network, splits.train, config, progress),
        validation=plain_features(network, splits.validation, side, progress),
        test=plain_features(network, test, side, progress) if len(test) else test,
    )


def without_unreadable(splits: Splits) -> Splits:
    """Leave out files that are no whole images, where such are to be skipped.

    Each file is decoded once for it. Without this a white square would stand in their place.
    """
    sets = {name: getattr(splits, name) for name in ("train", "validation", "test")}
    return replace(splits, **{name: _readable(images) for name, images in sets.items()})


def _readable(images: ImageSet) -> ImageSet:
    files = images.images
    if not isinstance(files, ImageFiles) or files.reading.on_bad_image == "raise":
        return images
    kept = torch.tensor(files.readable(), dtype=torch.int64)
    return images if len(kept) == len(images) else images.of_rows(kept)


def plain_features(
    network: RetrievalNetwork, images: ImageSet, image_size: int, progress: bool = True
) -> ImageSet:
    """Return the images as features (N, 1, C): what the head of ``network`` takes."""
    transform = TestTransform(image_size)
    key = [*_depends_on(network, images), f"plain {image_size}"]
    title = "features" if progress else ""
    features = _cached(key, network, images, lambda chunk, _: transform(chunk), title)
    return _with_features(images, torch.from_numpy(features)[:, None])


def augmented_features(
    network: RetrievalNetwork, images: ImageSet, config: Config, progress: bool = True
) -> ImageSet:
    """Return the images as features (N, V, C) of augmented views, V = ``config.views``."""
    depends_on = _depends_on(network, images)
    views = [_view(network, images, config, depends_on, i, progress) for i in range(config.views)]
    return _with_features(images, torch.stack([torch.from_numpy(view) for view in views], dim=1))


def _with_features(images: ImageSet, features: Tensor) -> ImageSet:
    return replace(images, images=features)


def _view(
    network: RetrievalNetwork,
    images: ImageSet,
    config: Config,
    depends_on: list[str],
    number: int,
    progress: bool,
) -> np.ndarray:
    """Return features (N, C) of view ``number``; they do not depend on ``config.views``."""
    transform = make_train_transform(config)
    settings = {name: value for name, value in vars(transform).items() if name[0] != "_"}
    del settings["training"]
    view = f"view {number} {sorted(settings.items())}"
    key = [*depends_on, view]
    with torch.random.fork_rng([]):
        # Not of the images: files that were moved, or read by workers, have the same views.
        torch.manual_seed(int(_digest([view]), 16) % 2**63)
        draws = transform.draw(len(images), torch.device("cpu"))

    def augmented(chunk: Tensor, places: Tensor) -> Tensor:
        return transform(flattened(chunk), tuple(d[places].to(chunk.device) for d in draws))

    title = f"features, view {number + 1} of {config.views}" if progress else ""
    return _cached(key, network, images, augmented, title)


def _depends_on(network: RetrievalNetwork, images: ImageSet) -> list[str]:
    """Return hashes of what features depend on: the format, the layers before the head, images."""
    layers = hashlib.sha256(repr(network.backbone).encode())
    for module in (network.scale, network.backbone, network.pooling):
        for name, value in [*module.named_parameters(), *module.named_buffers()]:
            layers.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return [_FORMAT, layers.hexdigest(), _fingerprint(images.images)]


def _fingerprint(images: Images) -> str:
    """Return a hash of the pixels; for files of their names, sizes, times and crops."""
    if isinstance(images, Tensor):
        hashed = hashlib.sha256(str(tuple(images.shape)).encode())
        grey = images.stride(1) == 0  # one channel seen three times
        for chunk in images.split(1000):
            hashed.update((chunk[:, :1] if grey else chunk).numpy().tobytes())
        return hashed.hexdigest()
    assert isinstance(images, ImageFiles)
    stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in images.paths]
    rest = (images.side, images.fit, images.margin, images.boxes)
    return _digest([str(stats), str(rest)])


def _digest(texts: list[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _cached(
    key: list[str], network: RetrievalNetwork, images: ImageSet, to_input: ToInput, title: str
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
    features = compute_features(network, images.images, to_input, title)
    write_cached(cache_folder() / f"{stem}-{checksum(features):08x}.npy", features)
    return features


@torch.no_grad()
def compute_features(
    network: RetrievalNetwork, images: Images, to_input: ToInput, title: str = ""
) -> np.ndarray:
    """Compute features in evaluation mode, on the network's device.

    Args:
        network: of which the layers before the head run; its mode is restored.
        images: N images.
        to_input: from images (B, C, H, W) and their places (B,) to network input (B, 3, S, S).
        title: of the bar that a terminal shows if it takes more than two seconds; "": no bar.

    Returns:
        (N, C) float32.
    """
    chunks = zip(images.split(CHUNK), torch.arange(len(images)).split(CHUNK), strict=True)
    features = []
    with evaluation_mode(network) as device, _bar(len(images), title) as bar:
        for chunk, places in chunks:
            seen = to_input(chunk.to(device), places).contiguous(memory_format=torch.channels_last)
            features.append(network.pooling(network.backbone(network.scale(seen))).float().cpu())
            bar.update(len(chunk))
    return torch.cat(features).numpy()


def _bar(total: int, title: str) -> tqdm:
    hidden = None if title else True  # None: hidden where the output is no terminal
    return tqdm(total=total, desc=title, unit=" images", leave=False, delay=2, disable=hidden)

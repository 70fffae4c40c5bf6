"""Measure how near copies of an image are to it, in the embeddings of a network trained on emoji.

    python measure.py OUT.json

The drawings are of validation classes, which the network has not seen. Each is changed in one way,
and counts as found at a threshold if its cosine with the unchanged drawing is at least that. What
counts as a false find: the nearest other drawing, of the same class or of another.
"""

import io
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from recallkit import Config, choose_device, embed, load, load_run, train
from recallkit.data import over_white
from recallkit.files import write_json
from recallkit.training.environment import environment

THRESHOLDS = (0.9, 0.95, 0.98)
CONFIG = Config()  # the preset emoji


def compressed(image: Image.Image, quality: int) -> Image.Image:
    """Store an image as JPEG, and read it again."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def cropped(image: Image.Image) -> Image.Image:
    """Cut 5 % off each side, and scale to the old size."""
    width, height = image.size
    box = [0.05 * width, 0.05 * height, 0.95 * width, 0.95 * height]
    return image.resize(image.size, Image.Resampling.BICUBIC, box=box)


def halved(image: Image.Image) -> Image.Image:
    """Scale to half the size, and back."""
    half = image.resize([side // 2 for side in image.size])
    return half.resize(image.size, Image.Resampling.BICUBIC)


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG of quality 50": lambda image: compressed(image, 50),
    "JPEG of quality 20": lambda image: compressed(image, 20),
    "half the size": halved,
    "turned by 3°": lambda image: image.rotate(3, Image.Resampling.BICUBIC, fillcolor="white"),
    "10 % brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "cropped by 5 % on each side": cropped,
}


def changed(images: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    """Change each of (N, 3, H, W) uint8."""
    arrays = images.permute(0, 2, 3, 1).numpy()
    new = [np.asarray(change(Image.fromarray(array))) for array in arrays]
    return torch.from_numpy(np.stack(new)).permute(0, 3, 1, 2).contiguous()


def nearest_others(embeddings: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return the cosine of each image with its nearest other of the same and of another class."""
    cosines = (embeddings @ embeddings.T).fill_diagonal_(-2)
    same = labels[:, None] == labels
    return {
        "nearest other drawing of its class": cosines.where(same, -2).amax(1),
        "nearest drawing of another class": cosines.where(~same, -2).amax(1),
    }


def main(out: Path) -> None:
    """Train, embed and measure."""
    splits, device = load("emoji"), choose_device("cpu")
    with TemporaryDirectory() as folder:
        train(CONFIG, Path(folder) / "run", splits=splits.without_test(), device="cpu")
        network = load_run(Path(folder) / "run", "cpu")[1]
    images = (255 * over_white(splits.validation.images)).round().byte()
    own = embed(network, images, CONFIG.image_size)
    cosines = {
        name: (own * embed(network, changed(images, change), CONFIG.image_size)).sum(1)
        for name, change in CHANGES.items()
    }
    cosines |= nearest_others(own, splits.validation.labels)
    rows = [
        {"change": name}
        | {str(t): round((values >= t).float().mean().item(), 4) for t in THRESHOLDS}
        for name, values in cosines.items()
    ]
    about = {"config": asdict(CONFIG), "seed": CONFIG.seed, "images": len(images)}
    write_json(out, {**about, "environment": environment(device), "rows": rows})


if __name__ == "__main__":
    main(Path(sys.argv[1]))

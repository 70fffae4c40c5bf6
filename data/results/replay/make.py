"""Train on emoji by the preset, and store what ten checkpoints find for the same queries.

    python make.py OUT

It writes OUT/replay.json and OUT/images.webp, in a minute or two on two cores. The queries are all
drawings of 20 random test classes, and they are also the gallery. Nothing is chosen by what they
show: the setting is the preset, the seed is 0, and the checkpoints are fixed before the training.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recallkit import (
    PRESETS,
    Training,
    choose_device,
    embed,
    embed_pixels,
    load,
    retrieval_metrics,
    search,
)
from recallkit.course.explorables.sprite import sprite
from recallkit.data import ImageSet
from recallkit.files import write_atomically
from recallkit.training.environment import environment
from recallkit.training.floor import count_class_sizes, training_floor

CLASSES = 20
NEAREST = 8
IMAGES_SEEN = (0, 1_000, 2_500, 5_000, 10_000, 20_000, 40_000, 80_000, 150_000)  # and the end
CURVE = 60  # points of the curve of the loss
CONFIG = PRESETS["emoji"]


def found(embeddings: Tensor, shown: Tensor, labels: Tensor) -> dict[str, Any]:
    """What an embedding (N, D) of all test images finds for those ``shown`` (N,) bool.

    Returns:
        The nearest among the shown images, R@1 among them, and R@1 of all test images.
    """
    own = embeddings[shown]
    return {
        "neighbours": search(own, k=NEAREST)[1].tolist(),
        "recall": round(retrieval_metrics(own, labels[shown], ks=[1])["R@1"], 4),
        "test_recall": round(retrieval_metrics(embeddings, labels, ks=[1])["R@1"], 4),
    }


def train(training: Training, test: ImageSet, shown: Tensor) -> tuple[list[dict], list[float]]:
    """Take a training to its end; what is found at each checkpoint, and the loss of each step."""
    due = {round(images / training.batch_size) for images in IMAGES_SEEN} | {training.steps}
    checkpoints, losses = [], []
    while True:
        if training.steps_done in due:
            network = training.network.eval()
            embeddings = embed(network, test.images, CONFIG.image_size).cpu()
            rows = found(embeddings, shown, test.labels)
            checkpoints.append({"images": training.images_seen, **rows})
        if training.steps_done == training.steps:
            return checkpoints, losses
        losses.append(training.step())


def curve(losses: list[float], batch_size: int) -> list[list[float]]:
    """Means of the loss over stretches that grow with the number of steps: [images, loss] each."""
    count = len(losses)
    ends = sorted({round(count ** (i / CURVE)) for i in range(CURVE + 1)})
    pairs = zip([0, *ends], ends, strict=False)
    return [[b * batch_size, round(sum(losses[a:b]) / (b - a), 4)] for a, b in pairs]


def main(out: Path) -> None:
    """Train, search at each checkpoint, and write both files."""
    test, device = load("emoji").test, choose_device("cpu")
    classes = test.labels.unique()
    order = torch.randperm(len(classes), generator=torch.Generator().manual_seed(CONFIG.seed))
    shown = torch.isin(test.labels, classes[order[:CLASSES]])
    queries = test.of_classes(classes[order[:CLASSES]])
    training = Training(CONFIG, load("emoji").train, device)
    floor = training_floor(CONFIG, count_class_sizes(training.labels)).perfect
    checkpoints, losses = train(training, test, shown)
    values = {
        "config": asdict(CONFIG),
        "seed": CONFIG.seed,
        "environment": environment(device),
        "names": [queries.name(i) for i in range(len(queries))],
        "labels": queries.labels.tolist(),
        "floor": round(floor, 4),
        "curve": curve(losses, training.batch_size),
        "pixels": found(embed_pixels(test.images, CONFIG.image_size), shown, test.labels),
        "checkpoints": checkpoints,
    }
    lines = ",\n".join(f'"{key}": {json.dumps(value)}' for key, value in values.items())
    text = "{\n" + lines.replace('{"images"', '\n{"images"') + "\n}\n"
    write_atomically(out / "replay.json", lambda file: file.write_text(text, encoding="utf-8"))
    write_atomically(out / "images.webp", lambda file: file.write_bytes(sprite(queries.images)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

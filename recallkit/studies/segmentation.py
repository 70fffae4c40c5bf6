"""Train a small U-Net on scenes of emoji, with one of five losses of segmentation."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from recallkit.data import Scenes
from recallkit.metrics import SegmentationMetrics, segmentation_metrics
from recallkit.networks import UNet
from recallkit.related.segmentation import (
    FocalLoss,
    InverseFrequencyCrossEntropy,
    RecallCrossEntropy,
    StructuralSimilarityLoss,
)

BATCH_SIZE = 8  # scenes
WIDTH, LEVELS = 12, 3  # of the network: 68,000 weights
_BETAS = (0.9, 0.99)  # a memory of 100 steps: gradients of the recall loss shrink as recall rises
_CHUNK = 50  # scenes that are predicted at once


class Segmenter(NamedTuple):
    """A trained network and its way.

    Attributes:
        network: images (B, 3, H, W) as of :func:`scene_inputs` → logits (B, C, H, W).
        history: a row a checkpoint: "step", "loss", the mean since the row before, and "recall
            CLASS" and "precision CLASS" on the scenes that it was watched on.
    """

    network: nn.Module
    history: list[dict[str, float]]


def pixel_losses(labels: Tensor) -> dict[str, nn.Module]:
    """Return the five losses of the comparison by name, with the settings of their authors.

    Args:
        labels: (N, H, W) of the training scenes, whose frequencies weight inversely.
    """
    frequencies = labels.flatten().long().bincount().clamp(min=1) / labels.numel()
    return {
        "cross-entropy": nn.CrossEntropyLoss(),
        "inverse frequency": InverseFrequencyCrossEntropy(frequencies),
        "focal": FocalLoss(),
        "recall": RecallCrossEntropy(),
        "structure": StructuralSimilarityLoss(),
    }


def scene_inputs(images: Tensor) -> Tensor:
    """Turn (B, 3, H, W) uint8 into what the network takes: float32 around 0."""
    return images.float() / 64 - 2


def train_segmenter(
    loss: nn.Module,
    train: Scenes,
    watched: Scenes,
    learning_rate: float,
    steps: int = 600,
    seed: int = 0,
    checkpoints: int = 8,
    progress: bool = False,
) -> Segmenter:
    """Train a :class:`recallkit.networks.UNet`: Adam, one cycle of the learning rate, mirroring.

    Args:
        loss: of logits (B, C, H, W) and labels (B, H, W).
        train: scenes, drawn with replacement, 8 a step.
        watched: scenes that the history measures.
        learning_rate: the largest of the cycle.
        steps: updates.
        seed: of weights, batches and mirroring; on one machine it decides the result.
        checkpoints: rows of the history.
        progress: show a bar.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = UNet(len(train.class_names), WIDTH, LEVELS).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate, betas=_BETAS)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    places = {round(steps * (i + 1) / checkpoints) for i in range(checkpoints)}
    history, values = [], []
    for step in tqdm(range(1, steps + 1), disable=not progress, delay=2, leave=False):
        images, labels = _draw_batch(train, generator)
        value = loss(network(images), labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        cycle.step()
        values.append(value.item())
        if step in places:
            row = {"step": step, "loss": sum(values) / len(values)}
            history.append(row | _by_class(network, watched))
            values = []
    return Segmenter(network.eval(), history)


def _draw_batch(scenes: Scenes, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    rows = torch.randint(len(scenes), (BATCH_SIZE,), generator=generator)
    mirrored = torch.rand(BATCH_SIZE, generator=generator) < 0.5
    images, labels = scenes.images[rows], scenes.labels[rows].long()
    images[mirrored], labels[mirrored] = images[mirrored].flip(-1), labels[mirrored].flip(-1)
    return scene_inputs(images).contiguous(memory_format=torch.channels_last), labels


@torch.no_grad()
def predict_pixels(network: nn.Module, images: Tensor) -> Tensor:
    """Return the class of the highest score of each pixel.

    Args:
        network: of :func:`train_segmenter`; its mode, of training or evaluation, stays.
        images: (N, 3, H, W) uint8.

    Returns:
        (N, H, W) uint8.
    """
    training = network.training
    network.eval()
    parts = [network(scene_inputs(chunk)).argmax(dim=1).byte() for chunk in images.split(_CHUNK)]
    network.train(training)
    return torch.cat(parts)


def measure_segmenter(network: nn.Module, scenes: Scenes) -> SegmentationMetrics:
    """Compare the predicted class of each pixel of scenes with its label."""
    predicted = predict_pixels(network, scenes.images)
    return segmentation_metrics(predicted, scenes.labels, len(scenes.class_names))


def _by_class(network: nn.Module, scenes: Scenes) -> dict[str, Any]:
    metrics = measure_segmenter(network, scenes)
    shares = {"recall": metrics.recall, "precision": metrics.precision}
    return {
        f"{share} {name}": value
        for share, values in shares.items()
        for name, value in zip(scenes.class_names, values.tolist(), strict=True)
    }

"""What a config says about network, augmentation, optimiser and rate, as objects."""

import math
from collections.abc import Callable

import torch
from torch import nn

from recallkit.data.transforms import TrainTransform
from recallkit.networks import build_network
from recallkit.presets import Config


def make_network(config: Config) -> nn.Module:
    """The untrained network of ``config``."""
    return build_network(
        config.network,
        embedding_dim=config.embedding_dim,
        pretrained=config.weights or config.pretrained,
        image_size=config.image_size,
    )


def make_train_transform(config: Config) -> TrainTransform:
    """The augmentation of ``config``."""
    return TrainTransform(
        config.image_size,
        config.rotation,
        config.scale,
        config.shift,
        config.colour,
        config.flip,
        config.crop,
    )


def make_optimizer(network: nn.Module, loss: nn.Module, config: Config) -> torch.optim.Optimizer:
    """Adam or AdamW; biases and the scales of normalisation layers do not decay, nor do proxies."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate = config.learning_rate
    if proxies := list(loss.parameters()):
        groups.append({"params": proxies, "weight_decay": 0.0, "lr": config.proxy_rate * rate})
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[config.optimizer]
    return kind(groups, lr=rate, fused=True)


def count_steps(config: Config, batch_size: int, batches_an_epoch: int) -> int:
    """How many steps the training has: its epochs, or its images over the batch size."""
    if config.epochs:
        return config.epochs * batches_an_epoch
    return config.images // batch_size


def make_schedule(config: Config, steps: int) -> Callable[[int], float]:
    """The share of the peak rate at each step.

    After a linear rise: with milestones, times ``decay`` at each of them; without, half a cosine
    down to 0.
    """
    rise = round(config.warmup * steps)
    if config.warmup:
        rise = max(rise, min(config.warmup_steps, steps // 3))
    falls = [steps * epoch // config.epochs for epoch in config.milestones]

    def share(step: int) -> float:
        if step < max(1, rise):
            return (step + 1) / max(1, rise)
        if falls:
            return config.decay ** sum(step >= fall for fall in falls)
        first = max(1, rise)
        return 0.5 * (1 + math.cos(math.pi * (step - first) / max(1, steps - first)))

    return share

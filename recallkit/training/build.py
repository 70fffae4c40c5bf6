"""A loss by its name: those of this package, its variants, and those of pytorch-metric-learning.

What stands in the settings of a training becomes an object here; the other library is loaded only
for a loss of its own.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from recallkit.config import Config
from recallkit.data.transforms import TrainTransform
from recallkit.losses import VARIANTS, RecallAtKLoss, RecallVariant, SmoothAPLoss
from recallkit.networks import build_network

# Of the other library: class, and its settings on cosines. Those of contrastive and triplet loss
# there are for distances; the others are the library's own, which are their authors'.
BASELINE_LOSSES: dict[str, tuple[str, dict[str, float]]] = {
    "contrastive": ("ContrastiveLoss", {"pos_margin": 1.0, "neg_margin": 0.5}),
    "triplet": ("TripletMarginLoss", {"margin": 0.1}),
    "multi-similarity": ("MultiSimilarityLoss", {"alpha": 2.0, "beta": 50.0, "base": 0.5}),
    "nt-xent": ("NTXentLoss", {"temperature": 0.07}),
    "circle": ("CircleLoss", {"m": 0.4, "gamma": 80.0}),
    "proxy-anchor": ("ProxyAnchorLoss", {"margin": 0.1, "alpha": 32.0}),
}


def make_loss(config: Config, labels: Tensor) -> nn.Module:
    """The loss that ``config`` names: (B, D) embeddings, (B,) labels → scalar.

    Args:
        config: the settings; those of RS@k hold for its variants too, and SmoothAP has
            ``rank_temperature``. The others have settings of their own, see ``BASELINE_LOSSES``.
        labels: (N,) of all training images; a loss with proxies has one for each class. These are
            drawn from torch's default generator.
    """
    if config.loss in BASELINE_LOSSES:
        return _BaselineLoss(config, labels)
    if config.loss == "smooth-ap":
        return SmoothAPLoss(config.rank_temperature)
    settings = (config.ks, config.k_temperature, config.rank_temperature, config.query_in_database)
    if config.loss in VARIANTS:
        return RecallVariant(config.loss, *settings)
    return RecallAtKLoss(*settings)


def make_baseline_loss(name: str, **others: Any) -> nn.Module:
    """A loss of pytorch-metric-learning.

    Args:
        name: among ``BASELINE_LOSSES``.
        others: further arguments of its class.
    """
    from pytorch_metric_learning import losses

    kind, settings = BASELINE_LOSSES[name]
    return getattr(losses, kind)(**settings, **others)


class _BaselineLoss(nn.Module):
    """A loss of the other library on cosines, with any labels and any dtype.

    Its default distances differ from loss to loss; for contrastive and triplet loss the margins of
    ``BASELINE_LOSSES`` are those of cosines. Classes are numbered in the order of their labels, as
    proxies need it.
    """

    def __init__(self, config: Config, labels: Tensor) -> None:
        from pytorch_metric_learning.distances import CosineSimilarity

        super().__init__()
        self.register_buffer("classes", labels.unique(), persistent=False)  # (C,)
        proxies = {"num_classes": len(self.classes), "embedding_size": config.embedding_dim}
        others = proxies if config.loss == "proxy-anchor" else {}
        self.loss = make_baseline_loss(config.loss, distance=CosineSimilarity(), **others)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        numbers = torch.searchsorted(self.classes, labels.to(self.classes.device))
        return self.loss(embeddings.to(dtype), numbers)


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
    """Return how many whole batches the images of the training make.

    Args:
        config: the settings; ``config.total_images`` says how many images the training sees.
        batch_size: of the sampler, which is smaller than ``config.batch_size`` if classes are few.
        batches_an_epoch: of the sampler.
    """
    return config.total_images(batches_an_epoch * batch_size) // batch_size


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

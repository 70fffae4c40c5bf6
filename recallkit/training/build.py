"""The objects of a training from its settings: network, loss, optimiser, schedule, transform."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from recallkit.config import Config
from recallkit.data.transforms import TrainTransform
from recallkit.losses import VARIANTS, RecallAtKLoss, RecallVariant, SmoothAPLoss
from recallkit.networks import RetrievalNetwork, SmallConvNet, build_network
from recallkit.related import CircleLoss, UniLoss, accuracy, average_precision, recall_at_k
from recallkit.simix import SimilarityMixup
from recallkit.training.baselines import BASELINE_LOSSES, BaselineLoss
from recallkit.training.simix_variants import ROLES, MixupVariant, SimixRoleLoss


class Transform(Protocol):
    """A map from a chunk of a batch to input of the network, with random amounts of the batch."""

    def draw(self, count: int, device: torch.device) -> tuple[Tensor, ...]:
        """Draw the random amounts of a batch: tensors with a row for each of ``count`` images."""
        ...

    def __call__(self, images: Tensor, draws: Any = None) -> Tensor:
        """Transform images with their rows of what :meth:`draw` returned; None: draw them here."""
        ...


def make_network(config: Config) -> RetrievalNetwork:
    """Make the untrained network; its random weights come from torch's default generator."""
    return build_network(
        config.network,
        embedding_dim=config.embedding_dim,
        pretrained=config.weights or config.pretrained,
        image_size=config.image_size,
    )


def on_device(network: RetrievalNetwork, device: torch.device) -> RetrievalNetwork:
    """Move a network, with the channels of a pixel side by side: a CPU convolves a third faster.

    ``SmallConvNet`` is the exception. In bfloat16 its GroupNorm takes four times as long so, and in
    float32 it gains nothing.
    """
    if isinstance(network, SmallConvNet):
        return network.to(device)
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def make_loss(config: Config, labels: Tensor) -> nn.Module:
    """Make the loss: (B, D) embeddings and (B,) labels → scalar.

    Args:
        config: the settings. Those of RS@k count for its variants too, SmoothAP has
            ``rank_temperature`` alone, circle and UniLoss have settings of their own, and for
            baseline losses see ``BASELINE_LOSSES``.
        labels: (N,) of all training images. A loss with proxies has one for each class, drawn from
            torch's default generator.
    """
    if config.loss in BASELINE_LOSSES:
        return BaselineLoss(config, labels)
    if config.loss == "smooth-ap":
        return SmoothAPLoss(config.rank_temperature)
    if config.loss == "circle":
        return CircleLoss(config.circle_margin, config.circle_gamma, config.circle_reduce)
    if config.loss == "uniloss":
        return _make_uniloss(config)
    settings = (config.ks, config.k_temperature, config.rank_temperature, config.query_in_database)
    if config.loss in VARIANTS:
        loss = RecallVariant(config.loss, *settings)
    else:
        loss = RecallAtKLoss(*settings)
    return SimixRoleLoss(config.simix_variant, loss) if config.simix_variant in ROLES else loss


def _make_uniloss(config: Config) -> UniLoss:
    """Make UniLoss, whose anchors come from torch's default generator."""
    metric = {
        "recall@k": partial(recall_at_k, ks=config.ks),
        "average-precision": average_precision,
        "accuracy": accuracy,
    }[config.uniloss_metric]
    return UniLoss(metric, config.uniloss_anchors, config.uniloss_temperature)


def make_mixup(config: Config) -> SimilarityMixup | None:
    """Make SiMix; None without it, or where the loss makes the virtual examples itself."""
    if not config.simix or config.simix_variant in ROLES:
        return None
    return (
        SimilarityMixup() if config.simix_variant == "none" else MixupVariant(config.simix_variant)
    )


def make_optimizer(network: nn.Module, loss: nn.Module, config: Config) -> torch.optim.Optimizer:
    """Make Adam or AdamW.

    Biases and the scales of normalisation layers have no weight decay: they have one dimension.
    Proxies of a loss have none either, and a learning rate of their own, ``config.proxy_rate``.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if proxies := list(loss.parameters()):
        learning_rate = config.proxy_rate * config.learning_rate
        groups.append({"params": proxies, "weight_decay": 0.0, "lr": learning_rate})
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[config.optimizer]
    return kind(groups, lr=config.learning_rate, fused=True)


def count_steps(config: Config, batch_size: int, batches_an_epoch: int) -> int:
    """Return how many whole batches the images of the training make.

    Args:
        config: the settings; ``config.total_images`` says how many images the training sees.
        batch_size: of the sampler, which is smaller than ``config.batch_size`` if classes are few.
        batches_an_epoch: of the sampler.
    """
    return config.total_images(batches_an_epoch * batch_size) // batch_size


def make_schedule(config: Config, steps: int) -> Callable[[int], float]:
    """Return the schedule: number of a step → learning rate, as a share of its peak.

    After a linear warm-up, half a cosine goes down to 0; with milestones, ``config.decay`` is
    multiplied in at each of them instead.
    """
    rise = max(1, _warmup_steps(config, steps))
    falls = [steps * epoch // config.epochs for epoch in config.milestones]

    def share(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        if falls:
            return config.decay ** sum(step >= fall for fall in falls)
        return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))

    return share


def _warmup_steps(config: Config, steps: int) -> int:
    share = round(config.warmup * steps)
    return max(share, min(config.warmup_steps, steps // 3)) if config.warmup else share


def make_train_transform(config: Config) -> TrainTransform:
    """Make the augmentation."""
    return TrainTransform(
        config.image_size,
        config.rotation,
        config.scale,
        config.shift,
        config.colour,
        config.flip,
        config.crop,
    )

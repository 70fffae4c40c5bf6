"""Backbone, pooling and head: a network that embeds on the unit sphere; and the small one."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recallkit.networks.pooling import GridPooling, Pooling, at_least_float32, pooling_of_maps

# What every network here takes: (pixel of 0 … 1 − mean) / std.
INPUT_MEAN, INPUT_STD = 0.5, 0.25


class InputScale(nn.Module):
    """From the images that every network here takes to those that a backbone was trained with.

    Nothing of it is learnt or stored with the weights.

    Args:
        mean: that the backbone's publishers subtract, one for each colour.
        std: that they divide by.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (mean, std))
        self.register_buffer("factor", INPUT_STD / std, persistent=False)
        self.register_buffer("shift", (INPUT_MEAN - mean) / std, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) → (B, 3, H, W)."""
        return images * self.factor + self.shift


class EmbeddingHead(nn.Module):
    """LayerNorm → Linear → L2: a pooled vector to a point of the unit sphere.

    Args:
        features: C, how long the pooled vector is.
        embedding_dim: D, how long the embedding is.
    """

    def __init__(self, features: int, embedding_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.linear = nn.Linear(features, embedding_dim)

    def forward(self, pooled: Tensor) -> Tensor:
        """(B, C) → (B, D) of length 1; float32 at least, half precision misses the sphere."""
        return F.normalize(at_least_float32(self.linear(self.norm(pooled))), dim=1)


class RetrievalNetwork(nn.Module):
    """Input scale, backbone, pooling and head in a row.

    Args:
        backbone: images (B, 3, H, W) → whatever ``pooling`` takes.
        pooling: that → (B, features).
        features: C, how long the pooled vector is.
        embedding_dim: D, how long the embedding is.
        scale: applied to the images first. Default: nothing is.
    """

    def __init__(
        self,
        backbone: nn.Module,
        pooling: nn.Module,
        features: int,
        embedding_dim: int,
        scale: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.scale = nn.Identity() if scale is None else scale
        self.backbone = backbone
        self.pooling = pooling
        self.head = EmbeddingHead(features, embedding_dim)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) → unit vectors (B, D)."""
        return self.head(self.pooling(self.backbone(self.scale(images))))


class SmallConvNet(RetrievalNetwork):
    """Three convolutions for images of 32 pixels: 359,840 parameters, a laptop CPU trains it.

    Each is 3×3 with stride 2, then GroupNorm and ReLU: 32 pixels → 16 → 8 → 4. GroupNorm knows no
    batch, so the chunks of a large batch give what the whole would.

    Args:
        embedding_dim: D. Default 128: enough for 1,400 classes of emoji.
        widths: channels after each convolution, multiples of 8 (a group of GroupNorm is an eighth
            of them). Default (32, 64, 128).
        pooling: "grid", "average+max", "average" or "gem". Default "grid": drawings are centred,
            and on validation classes a fourth convolution with "average+max" found fewer.

    Raises:
        ValueError: a width that is no multiple of 8, or a pooling that is none of these.
    """

    def __init__(
        self,
        embedding_dim: int = 128,
        widths: Sequence[int] = (32, 64, 128),
        pooling: Pooling = "grid",
    ) -> None:
        if not widths or any(width < 8 or width % 8 for width in widths):
            raise ValueError(f"widths must be multiples of 8, not {tuple(widths)}")
        blocks = [
            _convolution_block(before, after)
            for before, after in zip((3, *widths), widths, strict=False)
        ]
        pool = GridPooling() if pooling == "grid" else pooling_of_maps(pooling)
        features = widths[-1] * (GridPooling.CELLS if pooling == "grid" else 1)
        super().__init__(nn.Sequential(*blocks), pool, features, embedding_dim)


def _convolution_block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1, bias=False),
        nn.GroupNorm(8, after),
        nn.ReLU(),
    )


def freeze_batch_norm(network: nn.Module) -> nn.Module:
    """Fix the statistics of every BatchNorm; scale and shift are still trained.

    The layers stay in evaluation mode whatever ``network.train()`` says, so that the embedding of
    an image depends neither on its batch nor on the chunk it is computed in.

    Returns:
        The same network, changed in place.
    """
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
            module.train = partial(_remain_in_evaluation, module)
    return network


def _remain_in_evaluation(module: nn.Module, mode: bool = True) -> nn.Module:
    return module

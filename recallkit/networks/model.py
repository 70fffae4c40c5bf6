"""Backbone, pooling and head: a network that embeds on the unit sphere; and the small one."""

from collections.abc import Sequence
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recallkit.constants import PIXEL_MEAN, PIXEL_STD
from recallkit.networks.pooling import GridPooling, Pooling, at_least_float32, pooling_of_maps

_Module = TypeVar("_Module", bound=nn.Module)


class InputScale(nn.Module):
    """Turns the images that every network here takes into those a backbone was trained with.

        output = ((input · PIXEL_STD + PIXEL_MEAN) − mean) / std

    Nothing of it is learnt or stored with the weights.

    Args:
        mean: subtracted by the backbone's publishers, one value for each colour.
        std: divided by, likewise.
    """

    factor: Tensor
    shift: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        means, stds = (torch.tensor(values).view(1, 3, 1, 1) for values in (mean, std))
        self.register_buffer("factor", PIXEL_STD / stds, persistent=False)
        self.register_buffer("shift", (PIXEL_MEAN - means) / stds, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) → (B, 3, H, W)."""
        return images * self.factor + self.shift


class EmbeddingHead(nn.Module):
    """LayerNorm → Linear → L2: from a pooled vector to a unit vector.

    Args:
        features: C, length of the pooled vector.
        embedding_dim: D, length of the embedding.
    """

    def __init__(self, features: int, embedding_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.linear = nn.Linear(features, embedding_dim)

    def forward(self, pooled: Tensor) -> Tensor:
        """(B, C) → unit vectors (B, D), float32 at least: half precision misses length 1."""
        return F.normalize(at_least_float32(self.linear(self.norm(pooled))), dim=1)


class RetrievalNetwork(nn.Module):
    """Input scale, backbone, pooling and head in a row.

    Args:
        backbone: images (B, 3, H, W) → a map or tokens.
        pooling: that → (B, features).
        features: C, length of the pooled vector.
        embedding_dim: D, length of the embedding.
        scale: applied to the images first. Default: none.
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
    """Three convolutions for images of 32 pixels: 359,840 parameters, trained on a laptop's CPU.

    Each is 3×3 with stride 2, then GroupNorm and ReLU: 32 pixels → 16 → 8 → 4. GroupNorm does not
    depend on the batch, so the chunks of a large batch give the same as the whole.

    Args:
        embedding_dim: the dimension D. Default 128: enough for 1,400 classes of emoji.
        widths: channels after each convolution, multiples of 8 (a group of GroupNorm is an eighth
            of them). Default (32, 64, 128).
        pooling: "grid", "average+max", "average" or "gem". Default "grid": drawings are centred,
            and on validation classes a fourth convolution with "average+max" found fewer.

    Raises:
        ValueError: a width that is not a multiple of 8, or a pooling that is none of these.
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
        nn.ReLU(inplace=True),  # GroupNorm's gradient needs its input only
    )


def freeze_batch_norm(network: _Module) -> _Module:
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


def _remain_in_evaluation(module: _Module, mode: bool = True) -> _Module:
    return module

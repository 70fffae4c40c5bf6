"""Pooling of a map of features, or of tokens, into one vector for each image."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Pooling = Literal["auto", "gem", "average", "average+max", "grid", "token"]


class GeM(nn.Module):
    """Generalised mean over the places of a feature map, (B, C, h, w) → (B, C).

        GeM(x) = (1/(h·w) · Σ_places max(x, eps)^p)^(1/p)

    p = 1 is the average; p → ∞ the maximum. It is computed in float32 at least: half precision
    cannot hold eps^p.

    Args:
        p: initial exponent; it is learnt. Default 3: the paper's.
        eps: smaller and negative features are raised to this. Default 1e-6: the paper's; at 0 the
            root would have no gradient.
    """

    def __init__(self, p: float = 3.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor([p]))
        self.eps = eps

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C)."""
        powers = at_least_float32(features).clamp(min=self.eps).pow(self.p)
        return powers.mean(dim=(-2, -1)).pow(1 / self.p).to(features.dtype)


class AveragePooling(nn.Module):
    """The mean over the places of a feature map."""

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C)."""
        return features.mean(dim=(-2, -1))


class AverageMaxPooling(nn.Module):
    """Mean plus maximum over the places of a feature map."""

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C)."""
        return features.mean(dim=(-2, -1)) + features.amax(dim=(-2, -1))


class GridPooling(nn.Module):
    """Averages over the cells of a 4×4 grid, side by side: they keep the place of things.

    For images whose objects are centred and of one size, as drawings are. In photographs, where
    things are anywhere, the poolings that forget the place do better.
    """

    CELLS = 16

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) → (B, 16·C)."""
        if features.shape[-2:] != (4, 4):  # else each cell is one place
            features = F.adaptive_avg_pool2d(features, 4)
        return features.flatten(1)


class TokenPooling(nn.Module):
    """The class token, which is the first of a vision transformer."""

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, C) → (B, C)."""
        return tokens[:, 0]


class TokensAsMap(nn.Module):
    """Patch tokens as a feature map one place wide, for any pooling of maps.

    Args:
        prefix: number of tokens before those of the patches (class and register tokens).
    """

    def __init__(self, prefix: int) -> None:
        super().__init__()
        self.prefix = prefix

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, prefix + T, C) → (B, C, T, 1)."""
        return tokens[:, self.prefix :].transpose(1, 2).unsqueeze(-1)


def pooling_of_maps(pooling: Pooling) -> nn.Module:
    """Make the pooling of that name for a map of features.

    Raises:
        ValueError: a name that is not one for maps.
    """
    kinds = {
        "auto": GeM,
        "gem": GeM,
        "average": AveragePooling,
        "average+max": AverageMaxPooling,
    }
    if pooling not in kinds:
        raise ValueError(
            f"pooling must be one of {', '.join(kinds)} for a feature map, not {pooling!r}"
        )
    return kinds[pooling]()


def pooling_of_tokens(pooling: Pooling, prefix: int, has_class_token: bool) -> nn.Module:
    """Make the pooling of that name for a row of tokens.

    Args:
        pooling: its name.
        prefix: number of tokens before those of the patches.
        has_class_token: whether the first of them is a class token.

    Raises:
        ValueError: a name that is not one for such tokens.
    """
    if pooling == "auto":
        pooling = "token" if has_class_token else "average"
    if pooling == "token" and has_class_token:
        return TokenPooling()
    return nn.Sequential(TokensAsMap(prefix), pooling_of_maps(pooling))


def at_least_float32(x: Tensor) -> Tensor:
    """Convert half precision to float32; keep other types."""
    return x.to(torch.promote_types(x.dtype, torch.float32))

"""Networks that embed images on the unit sphere: backbone → pooling → LayerNorm → Linear → L2.

Start at ``build_network``. A backbone turns images (B, 3, H, W) into a map of features
(B, C, h, w) or into tokens (B, T, C); a pooling turns those into one vector (B, C); the head turns
the vector into a unit vector (B, D). ``UNet`` gives each pixel scores of classes instead.
"""

from recallkit.networks.building import build_network
from recallkit.networks.model import (
    EmbeddingHead,
    InputScale,
    RetrievalNetwork,
    SmallConvNet,
    freeze_batch_norm,
)
from recallkit.networks.pooling import (
    AverageMaxPooling,
    AveragePooling,
    GeM,
    GridPooling,
    Pooling,
    TokenPooling,
    TokensAsMap,
)
from recallkit.networks.unet import UNet

__all__ = [
    "AverageMaxPooling",
    "AveragePooling",
    "EmbeddingHead",
    "GeM",
    "GridPooling",
    "InputScale",
    "Pooling",
    "RetrievalNetwork",
    "SmallConvNet",
    "TokenPooling",
    "TokensAsMap",
    "UNet",
    "build_network",
    "freeze_batch_norm",
]

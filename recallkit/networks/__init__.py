"""Networks that embed images on the unit sphere: backbone → pooling → LayerNorm → Linear → L2.

``build_network`` is the way in. A backbone turns images (B, 3, H, W) into a map of features
(B, C, h, w) or into tokens (B, T, C); a pooling turns those into one vector (B, C); the head turns
that into a unit vector (B, D).
"""

from recallkit.networks.building import build_network
from recallkit.networks.model import (
    INPUT_MEAN,
    INPUT_STD,
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

__all__ = [
    "INPUT_MEAN",
    "INPUT_STD",
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
    "build_network",
    "freeze_batch_norm",
]

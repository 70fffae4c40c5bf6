"""Build a network by its name."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from recallkit.networks.backbones import Backbone, timm_backbone, torchvision_backbone
from recallkit.networks.model import InputScale, RetrievalNetwork, SmallConvNet, freeze_batch_norm
from recallkit.networks.packaged import packaged_backbone
from recallkit.networks.pooling import Pooling, pooling_of_maps, pooling_of_tokens
from recallkit.networks.weights import load_backbone

_SOURCES: dict[str, Callable[[str, bool], Backbone]] = {
    "": torchvision_backbone,
    "torchvision": torchvision_backbone,
    "timm": timm_backbone,
    "packaged": packaged_backbone,
}


def build_network(
    name: str,
    embedding_dim: int | None = None,
    pooling: Pooling = "auto",
    pretrained: bool | str | Path = False,
    freeze_bn: bool = True,
    image_size: int | None = None,
) -> RetrievalNetwork:
    """Build a network by its name.

    Args:
        name: "small" (``SmallConvNet``); "resnet50" or "torchvision/resnet50", any classification
            network of torchvision that ends in one feature map or in a class token; "timm/NAME",
            any network of timm, with the tag of its weights if they are not the usual ones:
            "timm/vit_base_patch16_224.augreg_in21k"; "packaged/efficientnet_lite0", whose weights
            are a Python package.
        embedding_dim: the dimension D. Default: 512 as in the paper, which also reports 128; 128
            for "small".
        pooling: "gem", "average", "average+max", or "token" (the class token after the final
            norm). Default "auto". For "small" that is "grid". For others it is the paper's choice:
            GeM for feature maps, the class token where there is one, and where there is none the
            average of the patches.
        pretrained: True: ImageNet weights as published by torchvision or timm, which needs an
            internet connection once, or those of the package. A path: the backbone's state dict,
            ``.safetensors`` or one that ``torch.load`` reads with ``weights_only=True``; entries
            for a classifier are not used. Default False: random weights.
        freeze_bn: apply ``freeze_batch_norm``. Default True: as the paper does, and as
            ``LargeBatchStep`` demands. Without pretrained weights the statistics then stay at
            mean 0 and variance 1.
        image_size: side of the images it will see, in pixels. Networks of convolutions take any.
            A vision transformer is made for one size; timm's are adapted to another, position
            embeddings included. Default: the size it was published for.

    Returns:
        A network from images (B, 3, H, W), normalised to (pixel − 0.5) / 0.25 whatever the backbone
        was trained with, to unit vectors (B, D).

    Raises:
        ValueError: an unknown name (with the nearest known ones), a pooling or an image size that
            the backbone does not allow, an embedding_dim below 1.
        RecallkitError: weights that cannot be loaded or do not fit; timm is not installed.
    """
    if embedding_dim is not None and embedding_dim < 1:
        raise ValueError(f"embedding_dim must be at least 1, not {embedding_dim}")
    if name == "small":
        return _small(embedding_dim or 128, pooling, pretrained)
    backbone = _backbone(name, pretrained)
    if image_size is not None:
        backbone.adapt(image_size)
    features = _probe(backbone, name)
    if features.ndim == 3:
        pool = pooling_of_tokens(pooling, backbone.prefix, backbone.has_class_token)
    else:
        pool = pooling_of_maps(pooling)
    width = features.shape[2] if features.ndim == 3 else features.shape[1]
    scale = InputScale(backbone.mean, backbone.std)
    network = RetrievalNetwork(backbone.module, pool, width, embedding_dim or 512, scale)
    return freeze_batch_norm(network) if freeze_bn else network


def _backbone(name: str, pretrained: bool | str | Path) -> Backbone:
    source, _, model_name = name.rpartition("/")
    if source not in _SOURCES:
        raise ValueError(
            f'name must be "small", "NAME", "torchvision/NAME", "timm/NAME" or "packaged/NAME": '
            f"{name!r}"
        )
    backbone = _SOURCES[source](model_name, pretrained is True)
    if not isinstance(pretrained, bool):
        load_backbone(backbone.module, Path(pretrained))
    return backbone


def _small(embedding_dim: int, pooling: Pooling, pretrained: bool | str | Path) -> SmallConvNet:
    if pretrained is not False:
        raise ValueError('pretrained must be False for "small": there are no published weights')
    return SmallConvNet(embedding_dim, pooling="grid" if pooling == "auto" else pooling)


@torch.no_grad()
def _probe(backbone: Backbone, name: str) -> Tensor:
    """Run the backbone on one black image: a map (1, C, h, w) or tokens (1, T, C)."""
    try:
        image = torch.zeros(1, 3, backbone.image_size, backbone.image_size)
        features = backbone.module.eval()(image)
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(_cannot_be_cut(name)) from error
    finally:
        backbone.module.train()
    if features.ndim not in (3, 4):
        raise ValueError(_cannot_be_cut(name))
    return features


def _cannot_be_cut(name: str) -> str:
    return (
        f"name {name!r} is a network without one last feature map or row of tokens. Take another "
        f"of its family, or the one of the same name in timm"
    )

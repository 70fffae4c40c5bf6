"""Backbones of torchvision and timm, cut before their global pooling."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from recallkit.errors import did_you_mean, needs_extra
from recallkit.networks.weights import built_with_weights

_PROBE_SIZE = 64  # pixels; the smallest image that every torchvision family shrinks without error
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and std of all its publications


@dataclass
class Backbone:
    """A backbone, and what must be known to use it.

    Attributes:
        module: images (B, 3, H, W) → a map (B, C, h, w) or tokens (B, T, C).
        image_size: side of images that it takes, in pixels.
        fixed_size: whether it takes no other size.
        prefix: number of tokens before those of the patches.
        has_class_token: whether the first of them is a class token.
        mean: of the images it was trained with, for each colour.
        std: likewise.
    """

    module: nn.Module
    image_size: int
    fixed_size: bool
    prefix: int = 0
    has_class_token: bool = False
    mean: Sequence[float] = _IMAGENET[0]
    std: Sequence[float] = _IMAGENET[1]

    def adapt(self, image_size: int) -> None:
        """Make it take images of another size, unless it takes any size already.

        Raises:
            ValueError: it cannot be adapted to that size.
        """
        if not self.fixed_size or image_size == self.image_size:
            return
        set_size = getattr(getattr(self.module, "trunk", None), "set_input_size", None)
        try:
            if set_size is None:
                raise ValueError("there is no way to adapt it")
            set_size(img_size=(image_size, image_size))
        except (ValueError, AssertionError, RuntimeError) as error:
            raise ValueError(
                f"image_size must be {self.image_size} for this network, not {image_size} ({error})"
            ) from error
        self.image_size = image_size


def torchvision_backbone(name: str, pretrained: bool) -> Backbone:
    """Make the backbone of that name in torchvision.

    Raises:
        ValueError: an unknown name.
        RecallkitError: torchvision is not installed, or its published weights cannot be loaded.
    """
    with needs_extra(f'the network "{name}"'):
        from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise ValueError(unknown_name(name, [*known, "small"], "timm/… and any torchvision name"))
    # The first set of weights is the one of the publications, which the paper started from.
    weights = next(iter(models.get_model_weights(name))) if pretrained else None
    model = built_with_weights(partial(models.get_model, name, weights=weights), name, pretrained)
    if isinstance(model, models.VisionTransformer):
        return Backbone(_Tokens(model), model.image_size, True, prefix=1, has_class_token=True)
    return Backbone(_until_the_pooling(model), _PROBE_SIZE, False)


class _Tokens(nn.Module):
    """A vision transformer of torchvision up to its final norm, (B, 3, H, W) → (B, 1 + T, C)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        from torchvision.models.feature_extraction import create_feature_extractor

        self.trunk = create_feature_extractor(model, ["encoder.ln"])

    def forward(self, images: Tensor) -> Tensor:
        return self.trunk(images)["encoder.ln"]


def _until_the_pooling(model: nn.Module) -> nn.Sequential:
    """Take the layers before the global pooling, names kept: (B, 3, H, W) → (B, C, h, w)."""
    layers = OrderedDict()
    for name, layer in model.named_children():
        if name in ("avgpool", "classifier", "fc"):
            break
        layers[name] = layer
    if type(model).__name__ == "DenseNet":  # applies this one in its forward, not as a layer
        layers["relu"] = nn.ReLU()
    return nn.Sequential(layers)


def timm_backbone(name: str, pretrained: bool) -> Backbone:
    """Make the backbone of that name in timm.

    Raises:
        ValueError: an unknown name.
        RecallkitError: timm is not installed, or its published weights cannot be loaded.
    """
    with needs_extra(f'the network "timm/{name}"'):
        import timm
    if not timm.is_model(name):
        raise ValueError(unknown_name(name, timm.list_models(), "timm.list_models() names them"))
    build = partial(timm.create_model, name, pretrained, num_classes=0, global_pool="")
    model: Any = built_with_weights(build, f"timm/{name}", pretrained)
    published = model.pretrained_cfg
    has_class_token = getattr(model, "cls_token", None) is not None
    return Backbone(
        _TimmFeatures(model),
        published["input_size"][-1],
        bool(published.get("fixed_input_size")),
        prefix=getattr(model, "num_prefix_tokens", int(has_class_token)),
        has_class_token=has_class_token,
        mean=published["mean"],
        std=published["std"],
    )


class _TimmFeatures(nn.Module):
    """A network of timm without its head, (B, 3, H, W) → (B, C, h, w) or (B, T, C)."""

    trunk: Any  # timm's networks share the method forward_features, but no class that declares it

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.trunk = model
        self.channels_last = getattr(model, "output_fmt", None) == "NHWC"  # as Swin

    def forward(self, images: Tensor) -> Tensor:
        features = self.trunk.forward_features(images)
        return features.permute(0, 3, 1, 2) if self.channels_last else features


def unknown_name(name: str, known: Iterable[str], where: str) -> str:
    """Describe a name that no network has, with the nearest known ones."""
    hint = did_you_mean(name, known) or f"known are small, {where}"
    return f"name {name!r} is not a network: {hint}"

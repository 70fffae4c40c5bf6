"""Weights of a backbone: as published, or from a file."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from recallkit.errors import RecallkitError, needs_extra


def built_with_weights(build: Callable[[], nn.Module], name: str, pretrained: bool) -> nn.Module:
    """Build a network; with published weights that may need an internet connection.

    Args:
        build: makes the network, with its weights if they are wanted.
        name: of the network, for the message.
        pretrained: whether ``build`` loads published weights.

    Raises:
        RecallkitError: the weights cannot be downloaded.
    """
    if not pretrained:
        return build()
    try:
        return build()
    except Exception as error:  # each hub and proxy fails in its own way
        raise RecallkitError(
            f"the published weights of {name} cannot be downloaded ({error}). Connect to the "
            f"internet once, or download them elsewhere and give the path of the file as "
            f"pretrained (--weights FILE)"
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
            f"{missing[0]}. Use weights of the same architecture, with the same names of layers"
        )
    try:
        model.load_state_dict({key: state[key] for key in model.state_dict()})
    except RuntimeError as error:
        raise RecallkitError(f"{path} does not fit this network: {error}") from error


def _state_dict(path: Path) -> dict[str, Tensor]:
    with needs_extra("reading .safetensors"):
        from safetensors.torch import load_file
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        return state.get("state_dict", state)
    except FileNotFoundError as error:
        raise RecallkitError(f"there is no file of weights {path}") from error
    except (
        Exception
    ) as error:  # a damaged file fails in many ways, as does one that is something else
        raise RecallkitError(
            f"{path} cannot be read as weights ({error}). Save a state dict, with torch.save or "
            f"safetensors"
        ) from error

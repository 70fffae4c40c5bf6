"""The run folder: what a training writes, and how it is read again.

config.json           the settings
metrics.jsonl         a line an evaluation
tensorboard/          the same and the loss of each step, for TensorBoard
best.safetensors      the network that was best on validation classes (R@1), so far
weights.safetensors   the network at the end of the run
state.pt              while the run goes on: everything needed to continue it
state.previous.pt     the state before that, in case the last one is damaged
diverged.json         if loss or gradient was not finite: at which step, with which images
result.json           written last: a folder that has it is a finished run
figures/              learning curve and retrievals
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from recallkit.config import Config, config_from
from recallkit.errors import RecallkitError
from recallkit.files import cannot_write, read_json, write_atomically
from recallkit.training.build import make_network
from recallkit.training.environment import choose_device


def load_run(folder: Path, device: str = "auto") -> tuple[Config, nn.Module]:
    """The settings and the trained network of the run in ``folder``, in evaluation mode.

    Raises:
        RecallkitError: if it is no finished run, or its files are damaged.
    """
    config = read_config(folder)
    weights = read_weights(folder)
    network = make_network(replace(config, pretrained=False, weights=""))
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise RecallkitError(f"the weights in {folder} are not of its network: {error}") from None
    return config, network.to(choose_device(device)).eval()


def read_config(folder: Path) -> Config:
    """The settings of the run in ``folder``.

    Raises:
        RecallkitError: if it is not a run folder, or its settings are not of this version.
    """
    if not (folder / "config.json").is_file():
        raise RecallkitError(f"{folder} is not a run: it has no config.json. Train one first.")
    values = read_json(folder / "config.json")
    try:
        return config_from(values)
    except (TypeError, ValueError, AttributeError) as error:
        raise RecallkitError(f"{folder / 'config.json'} does not hold settings: {error}") from error


def write_weights(
    folder: Path, network: torch.nn.Module, name: Literal["weights", "best"] = "weights"
) -> None:
    """Keep the weights of ``network`` in the run ``folder``."""
    from safetensors.torch import save

    packed = save({name: value.contiguous() for name, value in network.state_dict().items()})
    write_atomically(folder / f"{name}.safetensors", lambda path: path.write_bytes(packed))


def read_weights(folder: Path, name: Literal["weights", "best"] = "weights") -> dict[str, Tensor]:
    """The weights of the run in ``folder``: the last, or those best on validation classes.

    Raises:
        RecallkitError: if they are missing, truncated, or not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / f"{name}.safetensors"
    if not path.is_file():
        raise RecallkitError(
            f"{path} is missing: the run did not finish. Continue it with --resume."
        )
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise RecallkitError(f"{path} is damaged ({error}). Train again.") from error
    for name, value in weights.items():
        if not value.isfinite().all():
            raise RecallkitError(
                f"{path} holds weights that are not finite, in {name}. Train again."
            )
    return weights


def append_metrics(folder: Path, line: dict[str, float]) -> None:
    """Add a line to the run's ``metrics.jsonl``.

    Raises:
        RecallkitError: if the disk is full or the folder cannot be written.
    """
    path = folder / "metrics.jsonl"
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise cannot_write(path, error) from error

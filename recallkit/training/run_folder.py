"""The run folder: what a training writes, and how it is read again.

config.json           the settings
metrics.jsonl         a line an evaluation
tensorboard/          the same and the loss of each step, for TensorBoard
best.safetensors      the network with the best R@1 on validation classes so far
weights.safetensors   the network at the end of the run
state.pt              while the run is unfinished: everything needed to continue it
state.previous.pt     the state before that, in case the last one is damaged
diverged.json         if loss or gradient was not finite: the step and its images
result.json           written last: a folder that has it is a finished run
figures/              learning curve and retrievals
.lock                 while a process trains
"""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from recallkit.config import Config, config_from
from recallkit.errors import RecallkitError
from recallkit.files import (
    cannot_write,
    read_json,
    remove_unfinished,
    write_atomically,
    write_json,
)
from recallkit.networks import RetrievalNetwork
from recallkit.training.build import make_network
from recallkit.training.checkpoint import LAST, PREVIOUS
from recallkit.training.environment import choose_device

Line = dict[str, float]  # of metrics.jsonl
Weights = Literal["weights", "best"]  # at the end of the run; at the best R@1


def check_new(folder: Path) -> None:
    """Refuse a folder that holds a run.

    Raises:
        RecallkitError: if it does.
    """
    if any((folder / name).exists() for name in (LAST, PREVIOUS, "result.json")):
        raise RecallkitError(
            f"{folder} already holds a run. Continue it with --resume, or choose another --out."
        )


def begin_run(folder: Path, config: Config) -> None:
    """Write the settings into the run folder, which :func:`.claimed` keeps to this process.

    What a run left that ended before its first save is replaced.

    Raises:
        RecallkitError: if it holds a run already, or cannot be written.
    """
    check_new(folder)
    remove_unfinished(folder)
    write_json(folder / "config.json", asdict(config))
    (folder / "metrics.jsonl").unlink(missing_ok=True)


def resume_run(folder: Path, config: Config) -> None:
    """Prepare the run folder for another session.

    Raises:
        RecallkitError: if it holds no run, a finished one, or one with other settings.
    """
    if read_config(folder) != config:
        raise RecallkitError(f"the run in {folder} has other settings; resume with its own")
    if (folder / "result.json").exists():
        raise RecallkitError(f"the run in {folder} is finished: there is nothing to resume")
    remove_unfinished(folder)
    (folder / "diverged.json").unlink(missing_ok=True)


def load_run(folder: Path, device: str = "auto") -> tuple[Config, RetrievalNetwork]:
    """Load the settings and the trained network of a run.

    Args:
        folder: of the run.
        device: where the network goes; "auto" takes a GPU if there is one.

    Returns:
        The settings, and the network in evaluation mode.

    Raises:
        RecallkitError: if the run is not finished, or its files are damaged.
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
    """Read the settings of the run in ``folder``.

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


def write_weights(folder: Path, network: torch.nn.Module, name: Weights = "weights") -> None:
    """Write the weights of ``network`` into the run folder.

    Raises:
        RecallkitError: if the disk is full or the folder cannot be written.
    """
    from safetensors.torch import save

    packed = save({key: value.contiguous() for key, value in network.state_dict().items()})
    write_atomically(folder / f"{name}.safetensors", lambda path: path.write_bytes(packed))


def read_weights(folder: Path, name: Weights = "weights") -> dict[str, Tensor]:
    """Read weights of the run in ``folder``: the last, or the best on validation classes.

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
    for key, value in weights.items():
        if not value.isfinite().all():
            raise RecallkitError(
                f"{path} holds weights that are not finite, in {key}. Train again."
            )
    return weights


def append_metrics(folder: Path, line: Line) -> None:
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
